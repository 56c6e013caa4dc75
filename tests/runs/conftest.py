"""A small model with seeded weights, a short video, and a run of two objects that overlap."""

from __future__ import annotations

import pytest

from helpers.one_thread import one_thread_of_torch
from helpers.run_checks import H, T, W
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.folder import FolderSource


@pytest.fixture(scope="session")
def loaded(seeded):
    """Seeded weights whose object score says that the object is there, so that masks are not empty."""
    return seeded()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(T, H, W))


@pytest.fixture
def source(folder):
    return FolderSource(folder)


@pytest.fixture
def mask_prompt():
    return Prompt.from_mask(0, 1, square_mask(0))


@pytest.fixture(scope="session")
def two_prompts():
    """Ids that are neither 1, 2 nor in order, prompted in different ways on different frames."""
    return [Prompt.from_mask(0, 300, square_mask(0)), Prompt.from_points(2, 7, [[45, 50]], [1], [20, 20, 90, 80])]


@pytest.fixture(scope="session")
def two_objects(tmp_path_factory, loaded, folder, two_prompts):
    """A finished run, forward over frames 0 to 4 of 6."""
    out = tmp_path_factory.mktemp("runs") / "two"
    with one_thread_of_torch():
        return record_run(FolderSource(folder), two_prompts, out, loaded, RunOptions(end=4))
