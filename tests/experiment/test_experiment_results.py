"""Reading experiments: whole, half done, of another system, and folders that are none."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.results import find_experiments, open_experiment
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, write_table

KINDS = ("clean", "interjection")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "whole"
    return write_synthetic_experiment(out, kinds=KINDS, samples=3, with_clips=True)


def test_a_whole_experiment(whole):
    results = open_experiment(whole)
    assert (results.complete, results.done, results.total) == (True, 4, 4)
    assert (results.kinds, results.lengths, results.label) == (KINDS, (12, 4, 12), "synthetic")
    assert list(results.frames) == list(FRAME_COLUMNS)
    assert list(results.features) == list(FEATURE_COLUMNS)
    assert len(results.frames) == 2 * 3 * 28
    assert len(results.features) == 2 * 3 * 28 * 7
    assert results.frames.object_present.dtype.kind == "b"
    assert results.frames.groupby("kind", sort=False)["clip"].unique().map(list).to_dict() == {
        kind: results.clips(kind) for kind in KINDS
    }
    interjected = results.frames[results.frames.kind == "interjection"]
    assert set(interjected.twin) == set(results.clips("clean"))
    clip = results.clips("interjection")[1]
    sequence = results.sequence("interjection", clip)
    assert results.masks("interjection", clip).shape == (28, sequence.frames.height, sequence.frames.width)
    assert results.masks("interjection", clip).dtype == bool
    gated, raw = (results.pointers("interjection", clip, raw=raw) for raw in (False, True))
    assert gated.shape == raw.shape
    assert not np.array_equal(gated, raw)


def test_a_half_done_experiment_gives_what_is_there(tmp_path):
    out = write_synthetic_experiment(
        tmp_path / "half", kinds=KINDS, samples=3, skip_batches=("clean-0001", "interjection-0000")
    )
    results = open_experiment(out)
    assert (results.complete, results.done, results.total) == (False, 2, 4)
    assert results.clips("clean") == ["clean-00000", "clean-00001"]
    assert results.clips("interjection") == ["interjection-00002"]
    assert (
        set(results.frames["clip"])
        == set(results.features["clip"])
        == {"clean-00000", "clean-00001", "interjection-00002"}
    )
    with pytest.raises(InputError, match="no masks of clean clip clean-00002"):
        results.masks("clean", "clean-00002")
    with pytest.raises(InputError, match="keeps no maps"):
        results.maps("clean", "clean-00000", "image_embedding", "mean")


def test_an_experiment_of_which_nothing_is_done(tmp_path):
    names = tuple(f"{kind}-000{n}" for kind in KINDS for n in range(2))
    out = write_synthetic_experiment(tmp_path / "begun", kinds=KINDS, samples=3, skip_batches=names)
    results = open_experiment(out)
    assert results.done == 0
    assert list(results.frames) == list(FRAME_COLUMNS)
    assert len(results.frames) == len(results.features) == 0
    (out / "plan.json").unlink()
    (out / "provenance.json").unlink()
    results = open_experiment(out)
    assert (results.total, results.provenance, results.label) == (0, {}, "begun")


def test_masks_of_another_system(tmp_path):
    out = write_synthetic_experiment(tmp_path / "masks", kinds=KINDS, samples=1, predictions="XMem")
    results = open_experiment(out)
    assert (results.label, results.has_model, results.complete) == ("XMem", False, True)
    assert results.frames.object_score.isna().all()
    assert len(results.features) == 0
    with pytest.raises(InputError, match="no object pointers"):
        results.pointers("clean", "clean-00000")


def test_experiments_are_found(whole):
    assert find_experiments(whole) == find_experiments(whole.parent) == [whole]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("experiment.toml", None, "is not an experiment: give a folder that holds experiment.toml"),
        ("experiment.toml", "kinds = [", "not valid TOML"),
        ("experiment.toml", 'davis = "x"\nsample = 3', "there is no setting sample; the settings are: davis, split"),
        ("plan.json", "{}", "the plan of the experiment is damaged"),
        ("provenance.json", "[]", "provenance.json: the file is damaged"),
    ],
)
def test_what_is_no_experiment(tmp_path, file, content, said):
    out = write_synthetic_experiment(tmp_path / "broken", kinds=("clean",), samples=1)
    if content is None:
        (out / file).unlink()
    else:
        (out / file).write_text(content)
    with pytest.raises(InputError, match=said):
        open_experiment(out)


def test_a_damaged_table(tmp_path):
    out = write_synthetic_experiment(tmp_path / "broken", kinds=("clean",), samples=1)
    (out / "frames.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match=r"frames\.parquet: the table is damaged"):
        _ = open_experiment(out).frames


def _table(path, change):
    table = pd.read_parquet(path)
    write_table(path, FRAME_COLUMNS if path.stem.endswith("frames") else FEATURE_COLUMNS, change(table))


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("frames.parquet", lambda t: t.iloc[:-1], r"it has \d+ rows where 2 clips have"),
        ("frames.parquet", lambda t: t.iloc[::-1], r"its clips are not those of the plan|frames are missing"),
        ("frames.parquet", lambda t: t.assign(frame=t["frame"].where(t["frame"] != 5, 6)), "frames are missing"),
        ("frames.parquet", lambda t: t.assign(clip="clean-00007"), "not those of the plan"),
        ("frames.parquet", lambda t: t.assign(region=t["region"] * 2), "the column region holds"),
        ("frames.parquet", lambda t: t.assign(boundary=-0.1), "the column boundary holds -0.1"),
        ("frames.parquet", lambda t: t.assign(stage="later"), "the column stage"),
        ("frames.parquet", lambda t: t.assign(area=-1), "an area is negative"),
        ("features.parquet", lambda t: t.iloc[:-3], r"it has \d+ rows for 2 clips"),
        ("features.parquet", lambda t: t.assign(frame=t["frame"] + 100), "frames that clips don't have"),
        ("features.parquet", lambda t: t.assign(short_term_l2=-1.0), "holds negative numbers"),
    ],
)
def test_tables_that_were_cut_or_changed_are_found_at_opening(tmp_path, file, change, said):
    out = write_synthetic_experiment(tmp_path / "whole", kinds=("clean", "interjection"), samples=1)
    open_experiment(out)
    _table(out / file, change)
    with pytest.raises(InputError, match=rf"{file}: the table is damaged \(.*({said})"):
        _ = open_experiment(out).features


@pytest.mark.parametrize("change", [("samples = 1", "samples = 2"), ('"clean"', '"frame-drop"'), ("batch", "batch")])
def test_a_plan_that_is_not_that_of_the_settings(tmp_path, change):
    out = write_synthetic_experiment(tmp_path / "whole", kinds=("clean", "interjection"), samples=1)
    if change[0] == "batch":
        plan = json.loads((out / "plan.json").read_text())
        plan["batches"].pop()
        (out / "plan.json").write_text(json.dumps(plan))
    else:
        text = (out / "experiment.toml").read_text()
        (out / "experiment.toml").write_text(text.replace(*change))
    with pytest.raises(InputError, match=r"plan\.json|experiment\.toml"):
        open_experiment(out)


def test_a_clip_whose_arrays_have_gone_is_not_one_without_masks(tmp_path):
    out = write_synthetic_experiment(tmp_path / "whole", kinds=("clean",), samples=1)
    [clip] = open_experiment(out).clips("clean")
    before = open_experiment(out).pointers("clean", clip)
    assert np.isfinite(before).any()
    chunk = next(
        path for path in (out / "results.zarr/clean" / clip / "object_pointers/c").rglob("*") if path.is_file()
    )
    content = chunk.read_bytes()
    chunk.unlink()
    with pytest.raises(InputError, match=r"a part of object_pointers is missing or damaged \(chunk \(0, 0\)"):
        open_experiment(out).pointers("clean", clip)
    for damaged in (content[: len(content) // 2], content[:20] + bytes([content[20] ^ 1]) + content[21:]):
        chunk.write_bytes(damaged)
        with pytest.raises(InputError, match="a part of object_pointers is missing or damaged"):
            open_experiment(out).pointers("clean", clip)
    with pytest.raises(InputError, match="has no nonsense of clean clip"):
        open_experiment(out).array("clean", clip, "nonsense")
