"""Extras on top of any clip."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.make import render_clip
from napari_sam2_probe.transforms.plan import ClipSpec, plan_recipe
from napari_sam2_probe.transforms.recipe import Recipe
from napari_sam2_probe.transforms.registry import CORRUPTIONS, parse_corruption

KEEP_MASKS = ["gaussian-noise", "motion-blur", "low-light", "jpeg-compression"]


@pytest.fixture(scope="module")
def made(catalogue, footage):
    def make(*corruptions: str, kind: str = "interjection"):
        order = ClipSpec(kind, then=tuple(parse_corruption(text) for text in corruptions))
        return render_clip(plan_recipe(catalogue, footage, order, 2), footage)

    return make


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_extra_changes_the_clip_and_is_repeatable(made, name):
    clip, plain = made(name), made()
    assert clip.frames.shape[1:] == plain.frames.shape[1:]
    assert clip.frames.dtype == clip.masks.dtype == np.uint8
    assert clip.frames.shape != plain.frames.shape or (clip.frames != plain.frames).any()
    np.testing.assert_array_equal(clip.frames, made(name).frames)
    assert not clip.masks[~clip.object_present].any()


@pytest.mark.parametrize("name", KEEP_MASKS)
def test_extras_that_move_nothing_keep_masks(made, name):
    np.testing.assert_array_equal(made(name).masks, made().masks)


def test_noise_has_the_asked_strength(made):
    difference = made("gaussian-noise:sigma=5").frames.astype(int) - made().frames
    inner = (made().frames > 40) & (made().frames < 215)
    assert difference[inner].std() == pytest.approx(5, rel=0.02)


def test_low_light_is_darker(made):
    assert made("low-light").frames.mean() < 0.5 * made().frames.mean()


def test_motion_blur_keeps_brightness_and_loses_detail(made):
    clip, plain = made("motion-blur"), made()
    assert clip.frames.mean() == pytest.approx(plain.frames.mean(), rel=0.02)
    assert (
        np.abs(np.diff(clip.frames.astype(int), axis=2)).mean()
        < np.abs(np.diff(plain.frames.astype(int), axis=2)).mean()
    )


def test_reversal_twice_is_nothing(made):
    np.testing.assert_array_equal(made("temporal-reversal", "temporal-reversal").frames, made().frames)
    clip, plain = made("temporal-reversal"), made()
    np.testing.assert_array_equal(clip.source_frame, plain.source_frame[::-1])
    np.testing.assert_array_equal(clip.masks, plain.masks[::-1])


def test_dropped_frames_keep_what_is_known_of_the_others(made):
    clip, plain = made("frame-drop:rate=0.5"), made()
    assert clip.num_frames < plain.num_frames
    keys = list(zip(plain.source_sequence, plain.source_frame.tolist(), strict=True))
    kept = [keys.index(key) for key in zip(clip.source_sequence, clip.source_frame.tolist(), strict=True)]
    assert kept[0] == 0
    assert kept == sorted(set(kept))
    np.testing.assert_array_equal(clip.frames, plain.frames[kept])
    np.testing.assert_array_equal(clip.object_present, plain.object_present[kept])


def test_mosaic_means_the_object_of_one_tile(made):
    clip, plain = made("mosaic"), made()
    height, width = clip.masks.shape[1:]
    quarters = [
        clip.masks[:, i : i + height // 2, j : j + width // 2] for i in (0, height // 2) for j in (0, width // 2)
    ]
    areas = [int(quarter.sum()) for quarter in quarters]
    assert sum(area > 0 for area in areas) == 1
    assert max(areas) == pytest.approx(plain.masks.sum() / 4, rel=0.05)
    np.testing.assert_array_equal(clip.frames[:, : height // 2], clip.frames[:, height // 2 :])


def test_camera_shake_moves_masks_with_pixels(made):
    """A clip whose pixels are its mask shows whether both take the same way."""
    from napari_sam2_probe.transforms.corruptions.camera_shake import CameraShake, CameraShakeOptions

    plain = made(kind="clean")
    drawn = plain.with_frames(np.repeat(plain.masks[..., None] * np.uint8(255), 3, axis=-1))
    shaken = CameraShake().apply(drawn, CameraShakeOptions(0.1), np.random.default_rng(0))
    assert (shaken.masks != plain.masks).any()
    agree = (shaken.frames[..., 0] >= 128) == (shaken.masks == 1)
    assert agree.mean() > 0.99


def test_the_same_extras_on_clip_and_twin_draw_the_same_noise(catalogue, footage):
    order = ClipSpec("context-removal", then=(parse_corruption("gaussian-noise"),))
    recipe = plan_recipe(catalogue, footage, order, 1)
    from napari_sam2_probe.transforms.recipe import make_twin_recipe

    clip, twin = render_clip(recipe, footage), render_clip(make_twin_recipe(recipe), footage)
    np.testing.assert_array_equal(clip.frames[:12], twin.frames[:12])


def test_a_recipe_with_extras_goes_through_json(catalogue, footage):
    order = ClipSpec("clean", then=(parse_corruption("low-light:light=0.3"), parse_corruption("mosaic")))
    recipe = plan_recipe(catalogue, footage, order, 0)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert dict(recipe.then[0].options) == {"light": 0.3, "photons": 2000.0}


@pytest.mark.parametrize(
    "text",
    ["sepia", "mosaic:size=3", "gaussian-noise:sigma=loud", "gaussian-noise:sigma", "jpeg-compression:quality=0"],
)
def test_an_extra_that_does_not_exist_is_one_sentence(text):
    with pytest.raises(InputError) as caught:
        parse_corruption(text)
    assert "\n" not in str(caught.value)
