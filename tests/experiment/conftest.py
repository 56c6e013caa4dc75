"""A tiny experiment with the sample model, made once, and what makes others like it."""

from __future__ import annotations

import pytest

from helpers.one_thread import one_thread_of_torch
from helpers.small_experiments import SETTINGS, small_davis


@pytest.fixture(scope="session")
def small_root(tmp_path_factory):
    """Three of the sample videos in DAVIS layout."""
    return small_davis(tmp_path_factory.mktemp("davis"))


@pytest.fixture(scope="session")
def settings(small_root):
    """Settings of an experiment of two kinds with two clips of eight frames."""
    return {"davis": str(small_root), **SETTINGS}


@pytest.fixture(scope="session")
def tiny_experiment(settings, tmp_path_factory):
    """The folder of that experiment, done at one go on one thread."""
    from napari_sam2_probe.experiments.config import make_config
    from napari_sam2_probe.experiments.execute import run_experiment

    out = tmp_path_factory.mktemp("experiment") / "tiny"
    with one_thread_of_torch():
        results = run_experiment(make_config(**settings), out, command="sam2-probe experiment")
    assert results.complete
    return out
