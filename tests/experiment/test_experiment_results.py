"""Reading experiments: whole, half done, of another system, and folders that are none."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.synthetic_experiment import write_synthetic_experiment
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.results import find_experiments, open_experiment
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS

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
