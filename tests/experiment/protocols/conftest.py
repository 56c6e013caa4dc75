"""A small model with seeded weights, and data sets in which two objects cross."""

from __future__ import annotations

import pytest

from helpers import layout_trees


@pytest.fixture(scope="module", autouse=True)
def one_thread_throughout(one_thread_in_module):
    """The number of threads moves float32 results, also of what several tests share."""


@pytest.fixture(scope="session")
def loaded(seeded):
    """Seeded weights whose object score says that the object is there, so that masks are not empty."""
    return seeded()


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
