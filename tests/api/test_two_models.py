"""Two models on one video: what can be compared, and what can't."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import napari_sam2_probe as sp
from helpers.scenarios import moving_video
from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags

pytestmark = [
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread_in_module"),
]

NUM_FRAMES = 8


@pytest.fixture(scope="module")
def frames():
    return moving_video(NUM_FRAMES)


@pytest.fixture(scope="module")
def models(twins):
    import torch

    _, seeded, _ = twins("open")
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    other = Model(seeded, checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())
    return sp.load_model("sample", device="cpu"), other


@pytest.fixture(scope="module")
def runs(models, frames):
    return [sp.track(frames, sp.points((60, 50)), model=model) for model in models]


def test_features_are_in_units_of_their_own_median(runs):
    table = sp.compare(*runs).features
    assert set(table["position"]) == {"1", "2", "3", "4", "4r", "5", "5r"}
    for run, column in zip(runs, ("value", "twin_value"), strict=True):
        own = run.features.query("position == '2'").set_index("frame")["short_term_l2"]
        # All but the prompted frame hold the object, by SAM 2's own score.
        present = run.object_present.sel(object=1).values
        expected = own / own[1:][present[1:]].median()
        found = table.query("position == '2' and feature == 'short_term_l2'").set_index("frame")[column]
        pd.testing.assert_series_equal(found, expected[found.index], check_names=False)


def test_a_model_is_like_itself_and_less_like_another(runs, models):
    itself = sp.compare(runs[0], runs[0]).cka(models[0], models[0])
    assert list(itself.columns) == ["position", "frame", "twin_frame", "cka", "control"]
    assert len(itself) == 3 * NUM_FRAMES
    np.testing.assert_allclose(itself["cka"], 1)
    assert (itself["control"] < 0.999).all()
    other = sp.compare(*runs).cka(*models)
    assert (other["cka"] < 0.999).all()
    assert other["cka"].notna().all()
    assert set(other["position"]) == {"1", "2", "3"}


def test_models_of_other_kinds_are_not_subtracted(runs):
    one, other = runs
    comparison = sp.compare(one, other)
    assert comparison.is_of_one_model == (one.info["model"]["image_size"] == other.info["model"]["image_size"])
    other.info["model"]["architecture"] = "EdgeTamVideoModel"
    try:
        comparison = sp.compare(one, other)
        with pytest.raises(sp.InputError, match=r"are of two models \(sample; seeded, EdgeTamVideoModel\)"):
            _ = comparison.distances
        with pytest.raises(sp.InputError, match="are of two models"):
            _ = comparison.correlation
        assert comparison.iou.between(0, 1).all()
        assert isinstance(comparison.plot(), Figure)
    finally:
        del other.info["model"]["architecture"]
