"""What is kept in memory while clips are made: bounded, and without any effect on what is made."""

from __future__ import annotations

import io
import operator
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_dataset import hashes

from helpers import layout_trees
from napari_sam2_probe.transforms import dataset as dataset_module
from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.dataset import make_dataset, measure, memory_for_objects
from napari_sam2_probe.transforms.encoding import Encoder
from napari_sam2_probe.transforms.fit import cover
from napari_sam2_probe.transforms.footage import DEFAULT_OBJECT_BYTES, Footage
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.plan import ClipSpec, plan_recipe
from napari_sam2_probe.transforms.recent import Recent
from napari_sam2_probe.transforms.recipe import CorruptionSpec
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.transforms.workers import map_unordered
from napari_sam2_probe.video.davis import DavisDataset


@settings(max_examples=50, deadline=None)
@given(limit=st.integers(0, 40), asked=st.lists(st.integers(0, 9), max_size=60))
def test_memory_is_never_above_the_limit_and_things_are_always_right(limit, asked):
    recent: Recent[np.ndarray] = Recent(limit)
    for key in asked:
        thing = recent.get(key, lambda key=key: np.full(3 * key, key, np.uint8))
        assert thing.tolist() == [key] * (3 * key)
    kept = [thing for key in set(asked) if (thing := recent.find(key)) is not None]
    assert sum(thing.nbytes for thing in kept) <= limit


def test_images_count_as_pillow_keeps_them():
    recent: Recent[Image.Image] = Recent(2 * 4 * 30)
    images = [recent.get(key, lambda: Image.new("RGB", (5, 6))) for key in "abc"]
    assert [recent.find(key) for key in "abc"] == [None, *images[1:]]


def test_what_was_used_last_stays():
    made = []

    def make(key):
        made.append(key)
        return np.zeros(10, np.uint8)

    recent: Recent[np.ndarray] = Recent(20)
    for key in ("a", "b", "a", "c", "a", "b"):
        recent.get(key, lambda key=key: make(key))
    assert made == ["a", "b", "c", "b"]
    assert recent.find("c") is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_the_same_with_nothing_kept_and_memory_of_its_own_for_every_clip(
    kind, tiny, catalogue, tmp_path, monkeypatch
):
    order = ClipSpec(kind, seed=5)
    make_dataset(tiny, tmp_path / "kept", order, 3, workers=1, catalogue=catalogue)
    monkeypatch.setattr(dataset_module, "Footage", lambda dataset, *_, **__: Footage(dataset, None, 0, 0))
    monkeypatch.setattr(dataset_module, "Encoder", lambda lossless: Encoder(lossless, 0))
    make_dataset(tiny, tmp_path / "fresh", order, 3, workers=1, catalogue=catalogue)
    assert hashes(tmp_path / "kept") == hashes(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("free", "workers", "each"),
    [(2**30, 2, DEFAULT_OBJECT_BYTES), (8 * 2**30, 2, 2**30), (8 * 2**30, 4, 2**29), (2**40, 1, 2 * 2**30)],
)
def test_memory_for_objects_is_a_share_of_what_is_free(monkeypatch, free, workers, each):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free))
    assert memory_for_objects(workers) == each


def test_masks_are_the_same_from_the_catalogue_and_from_files(tiny, catalogue):
    measured, read = Footage(tiny, catalogue), Footage(tiny)
    for track in (track for entry in catalogue.entries for track in entry.tracks):
        for t in (0, 7, 33):
            what = track.sequence, t, track.object_id
            mask = measured.object_mask(*what)
            np.testing.assert_array_equal(mask, tiny.sequence(track.sequence).mask(t) == track.object_id)
            np.testing.assert_array_equal(mask, read.object_mask(*what))


def test_an_object_that_is_absent_has_no_pixels(tmp_path):
    root = layout_trees.lvos(tmp_path / "data")
    dataset = DavisDataset(root, "valid")
    catalogue = measure(dataset)
    absent = [
        (track, t) for entry in catalogue.entries for track in entry.tracks for t in np.flatnonzero(track.areas == 0)
    ]
    for footage in (Footage(dataset, catalogue), Footage(dataset)):
        for track, t in absent:
            assert not footage.object_mask(track.sequence, int(t), track.object_id).any()
    assert absent


def test_processes_take_on_neighbours_and_leave_nothing_out():
    made = list(map_unordered(partial, (operator.mul, 3), range(50), 2, most_together=6))
    assert sorted(made) == [(item, 3 * item) for item in range(50)]
    # 50 items are 6 at a time at most: neighbours come together.
    assert sum(after[0] == before[0] + 1 for before, after in pairwise(made)) >= 50 - 1 - 9


@pytest.mark.parametrize("kind", KINDS)
def test_intact_frames_and_masks_are_those_of_the_source(kind, footage, catalogue):
    for number in range(3):
        recipe = plan_recipe(catalogue, footage, ClipSpec(kind, seed=2), number)
        clip = render_clip(recipe, footage)
        shape = clip.masks.shape[1:]
        differing = 0
        for t in range(clip.num_frames):
            source = clip.source_sequence[t], int(clip.source_frame[t])
            same = np.array_equal(clip.frames[t], np.asarray(cover(footage.frame(*source), shape)))
            assert same or not clip.intact_frames[t]
            differing += not same
            if clip.intact_masks[t]:
                np.testing.assert_array_equal(clip.masks[t], footage.object_mask(*source, recipe.base.object_id))
        assert clip.intact_frames.sum() == clip.num_frames - differing
        # Something is left to be encoded once only, but where something pasted may be there all the time.
        pasted = ("obscuration", "three-object", "object-kept", "other-kept", "flash")
        assert clip.intact_frames.any() or kind in pasted


def test_files_of_another_size_are_other_files(footage, catalogue):
    """Where a foreign frame is fitted into clips of different sizes, and where masks are empty."""
    recipe = plan_recipe(catalogue, footage, ClipSpec("clean"), 0)
    encoder = Encoder()
    for size in ((12, 8), (20, 14)):
        clip = Clip(
            draw_frame=lambda t, size=size: Image.new("RGB", size),
            masks=np.zeros((1, size[1], size[0]), np.uint8),
            object_present=np.zeros(1, np.bool_),
            context_present=np.zeros(1, np.bool_),
            obscured_fraction=np.full(1, np.nan),
            source_sequence=("train",),
            source_frame=np.array([3]),
            intact_frames=np.ones(1, np.bool_),
            intact_masks=np.zeros(1, np.bool_),
        )
        for file in (encoder.frame(clip, 0), encoder.mask(clip, 0, recipe)):
            with Image.open(io.BytesIO(file)) as image:
                assert image.size == size


def test_after_an_extra_nothing_is_known_to_be_intact(footage, catalogue):
    order = ClipSpec("clean", then=(CorruptionSpec("temporal-reversal", {}),))
    clip = render_clip(plan_recipe(catalogue, footage, order, 0), footage)
    assert clip.intact_frames is None
    assert clip.intact_masks is None
