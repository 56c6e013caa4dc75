from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.analysis.pointers import Correlation, ObscurationResponse, obscuration_response
from napari_sam2_probe.figures.obscuration import draw_obscuration, make_obscuration


@pytest.fixture
def clips(rng):
    fractions = rng.uniform(0.01, 1, (2, 28))
    fractions[0, :20] = 0
    fractions[1, 3] = np.nan
    return 3 + 20 * np.nan_to_num(fractions) + rng.normal(0, 1, (2, 28)), fractions


@pytest.fixture
def response(clips):
    return obscuration_response(*clips, num_resamples=50)


def without_frames(number, rng):
    fraction = rng.choice([0.0, 0.5, 1.0], number)
    index = np.arange(number)
    undefined = Correlation("Pearson", float("nan"), None, float("nan"), 0, number)
    return ObscurationResponse(9 * fraction, fraction, index, index, undefined, replace(undefined, name="Spearman"))


def test_points_are_percent_and_distance_of_the_frames_that_have_both(clips, response):
    distances, fractions = clips
    points = draw_obscuration(Figure().subplots(), response)
    keep = np.isfinite(fractions)
    expected = np.stack([100 * fractions[keep], distances[keep]], axis=1)
    np.testing.assert_allclose(points.get_offsets(), expected)


def test_frames_at_exactly_zero_are_circled(clips, response):
    axes = Figure().subplots()
    draw_obscuration(axes, response)
    circled = axes.collections[1]
    np.testing.assert_allclose(circled.get_offsets()[:, 1], clips[0][0, :20])
    assert not circled.get_facecolor().size


def test_the_figure_states_coefficients_intervals_and_counts(response):
    pearson = replace(response.pearson, coefficient=0.812, interval=(0.741, 0.871), naive_p_value=1e-9)
    spearman = replace(response.spearman, coefficient=-0.77, interval=(-0.83, -0.68), naive_p_value=0.0123)
    figure = make_obscuration(replace(response, pearson=pearson, spearman=spearman))
    assert_well_laid_out(figure)
    text = sentences(figure)
    for words in (
        "Pearson r = 0.81 [0.74, 0.87], naive p < 0.001",
        "Spearman ρ = −0.77 [−0.83, −0.68], naive p = 0.012",
        "bootstrap over clips",
        "55 frames, 2 clips",
        "0 % obscured (20 frames)",
    ):
        assert words in text


def test_one_clip_has_no_interval_and_says_so(clips):
    distances, fractions = clips
    figure = make_obscuration(obscuration_response(distances[:1], fractions[:1]))
    assert_well_laid_out(figure)
    text = sentences(figure)
    assert "one clip, so no interval" in text
    assert "[" not in text
    assert "28 frames, 1 clip" in text


@pytest.mark.parametrize("number", [0, 1, 4000])
def test_few_and_many_frames(rng, number):
    figure = make_obscuration(without_frames(number, rng))
    assert_well_laid_out(figure)
    points = figure.axes[0].collections[0]
    assert len(points.get_offsets()) == number
    assert bool(points.get_rasterized()) == (number == 4000)
    assert "Spearman ρ is not defined" in sentences(figure)


def test_pointers_that_never_differ(clips):
    response = obscuration_response(np.zeros((2, 28)), clips[1])
    assert_well_laid_out(make_obscuration(response))
