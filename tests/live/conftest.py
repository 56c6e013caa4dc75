"""The sample model, a short video, and a live run that steps are played to."""

from __future__ import annotations

import pytest
from live_runs import Player

from helpers.scenarios import moving_video
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.live.model_cache import ModelCache
from napari_sam2_probe.video import ArraySource


@pytest.fixture(scope="session")
def model_cache():
    cache = ModelCache()
    yield cache
    cache.clear()


@pytest.fixture
def loaded(model_cache, one_thread):
    return model_cache.load(ModelChoice("sample", device="cpu"))


@pytest.fixture(scope="session")
def moving():
    return ArraySource(moving_video(6, 60, 100), name="moving")


@pytest.fixture
def player(moving, model_cache, loaded, tmp_path):
    player = Player(moving, model_cache, tmp_path / "runs")
    yield player
    player.live.close()
