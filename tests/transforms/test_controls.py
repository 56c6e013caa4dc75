"""The kinds that show what a change is compared with, how bases are drawn, and how far obscurations go."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.transforms.catalogue import Catalogue
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.plan import ClipSpec, draw_base, plan_recipe
from napari_sam2_probe.transforms.recipe import Recipe, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS, kept_kind

numbers = st.integers(0, 10_000)
few = settings(max_examples=8, deadline=None)
CHANGED = slice(12, 16)


@pytest.fixture(scope="module")
def planned(catalogue, footage):
    def plan(kind: str, number: int, **order) -> Recipe:
        return plan_recipe(catalogue, footage, ClipSpec(kind, seed=3, **order), number)

    return plan


def frames_of(planned, footage, kind: str, number: int) -> np.ndarray:
    return render_clip(planned(kind, number), footage).frames.copy()


def outside(values: np.ndarray) -> np.ndarray:
    return np.delete(values, np.r_[CHANGED], axis=0)


@few
@given(number=numbers)
def test_the_kept_object_is_the_removed_one_never_removed(planned, footage, number):
    removed, kept = planned("object-removal", number), planned("object-kept", number)
    assert (removed.base, removed.distractors) == (kept.base, kept.distractors)
    before, after = render_clip(removed, footage), None
    frames, masks = before.frames.copy(), before.masks.copy()
    after = render_clip(kept, footage)
    np.testing.assert_array_equal(outside(frames), outside(after.frames))
    np.testing.assert_array_equal(outside(masks), outside(after.masks))
    assert after.object_present.all()
    assert after.masks[CHANGED].any(axis=(1, 2)).all()
    # Where it is removed the background is the base's; where it is kept its pixels are not.
    assert (frames[CHANGED] != after.frames[CHANGED]).any(axis=(1, 2, 3)).all()


@few
@given(number=numbers)
def test_a_flash_changes_as_many_levels_elsewhere(planned, footage, number):
    removed, kept = (frames_of(planned, footage, kind, number) for kind in ("object-removal", "object-kept"))
    clip = render_clip(planned("flash", number), footage)
    lit, masks = clip.frames, clip.masks
    np.testing.assert_array_equal(outside(lit), outside(kept))
    away, here = (np.abs(kept[CHANGED].astype(int) - other[CHANGED]).sum((1, 2, 3)) for other in (removed, lit))
    # The last step of rounding moves many pixels at once.
    np.testing.assert_allclose(here, away, rtol=0.03, atol=400)
    inside = masks[CHANGED] == 1
    np.testing.assert_array_equal(lit[CHANGED][inside], kept[CHANGED][inside])
    assert clip.object_present.all()


@few
@given(number=numbers)
def test_another_object_vanishes_and_the_target_stays(planned, footage, number):
    recipe = planned("other-removed", number)
    assert recipe.distractors == planned("other-kept", number).distractors
    target = render_clip(make_twin_recipe(recipe), footage)
    base_frames, base_masks = target.frames.copy(), target.masks.copy()
    clip = render_clip(recipe, footage)
    frames, masks = clip.frames.copy(), clip.masks.copy()
    np.testing.assert_array_equal(frames[CHANGED], base_frames[CHANGED])
    np.testing.assert_array_equal(masks[CHANGED], base_masks[CHANGED])
    assert (outside(frames) != outside(base_frames)).any(axis=(1, 2, 3)).all()
    assert clip.object_present.all()
    # What is left of the target is where it was.
    assert not (masks & ~base_masks).any()
    kept = render_clip(planned("other-kept", number), footage)
    np.testing.assert_array_equal(outside(kept.frames), outside(frames))
    assert (kept.frames[CHANGED] != frames[CHANGED]).any(axis=(1, 2, 3)).all()


def test_it_is_the_same_object_on_the_same_path_unless_it_would_cover_the_target(planned):
    same = [planned("other-removed", k).distractors == planned("object-removal", k).distractors for k in range(12)]
    assert sum(same) >= 3


@few
@given(number=numbers)
def test_a_scene_cut_shows_the_object_at_another_time(planned, footage, number):
    recipe = planned("scene-cut", number)
    clip = render_clip(recipe, footage)
    start = recipe.distractors[0].start
    assert recipe.distractors[0].sequence == recipe.base.sequence
    np.testing.assert_array_equal(clip.source_frame[CHANGED], start + np.arange(4))
    for t in range(28):
        source = recipe.base.sequence, int(clip.source_frame[t])
        np.testing.assert_array_equal(clip.frames[t], np.asarray(footage.frame(*source)))
        np.testing.assert_array_equal(clip.masks[t], footage.object_mask(*source, recipe.base.object_id))
    assert np.abs(clip.source_frame[CHANGED] - (recipe.base.start + np.arange(12, 16))).min() >= 10
    assert clip.object_present.all()


def test_every_changed_kind_names_what_it_is_compared_with():
    assert {kind: kept_kind(kind) for kind in KINDS if kept_kind(kind)} == {
        "interjection": "clean",
        "object-removal": "object-kept",
        "context-removal": "clean",
        "flash": "object-kept",
        "other-removed": "other-kept",
        "scene-cut": "clean",
    }
    assert kept_kind("a kind that is not installed") == ""


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), lengths=st.sampled_from([(12, 4, 12), (3, 2, 3), (26, 4, 4)]))
def test_bases_go_round_all_sequences_before_one_comes_twice(catalogue, seed, lengths):
    order = ClipSpec("clean", seed, lengths)
    possible = {
        (entry.name, int(start), track.object_id)
        for entry in catalogue.entries
        for track in entry.tracks
        for start in track.base_starts(sum(lengths))
    }
    drawn = [draw_base(catalogue, order, k) for k in range(len(possible))]
    places = [(base.sequence, base.start, base.object_id) for base in drawn]
    assert set(places) == possible
    sequences = len({name for name, _, _ in possible})
    smallest = min(Counter(name for name, _, _ in possible).values())
    counts = Counter(name for name, _, _ in places[: sequences * smallest])
    assert set(counts.values()) == {smallest}
    assert all(len({name for name, _, _ in places[k : k + sequences]}) == sequences for k in (0, sequences)) or (
        smallest < 2
    )


def test_bases_begin_again_when_all_are_drawn(catalogue):
    few_windows = Catalogue(catalogue.entries[:1])
    order = ClipSpec("clean", 0, (28, 4, 2))
    possible = sum(len(track.base_starts(34)) for track in few_windows.entries[0].tracks)
    drawn = [draw_base(few_windows, order, k) for k in range(2 * possible)]
    assert Counter(drawn).most_common()[-1][1] == 2


@pytest.mark.slow
def test_obscurations_hide_all_in_the_stated_share_of_clips(planned, footage):
    def most(number: int, **options) -> float:
        return float(render_clip(planned("obscuration", number, options=options), footage).obscured_fraction.max())

    assert all(most(number, full=100) == 1 for number in range(8))
    share = np.mean([most(number) == 1 for number in range(40)])
    # 25 % of 40, and what happens to be hidden anyway.
    assert 0.1 <= share <= 0.6


def test_clips_that_need_not_hide_all_are_what_they_were(planned):
    recipes = [planned("obscuration", k, options={"full": 0}) for k in range(12)]
    mixed = [planned("obscuration", k) for k in range(12)]
    same = [one.distractors == other.distractors for one, other in zip(recipes, mixed, strict=True)]
    assert 4 <= sum(same) < 12
