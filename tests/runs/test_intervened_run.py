"""Runs under an intervention: recorded, repeatable, taking from other runs; and what caused a mask."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from helpers.run_checks import T
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.causes.explain import explain_frames, explainable
from napari_sam2_probe.causes.tables import BLAME_COLUMNS
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.session import Session
from napari_sam2_probe.runs.donors import read_intervention
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.runs.recorded import recorded_options
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

DROP = {"edit": "drop", "target": "pointer", "entries": {"role": "recent"}, "at": [3, 4]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("intervened")


def record(root, loaded, folder, name, options=None):
    return record_run(FolderSource(folder), [Prompt.from_mask(0, 1, square_mask(0))], root / name, loaded, options)


@pytest.fixture(scope="module")
def plain(root, loaded, folder, one_thread_in_module):
    return record(root, loaded, folder, "plain")


@pytest.fixture(scope="module")
def twin(root, loaded, one_thread_in_module):
    return record(root, loaded, write_video(root / "other", moving_video(T, seed=1)), "twin")


@pytest.fixture(scope="module")
def dropped(root, loaded, folder, one_thread_in_module):
    return record(root, loaded, folder, "dropped", RunOptions(intervene=(DROP,)))


def assert_same(a, b):
    for name in ("object_scores", "object_pointers", "object_pointers_raw", "predicted_iou"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_array_equal(a.masks[:], b.masks[:])
    for key in ("memory_attention", "memory_features"):
        np.testing.assert_array_equal(a.maps(key, "variance")[:], b.maps(key, "variance")[:], err_msg=key)


@pytest.mark.slow
def test_an_intervention_is_recorded_and_done_again_from_the_record(dropped, plain, root, loaded, folder):
    info = json.loads((dropped.path / "run.json").read_text())
    assert info["parameters"]["intervene"] == [DROP]
    assert set(dropped.bank(3)["role"][dropped.bank(3)["kind"] == "pointer"]) == {"conditioning"}
    assert len(dropped.bank(5)) == len(plain.bank(5))
    np.testing.assert_array_equal(dropped.object_scores[:, :3], plain.object_scores[:, :3])
    assert (dropped.object_scores[:, 3:] != plain.object_scores[:, 3:]).all()
    assert_same(record(root, loaded, folder, "again", recorded_options(info["parameters"])), dropped)


def test_a_block_around_a_run_is_recorded_with_it(dropped, root, loaded, folder):
    with loaded.intervene([DROP]):
        inside = record(root, loaded, folder, "inside")
    assert inside.info["parameters"]["intervene"] == [DROP]
    assert_same(inside, dropped)


def test_the_same_without_edits_is_the_same(plain, root, loaded, folder):
    assert plain.info["parameters"]["intervene"] == []
    assert plain.info["parameters"]["policy"] == "stock"
    with loaded.intervene([]):
        assert_same(record(root, loaded, folder, "empty"), plain)


@pytest.mark.slow
def test_swap_takes_from_another_run(plain, twin, root, loaded, folder):
    swap = {"edit": "swap", "target": "both", "from": str(twin.path)}
    swapped = record(root, loaded, folder, "swapped", RunOptions(intervene=(swap,)))
    assert (swapped.object_scores[:, 1:] != plain.object_scores[:, 1:]).all()
    own = {"edit": "swap", "target": "both", "from": str(plain.path)}
    assert_same(record(root, loaded, folder, "swapped-own", RunOptions(intervene=(own,))), plain)


@pytest.mark.parametrize(
    "key", ["image_embedding", "memory_attention", "prompt_attention", "object_pointer", "memory_features"]
)
def test_a_patch_from_its_own_run_changes_nothing(key, plain, root, loaded, folder):
    patch = {"edit": "patch", "target": key, "from": str(plain.path)}
    assert_same(record(root, loaded, folder, f"patched-{key}", RunOptions(intervene=(patch,))), plain)


def test_all_image_features_of_the_twin_give_the_twins_run(twin, root, loaded, folder):
    patch = {"edit": "patch", "target": "image_embedding", "from": str(twin.path)}
    assert_same(record(root, loaded, folder, "as-twin", RunOptions(intervene=(patch,))), twin)


def test_a_run_under_an_intervention_can_give_too(dropped, root, loaded, folder):
    """What is taken is what the other run stored, its own edits included."""
    swap = {"edit": "swap", "target": "both", "from": str(dropped.path)}
    drop = {**DROP, "at": [3, 4]}
    again = record(root, loaded, folder, "from-dropped", RunOptions(intervene=(swap, drop)))
    assert_same(again, dropped)


@pytest.mark.slow
def test_the_mean_of_pointers_and_of_a_position(plain, root, loaded, folder):
    mean = {"edit": "mean", "target": "object_pointer", "at": [3, 3]}
    averaged = record(root, loaded, folder, "mean", RunOptions(intervene=(mean,)))
    expected = plain.object_pointers[0].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(averaged.object_pointers[0, 3], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(averaged.object_scores[:, :4], plain.object_scores[:, :4])
    assert (averaged.object_scores[:, 4:] != plain.object_scores[:, 4:]).all()
    of_map = {"edit": "mean", "target": "memory_attention", "at": [3, 3]}
    mapped = record(root, loaded, folder, "mean-map", RunOptions(intervene=(of_map,)))
    expected = plain.maps("memory_attention", "mean")[0].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(mapped.maps("memory_attention", "mean")[0, 3], expected, rtol=1e-4, atol=1e-5)
    of_entries = {"edit": "mean", "target": "both", "at": [3, 3]}
    entries = record(root, loaded, folder, "mean-entries", RunOptions(intervene=(of_entries,)))
    assert entries.object_scores[0, 3] != plain.object_scores[0, 3]
    assert entries.object_scores[0, 2] == plain.object_scores[0, 2]


def test_what_cant_be_taken_is_refused_before_anything_is_written(twin, root, loaded, folder, tmp_path):
    with pytest.raises(InputError, match="nosuch is not a probe run"):
        record(tmp_path, loaded, folder, "a", RunOptions(intervene=({**DROP, "edit": "swap", "from": "nosuch"},)))
    with pytest.raises(InputError, match="'when' is no key that is known"):
        record(tmp_path, loaded, folder, "b", RunOptions(intervene=({**DROP, "when": 1},)))
    moved = shutil.copytree(twin.path, tmp_path / "moved")
    info = json.loads((moved / "run.json").read_text())
    swap = {"edit": "swap", "target": "both", "from": str(moved)}

    def refused(name, **video):
        (moved / "run.json").write_text(json.dumps(info | {"video": info["video"] | video}))
        with pytest.raises(InputError, match=name):
            record(tmp_path, loaded, folder, "c", RunOptions(intervene=(swap,)))

    refused("an array that was never saved", path=None)
    refused("There is no video", path=str(tmp_path / "gone"))
    refused("is not the video that", sha256="0" * 64)
    (moved / "run.json").write_text(json.dumps(info | {"model": info["model"] | {"dtype": "bfloat16"}}))
    with pytest.raises(InputError, match="another configuration, flags or number format"):
        record(tmp_path, loaded, folder, "c", RunOptions(intervene=(swap,)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved"]


def test_runs_are_found_beside_the_file(twin, tmp_path):
    (twin.path.parent / "edits.json").write_text(json.dumps([{"edit": "swap", "target": "both", "from": "twin"}]))
    assert read_intervention(twin.path.parent / "edits.json")[0]["from"] == str(twin.path.resolve())


def test_attention_is_recorded(plain, two_objects):
    table = plain.attention()
    assert list(table.columns) == ["object_id", "frame", "layer", "queries", "kind", "entry_frame", "share"]
    assert sorted(table["frame"].unique()) == [1, 2, 3, 4, 5]
    sums = table.groupby(["frame", "layer", "queries"], observed=True)["share"].sum()
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    at_four = plain.attention(4)
    one = at_four[(at_four["layer"] == 1) & (at_four["queries"] == "all")]
    pd.testing.assert_frame_equal(
        one[["kind", "entry_frame"]].astype({"kind": "str"}).reset_index(drop=True),
        plain.bank(4)[["kind", "frame"]].rename(columns={"frame": "entry_frame"}),
    )
    assert set(two_objects.attention(4, 7)["object_id"]) == {7}


def test_no_attention_if_nobody_wants_it(root, loaded, folder):
    run = record(root, loaded, folder, "unseen", RunOptions(end=1, attention="none"))
    assert run.attention().empty


@pytest.mark.slow
def test_blame_is_what_a_run_without_the_entry_gives(plain, root, loaded, folder):
    table = explain_frames(plain, [4], model=loaded)
    assert tuple(table.columns) == BLAME_COLUMNS
    bank = plain.bank(4)
    entries = table[table["entry_frame"].notna()]
    assert entries[["kind", "entry_frame", "role", "age"]].to_numpy().tolist() == (
        bank[["kind", "frame", "role", "age"]].to_numpy().tolist()
    )
    groups = table[table["entry_frame"].isna()]
    assert list(zip(groups["kind"], groups["role"], strict=True)) == [
        ("memory", "all"),
        ("pointer", "all"),
        ("both", "recent"),
        ("both", "conditioning"),
        ("both", "all"),
    ]
    np.testing.assert_allclose(entries["attention"].sum(), 1, atol=1e-4)
    np.testing.assert_allclose(groups["attention"].iloc[-1], 1, atol=1e-4)
    assert table["delta_j"].isna().all()
    for kind, selector, row in (
        ("memory", {"frames": [2]}, entries[(entries["kind"] == "memory") & (entries["entry_frame"] == 2)]),
        ("pointer", "all", groups[groups["kind"] == "pointer"]),
        ("both", {"role": "recent"}, groups[groups["role"] == "recent"]),
    ):
        edit = {"edit": "drop", "target": kind, "entries": selector, "at": [4, 4]}
        without = record(root, loaded, folder, f"without-{kind}", RunOptions(intervene=(edit,), attention="none"))
        a, b = plain.masks_per_object[0, 4], without.masks_per_object[0, 4]
        np.testing.assert_allclose(row["delta_iou"], (a & b).sum() / (a | b).sum() - 1)
        np.testing.assert_allclose(row["delta_score"], without.object_scores[0, 4] - plain.object_scores[0, 4])
        distance = np.linalg.norm(without.object_pointers_raw[0, 4] - plain.object_pointers_raw[0, 4])
        np.testing.assert_allclose(row["delta_pointer"], distance, rtol=1e-5)


def test_blame_computes_no_image_features_again(plain, loaded, monkeypatch):
    encoded = []
    forward = loaded.model.forward_image
    monkeypatch.setattr(loaded.model, "forward_image", lambda image: encoded.append(1) or forward(image))
    explain_frames(plain, [4], model=loaded)
    assert len(encoded) == 5, "frames 0 to 4, once each"


def test_blame_with_truth(plain, loaded):
    truth = square_mask(4)
    table = explain_frames(plain, [4], model=loaded, truth={4: truth}.get)
    assert np.isfinite(table["delta_j"]).all()
    assert (table["delta_j"] != 0).any()


@pytest.fixture(scope="module")
def corrected(root, loaded, folder, one_thread_in_module):
    """Tracked to the end, corrected at frame 2, and tracked again from there to frame 3 only."""
    with Session(FolderSource(folder), model=loaded, out=root / "corrected") as session:
        session.prompt(Prompt.from_mask(0, 1, square_mask(0)))
        list(session.propagate())
        session.prompt(Prompt.from_points(2, 1, [[45, 50]], [1]))
        list(session.propagate(start=2, end=3))
    return open_run(root / "corrected")


@pytest.mark.slow
def test_a_corrected_session_is_explained_as_its_frames_were_tracked(corrected, plain, loaded):
    frames = explainable(corrected, range(T), 1)
    assert frames == [1, 3, 4, 5]
    table = explain_frames(corrected, [5, 4, 3, 1], model=loaded)
    assert table["frame"].unique().tolist() == frames
    # Frames 4 and 5 read what frame 2 was before it was corrected, as in the run without a correction.
    for frame in (1, 4, 5):
        pd.testing.assert_frame_equal(
            table[table["frame"] == frame].reset_index(drop=True), explain_frames(plain, [frame], model=loaded)
        )
    at_three = table[table["frame"] == 3]
    assert at_three.query("role == 'conditioning' and kind == 'memory'")["entry_frame"].tolist() == [0, 2]
    with pytest.raises(InputError, match=r"Frame 2 of .* was prompted for object 1"):
        explain_frames(corrected, [2], model=loaded)


def test_what_cant_be_explained(plain, loaded, two_objects):
    with pytest.raises(InputError, match="Frame 0 read no memory for object 1"):
        explain_frames(plain, [0], model=loaded)
    with pytest.raises(InputError, match="frames are 0 to 5"):
        explain_frames(plain, [9], model=loaded)
    with pytest.raises(InputError, match="Name an object"):
        explain_frames(two_objects, [4], model=loaded)


def test_a_repeat_is_the_frame_itself(loaded, folder):
    with VideoSession(loaded.model, FolderSource(folder), SessionOptions.for_model(loaded)) as session:
        session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
        results = list(session.propagate())
        for t in range(1, T):
            again = session.repeat(t, 1)
            np.testing.assert_array_equal(again.mask, results[t].masks()[0])
            assert again.object_score == float(results[t].object_scores[0])
        with pytest.raises(InputError, match="Frame 0 was prompted"):
            session.repeat(0, 1)
        # A later pass replaced what frame 5 had read.
        list(session.propagate(start=3, end=3))
        with pytest.raises(InputError, match="was replaced since"):
            session.repeat(5, 1)


def test_a_run_of_an_older_version_opens(plain, tmp_path):
    old = shutil.copytree(plain.path, tmp_path / "old")
    for name in ("bank.parquet", "attention.parquet"):
        (old / name).unlink()
    with pytest.raises(InputError, match=r"bank\.parquet is missing"):
        open_run(old)
    info = json.loads((old / "run.json").read_text())
    del info["written"]
    (old / "run.json").write_text(json.dumps(info))
    run = open_run(old)
    assert run.tracked.all()
    with pytest.raises(InputError, match="has no such table"):
        run.bank(3)
    (old / "bank.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="the file is damaged"):
        run.bank(3)
