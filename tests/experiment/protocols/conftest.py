"""A small model with seeded weights, and data sets in which two objects cross."""

from __future__ import annotations

import pytest
import torch

from helpers import layout_trees
from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags


@pytest.fixture(scope="module", autouse=True)
def one_thread_throughout():
    """The number of threads moves float32 results, also of what several tests share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def loaded(twins):
    """Seeded weights whose object score says that the object is there, so that masks are not empty."""
    _, model, _ = twins("open")
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    return Model(model, checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())


@pytest.fixture(scope="session")
def davis(tmp_path_factory):
    """Two sequences of 6 frames, two objects each, all annotated."""
    return layout_trees.davis(tmp_path_factory.mktemp("data") / "davis", num_frames=6)


@pytest.fixture(scope="session")
def lvos(tmp_path_factory):
    """8 frames; the second object appears on the third."""
    return layout_trees.lvos(tmp_path_factory.mktemp("data") / "lvos")


@pytest.fixture(scope="session")
def sav(tmp_path_factory):
    """17 frames, every 4th annotated, objects that overlap."""
    return layout_trees.sav(tmp_path_factory.mktemp("data") / "sav")
