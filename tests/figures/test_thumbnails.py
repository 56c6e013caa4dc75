"""Thumbnails show the mask that was stored, where it is, and heat where it is high."""

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.figures.thumbnails import BLANK, shrink_mask, thumbnail, thumbnail_size, with_heat


@pytest.fixture
def frame():
    return np.random.default_rng(0).integers(0, 255, (48, 80, 3), np.uint8)


def test_it_fits_its_box_in_the_videos_proportions():
    assert thumbnail_size((480, 854), (60, 100)) == (56, 100)
    assert thumbnail_size((854, 480), (60, 100)) == (60, 34)
    assert thumbnail_size((1, 5000), (60, 100)) == (1, 100)


def test_the_mask_is_that_of_the_nearest_pixels_and_the_rest_is_the_frame(frame):
    mask = np.zeros((48, 80), bool)
    mask[10:30, 20:50] = True
    picture = thumbnail(frame, mask, "#ED6D15", (24, 40))
    nearest = np.asarray(Image.fromarray(mask).resize((40, 24), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(shrink_mask(mask, (24, 40)), nearest)
    small = np.asarray(Image.fromarray(frame).resize((40, 24), Image.Resampling.BOX))
    np.testing.assert_array_equal(picture[~nearest], small[~nearest])
    expected = (small[nearest].astype(float) + np.array([0xED, 0x6D, 0x15])) / 2
    np.testing.assert_allclose(picture[nearest], expected, atol=1)


def test_without_the_video_the_mask_lies_on_grey():
    picture = thumbnail(None, np.zeros((48, 80), bool), "#ED6D15", (24, 40))
    assert (picture == BLANK).all()


def test_heat_is_bright_where_it_is_high_and_leaves_the_picture_grey_where_there_is_none(frame):
    heat = np.zeros((4, 4), np.float32)
    heat[3, 0] = 0.2
    hot = with_heat(frame, heat, 0.2).astype(int)
    assert hot[44:, :4].sum(axis=-1).min() > hot[:12, 60:].sum(axis=-1).max()
    cold = with_heat(frame, np.zeros((4, 4), np.float32), 0.2).astype(int)
    assert (cold == cold[..., :1]).all()
