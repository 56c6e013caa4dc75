"""Causes over an experiment: asked for later, gone on with after a stop, and the report's numbers recomputed."""

import shutil

import numpy as np
import pandas as pd
import pytest

from helpers.small_experiments import TABLES
from napari_sam2_probe.causes.explain import explain_frames
from napari_sam2_probe.experiments.cause_tables import CAUSE_TABLES, CausesFolder, changes_interjection, twin_kind
from napari_sam2_probe.experiments.clips import probe_clip
from napari_sam2_probe.experiments.config import make_config
from napari_sam2_probe.experiments.execute import run_experiment
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.reports.make import ReportOptions, make_report
from napari_sam2_probe.transforms.registry import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:cannot import name '_C'")]


@pytest.fixture(scope="module")
def short(settings):
    """Settings with as few frames as show causes: each entry of each bank is another pass."""
    return {**settings, "lengths": [2, 1, 2]}


@pytest.fixture(scope="module")
def plain(short, tmp_path_factory, one_thread_in_module):
    out = tmp_path_factory.mktemp("plain") / "short"
    run_experiment(make_config(**short), out)
    return out


@pytest.fixture(scope="module")
def caused(plain, short, tmp_path_factory, one_thread_in_module):
    """The experiment with causes, which were asked for after it was done."""
    out = tmp_path_factory.mktemp("causes") / "short"
    shutil.copytree(plain, out)
    results = run_experiment(make_config(**short, causes=True), out)
    return out, results


def test_asked_for_later_they_move_no_other_result(caused, plain):
    out, results = caused
    for name in TABLES:
        assert (out / name).read_bytes() == (plain / name).read_bytes()
    blame = results.causes("blame")
    assert set(blame["clip"]) == {*results.clips("clean"), *results.clips("interjection")}
    # Patches and edits need a twin and a change.
    assert set(results.causes("patches")["kind"]) == set(results.causes("suffix")["kind"]) == {"interjection"}


def test_every_kind_with_a_change_has_a_twin_to_be_patched_from():
    changed = {
        "interjection": "clean",
        "context-removal": "clean",
        "scene-cut": "clean",
        "object-removal": "object-kept",
        "flash": "object-kept",
        "other-removed": "other-kept",
    }
    assert {kind: twin_kind(kind) for kind in KINDS if changes_interjection(kind)} == changed
    throughout = {"obscuration": "clean", "three-object": "clean"}
    assert {kind: twin_kind(kind) for kind in KINDS if twin_kind(kind)} == changed | throughout


def test_blame_of_a_clip_is_that_of_its_run(caused, tmp_path):
    out, results = caused
    clip = results.clips("interjection")[0]
    loaded = load_model(ModelChoice("sample", device="cpu"))
    run = probe_clip(out / "clips" / "interjection", clip, tmp_path / "run", loaded)
    frame = 4
    alone = explain_frames(run, [frame], model=loaded, video=results.sequence("interjection", clip))
    mine = results.causes("blame").query("clip == @clip and frame == @frame")
    alone = alone.reset_index(drop=True)
    assert mine["entry"].tolist() == alone["kind"].tolist()
    for name in ("entry_frame", "age", "attention", "delta_iou", "delta_j", "delta_score", "delta_pointer"):
        np.testing.assert_allclose(mine[name].astype(float), alone[name].astype(float), atol=1e-6, err_msg=name)


def test_what_a_stop_left_out_is_found_again_to_the_same_bytes(caused, short, tmp_path):
    out, _ = caused
    again = tmp_path / "again"
    shutil.copytree(out, again)
    place = CausesFolder(ExperimentFolder(again))
    before = {name: place.table(name).read_bytes() for name in CAUSE_TABLES}
    some = sorted(place.part("suffix", "").parent.glob("*.suffix.parquet"))[0]
    some.unlink()
    for name in CAUSE_TABLES:
        place.table(name).unlink()
    run_experiment(make_config(**short, causes=True), again)
    assert {name: place.table(name).read_bytes() for name in CAUSE_TABLES} == before


def test_the_report_answers_with_numbers_that_others_compute_too(caused, tmp_path):
    from scipy.stats import spearmanr

    out, results = caused
    index = make_report(
        [out], tmp_path / "report", ReportOptions(dpi=60, formats=(), num_resamples=50, composites="never")
    )
    tables = index.parent / "tables"
    asked = pd.read_csv(tables / "causes.csv")
    blame, suffix, patches = (results.causes(name) for name in ("blame", "suffix", "patches"))

    single = blame[blame["entry_frame"].notna()]
    means = []
    for _, of_clip in single.groupby(["kind", "clip"]):
        values = [
            spearmanr(f["attention"], -f["delta_iou"]).statistic
            for _, f in of_clip.groupby("frame")
            if len(f) > 2 and f["delta_iou"].nunique() > 1
        ]
        means += [np.mean(values)] if values else []
    rank = asked[asked["question"].str.contains("all entries")].iloc[0]
    assert rank["value"] == pytest.approx(np.mean(means), abs=1e-9)
    assert rank["num_clips"] == len(means)

    after = suffix[suffix["edit"] == "nothing of the change"].dropna(subset=["J", "unedited_J"])
    change = after.assign(d=after["J"] - after["unedited_J"]).groupby("clip")["d"].mean()
    row = pd.read_csv(tables / "causes-suffix.csv").query("edit == 'nothing of the change'").iloc[0]
    assert row["delta_j"] == pytest.approx(change.mean(), abs=1e-9)
    assert row["median_delta_j"] == pytest.approx(change.median(), abs=1e-9)
    assert row["num_clips"] == len(change)

    first = blame[(blame["frame"] == 3) & blame["entry_frame"].isna()]
    groups = pd.read_csv(tables / "causes-groups.csv")
    assert len(groups) == first.groupby(["kind", "entry", "role"]).ngroups == 10
    for _, one in groups.iterrows():
        own = first[(first[["kind", "entry", "role"]] == one[["kind", "entry", "role"]]).all(axis=1)]
        assert one["effect"] == pytest.approx(-own["delta_iou"].mean(), abs=1e-9)
        assert one["delta_score"] == pytest.approx(own["delta_score"].mean(), abs=1e-9)
        assert one["num_clips"] == len(own) == 2

    recovered = patches.assign(
        mine=(patches["patched_value"] - patches["clip_value"]) / (patches["twin_value"] - patches["clip_value"])
    )
    least = patches["measure"].map({"object_score": 1.0, "predicted_iou": 0.05, "J": 0.05})
    far = (patches["twin_value"] - patches["clip_value"]).abs() >= least
    assert recovered["recovered"].notna().equals(far & recovered["mine"].notna())
    np.testing.assert_allclose(recovered.loc[far, "recovered"], recovered.loc[far, "mine"], rtol=1e-9)
    stage = recovered[far].groupby(["position", "measure", "stage", "clip"])["mine"].mean()
    written = pd.read_csv(tables / "causes-patches.csv", dtype={"position": str})
    for _, one in written[written["num_clips"] > 0].iterrows():
        values = stage[one["position"], one["measure"], one["stage"]]
        assert one["recovered"] == pytest.approx(values.mean(), abs=1e-9)
        assert one["num_clips"] == len(values)

    page = index.read_text()
    assert ">Causes<" in page
    # Two clips of two sequences tell nothing, and it is said.
    assert "too few source sequences to tell" in page.lower()
    for name in ("causes-age", "causes-suffix", "causes-patches"):
        assert (index.parent / "figures" / f"{name}.png").is_file()
