from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.filmstrip import FilmFrame, draw_film_frame, make_filmstrip
from napari_sam2_probe.figures.style import object_colour


@pytest.fixture
def film_frame(rng):
    frame = rng.integers(0, 256, (48, 85, 3), dtype=np.uint8)
    one, two = np.zeros((2, 48, 85), dtype=bool)
    one[5:20, 5:30] = True
    two[20:40, 40:80] = True
    return FilmFrame(7, frame, {1: one, 2: two}, {1: one}, {1: 4.25, 2: -3.0}, "interjected")


def test_a_frame_shows_image_fills_outline_and_scores(film_frame):
    axes = Figure().subplots()
    draw_film_frame(axes, film_frame)
    image, *fills = axes.images
    np.testing.assert_array_equal(image.get_array(), film_frame.frame)
    for fill, (object_id, mask) in zip(fills, film_frame.predicted.items(), strict=True):
        np.testing.assert_array_equal(np.asarray(fill.get_array())[..., 3] > 0, mask)
        assert to_hex(np.asarray(fill.get_array())[mask][0]).upper() == object_colour(object_id)
    assert len(axes.patches) == 1
    assert [text.get_text() for text in axes.texts] == ["+4.2", "−3.0"]
    assert [text.get_color() for text in axes.texts] == [object_colour(1), object_colour(2)]
    assert axes.get_title() == "Frame 7 (interjected)"


@pytest.mark.parametrize("number", [1, 3, 4, 10])
def test_filmstrips_of_any_length(film_frame, number):
    figure = make_filmstrip([film_frame] * number)
    assert_well_laid_out(figure)
    assert sum(bool(axes.images) for axes in figure.axes) == number
    text = sentences(figure)
    for words in ("object 1", "object 2", "ground truth", "object score (logit)"):
        assert words in text


def test_one_object_lost_and_without_truth(film_frame):
    empty = np.zeros((48, 85), dtype=bool)
    figure = make_filmstrip([FilmFrame(0, film_frame.frame, {1: empty}, {}, {1: float("nan")})], width=3.5)
    assert_well_laid_out(figure)
    text = sentences(figure)
    assert "not tracked" in text
    assert "predicted" in text
    assert "ground truth" not in text


def test_a_portrait_video(rng):
    frame = rng.integers(0, 256, (85, 48, 3), dtype=np.uint8)
    mask = np.ones((85, 48), dtype=bool)
    figure = make_filmstrip([FilmFrame(k, frame, {1: mask}, {1: mask}, {1: 1.0}) for k in range(6)], columns=6)
    assert_well_laid_out(figure)
