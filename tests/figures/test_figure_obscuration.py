from __future__ import annotations

import numpy as np
import pytest
from figure_checks import assert_well_laid_out, sentences
from matplotlib.figure import Figure

from napari_sam2_probe.figures.obscuration import CorrelationText, draw_obscuration, make_obscuration

PEARSON = CorrelationText("Pearson r", 0.812, 0.741, 0.871, 1e-9)
SPEARMAN = CorrelationText("Spearman ρ", -0.77, -0.83, -0.68, 0.0123)


@pytest.fixture
def frames(rng):
    fraction = rng.uniform(0, 1, 56)
    fraction[:20] = 0
    fraction[30] = np.nan
    distance = 3 + 20 * np.nan_to_num(fraction) + rng.normal(0, 1, 56)
    distance[40] = np.nan
    return fraction, distance, np.repeat(["a", "b"], 28)


def test_points_are_percent_and_distance_of_the_frames_that_have_both(frames):
    fraction, distance, clips = frames
    points = draw_obscuration(Figure().subplots(), fraction, distance, clips)
    keep = np.isfinite(fraction) & np.isfinite(distance)
    np.testing.assert_allclose(points.get_offsets(), np.stack([100 * fraction, distance], axis=1)[keep])


def test_frames_at_exactly_zero_are_circled(frames):
    fraction, distance, clips = frames
    axes = Figure().subplots()
    draw_obscuration(axes, fraction, distance, clips)
    circled = axes.collections[1]
    np.testing.assert_allclose(circled.get_offsets()[:, 1], distance[:20])
    assert not circled.get_facecolor().size


def test_the_figure_states_coefficients_intervals_and_counts(frames):
    figure = make_obscuration(*frames, (PEARSON, SPEARMAN))
    assert_well_laid_out(figure)
    text = sentences(figure)
    for words in (
        "Pearson r = 0.81 [0.74, 0.87], naive p < 0.001",
        "Spearman ρ = −0.77 [−0.83, −0.68], naive p = 0.012",
        "bootstrap over clips",
        "54 frames, 2 clips",
        "0 % obscured (20 frames)",
    ):
        assert words in text


def test_one_clip_has_no_interval_and_says_so(frames):
    fraction, distance, clips = (column[:28] for column in frames)
    nan = float("nan")
    figure = make_obscuration(
        fraction, distance, clips, (CorrelationText("Pearson r", 0.5, nan, nan, nan), CorrelationText("τ", *[nan] * 4))
    )
    text = sentences(figure)
    assert_well_laid_out(figure)
    assert "Pearson r = 0.50\nτ is not defined\nno interval: too few clips" in text
    assert "28 frames, 1 clip" in text


@pytest.mark.parametrize("number", [0, 1, 4000])
def test_few_and_many_frames(rng, number):
    fraction = rng.choice([0.0, 0.5, 1.0], number)
    figure = make_obscuration(fraction, fraction * 9, np.arange(number), (PEARSON,))
    assert_well_laid_out(figure)
    points = figure.axes[0].collections[0]
    assert len(points.get_offsets()) == number
    assert bool(points.get_rasterized()) == (number == 4000)


def test_nothing_but_nan_and_no_distance_at_all(frames):
    fraction, distance, clips = frames
    assert "0 frames, 0 clips" in sentences(make_obscuration(fraction * np.nan, distance, clips))
    assert_well_laid_out(make_obscuration(fraction, distance * 0, clips))
