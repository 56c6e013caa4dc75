"""What holds for every clip of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.transforms.catalogue import MINIMUM_VISIBLE_SHARE, are_related
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.plan import ClipSpec, plan_recipe
from napari_sam2_probe.transforms.recipe import Recipe, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS

kinds = st.sampled_from(list(KINDS))
numbers = st.integers(0, 10_000)
few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def planned(catalogue, footage):
    def plan(kind: str, number: int, **order) -> Recipe:
        return plan_recipe(catalogue, footage, ClipSpec(kind, seed=3, **order), number)

    return plan


def assert_same_clip(one, other) -> None:
    for name in ("frames", "masks", "object_present", "context_present", "obscured_fraction", "source_frame"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.source_sequence == other.source_sequence


@pytest.mark.slow
@few
@given(kind=kinds, number=numbers)
def test_the_same_recipe_gives_the_same_clip_also_after_json(planned, tiny, footage, kind, number):
    recipe = planned(kind, number)
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    # Fresh footage: the second clip owes nothing to what the first left in memory.
    assert_same_clip(render_clip(recipe, footage), render_clip(again, tiny))


@few
@given(kind=kinds, number=numbers)
def test_masks_and_presence_agree(planned, footage, kind, number):
    clip = render_clip(planned(kind, number), footage)
    assert clip.num_frames == 28
    assert set(np.unique(clip.masks)) <= {0, 1}
    assert not clip.masks[~clip.object_present].any()
    np.testing.assert_array_equal(np.isnan(clip.obscured_fraction), ~clip.object_present)
    absent = np.flatnonzero(~clip.object_present).tolist()
    assert absent == ([12, 13, 14, 15] if KINDS[kind].object_present != "always" else [])
    without_context = np.flatnonzero(~clip.context_present).tolist()
    assert without_context == ([12, 13, 14, 15] if kind in ("interjection", "context-removal") else [])
    assert clip.masks[0].mean() >= MINIMUM_VISIBLE_SHARE


@few
@given(kind=st.sampled_from(["obscuration", "three-object"]), number=numbers)
def test_obscured_fraction_is_what_the_pixels_say(planned, footage, kind, number):
    recipe = planned(kind, number)
    clip, twin = render_clip(recipe, footage), render_clip(make_twin_recipe(recipe), footage)
    original, visible = twin.masks == 1, clip.masks == 1
    assert not (visible & ~original).any(), "an overlay never adds to the object"
    hidden = (original & ~visible).sum((1, 2)) / original.sum((1, 2))
    np.testing.assert_allclose(clip.obscured_fraction, hidden, atol=1e-12)
    # Where nothing of the cut-out is near, nothing has changed; where it hides the object, the pixels have.
    changed = (clip.frames != twin.frames).any(-1)
    lost = original & ~visible
    assert changed[lost].mean() > 0.9 if lost.any() else True
    np.testing.assert_array_equal(clip.source_frame, twin.source_frame)


@few
@given(number=numbers)
def test_an_obscuration_varies_from_nothing_to_much(planned, footage, number):
    obscured = render_clip(planned("obscuration", number), footage).obscured_fraction
    assert obscured.max() > 0.3
    assert obscured.min() == 0
    assert 0 in (obscured[0], obscured[-1])


@few
@given(kind=kinds, number=numbers)
def test_foreign_footage_is_unrelated(planned, kind, number):
    recipe = planned(kind, number)
    assert len(recipe.distractors) == {"clean": 0, "context-removal": 0, "three-object": 3}.get(kind, 1)
    for distractor in recipe.distractors if kind != "scene-cut" else ():
        assert not are_related(distractor.sequence, recipe.base.sequence)


@few
@given(number=numbers)
def test_every_kind_has_the_same_base(planned, number):
    assert len({planned(kind, number).base for kind in KINDS}) == 1


@few
@given(number=numbers, kind=st.sampled_from(["interjection", "context-removal"]))
def test_prefix_and_suffix_are_untouched(planned, footage, kind, number):
    recipe = planned(kind, number)
    clip, twin = render_clip(recipe, footage), render_clip(make_twin_recipe(recipe), footage)
    shift = 4 if kind == "interjection" else 0
    for t in [*range(12), *range(16, 28)]:
        match = t if t < 12 else t - shift
        np.testing.assert_array_equal(clip.frames[t], twin.frames[match])
        np.testing.assert_array_equal(clip.masks[t], twin.masks[match])
        assert clip.source_frame[t] == twin.source_frame[match]
        assert clip.source_sequence[t] == twin.source_sequence[match]


def test_interjection_shows_the_other_sequence(planned, footage):
    recipe = next(r for r in (planned("interjection", k) for k in range(50)) if r.distractors[0].sequence == "train")
    foreign = recipe.distractors[0]
    clip = render_clip(recipe, footage)
    for t in range(12, 16):
        assert clip.source_sequence[t] == "train"
        assert clip.source_frame[t] == foreign.start + t - 12
        if footage.frame("train", 0).size == clip.draw_frame(t).size:
            np.testing.assert_array_equal(clip.frames[t], np.asarray(footage.frame("train", foreign.start + t - 12)))


@few
@given(number=numbers)
def test_object_removal_pastes_in_prefix_and_suffix_only(planned, footage, number):
    recipe = planned("object-removal", number)
    clip, twin = render_clip(recipe, footage), render_clip(make_twin_recipe(recipe), footage)
    changed = (clip.frames != twin.frames).any(-1)
    assert not changed[12:16].any()
    for t in [*range(12), *range(16, 28)]:
        assert changed[t][clip.masks[t] == 1].mean() > 0.9
        # The soft edge reaches a few pixels beyond the mask; the rest of the background is the base's.
        rows, columns = np.nonzero(changed[t])
        inside_rows, inside_columns = np.nonzero(clip.masks[t])
        assert rows.min() >= inside_rows.min() - 4
        assert rows.max() <= inside_rows.max() + 4
        assert columns.min() >= inside_columns.min() - 4
        assert columns.max() <= inside_columns.max() + 4


def test_with_no_interjection_the_pasted_object_is_never_removed(planned, footage):
    recipe = planned("object-removal", 5)
    removed, kept = render_clip(recipe, footage), render_clip(replace(recipe, lengths=(28, 0, 0)), footage)
    assert kept.object_present.all()
    np.testing.assert_array_equal(kept.frames[:12], removed.frames[:12])
    assert planned("object-removal", 5, lengths=(28, 0, 0)).distractors == recipe.distractors


@pytest.mark.parametrize("fill", ["black", "mean", "blur", "sequence"])
def test_context_removal_keeps_the_object_and_nothing_else(planned, footage, fill):
    recipe = planned("context-removal", 2, options={"fill": fill})
    clip, twin = render_clip(recipe, footage), render_clip(make_twin_recipe(recipe), footage)
    for t in range(12, 16):
        inside = clip.masks[t] == 1
        np.testing.assert_array_equal(clip.frames[t][inside], twin.frames[t][inside])
        context = clip.frames[t][~inside].astype(int)
        assert np.abs(context - twin.frames[t][~inside]).mean() > 20
        match fill:
            case "black":
                assert not context.any()
            case "mean":
                assert len(np.unique(context, axis=0)) == 1
            case "blur":
                assert context.std() < 0.6 * twin.frames[t][~inside].std()
    np.testing.assert_array_equal(clip.masks, twin.masks)


def test_copies_are_of_the_object_itself(planned, footage):
    recipe = planned("three-object", 1, options={"similarity": "copies"})
    assert {(d.sequence, d.object_id) for d in recipe.distractors} == {(recipe.base.sequence, recipe.base.object_id)}
    assert render_clip(recipe, footage).obscured_fraction.max() > 0


def test_matched_colours_are_nearer_to_the_object(planned, footage):
    recipe = planned("three-object", 4)
    matched = render_clip(recipe, footage)
    plain = render_clip(replace(recipe, options={"similarity": "any"}), footage)
    np.testing.assert_array_equal(matched.masks, plain.masks)
    base = render_clip(make_twin_recipe(recipe), footage)
    target = base.frames[0][base.masks[0] == 1].mean(0)
    drawn = (plain.frames != base.frames).any(-1) & (matched.frames != base.frames).any(-1)
    distances = [np.linalg.norm(clip.frames[drawn].mean(0) - target) for clip in (matched, plain)]
    assert distances[0] < distances[1]


def test_options_do_not_change_the_base(planned):
    assert planned("context-removal", 7, options={"fill": "sequence"}).base == planned("clean", 7).base
