"""A tiny experiment with the sample model, made once, and what makes others like it."""

from __future__ import annotations

import pytest

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
    import torch

    from napari_sam2_probe.experiments.config import make_config
    from napari_sam2_probe.experiments.execute import run_experiment

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("experiment") / "tiny"
    results = run_experiment(make_config(**settings), out, command="sam2-probe experiment")
    torch.set_num_threads(before)
    assert results.complete
    return out
