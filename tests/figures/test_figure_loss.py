"""Figures of the warning of loss and of similarities: what is drawn, and that nothing touches or is cut off."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.analysis.loss_model import LossModel
from napari_sam2_probe.analysis.loss_warning import Calibration, HorizonWarning, Judgement, LossWarning
from napari_sam2_probe.figures.loss import draw_loss, make_loss, make_warning
from napari_sam2_probe.figures.pointers import PointerPath, draw_pointer_paths, make_pointer_paths
from napari_sam2_probe.figures.similarity import make_similarity


def judgement(value: float) -> Judgement:
    one = Estimate(value, value - 0.1, value + 0.1, 5)
    curve = Calibration(*(np.linspace(0.1, 0.9, 5) for _ in range(2)), np.zeros(5), np.ones(5), np.full(5, 9))
    return Judgement(one, one, one, one, one, one, 0.2, curve, 45, 9, 3)


def test_the_figure_of_a_warning():
    model = LossModel(("object_score",), np.zeros(1), np.ones(1), np.ones(1), 0.0)
    horizons = tuple(HorizonWarning(k, model, model, judgement(0.6), judgement(0.7)) for k in (1, 5, 10))
    figure = make_warning(LossWarning("x", None, horizons, ("a",)))
    assert_well_laid_out(figure)
    text = sentences(figure)
    for words in ("Calibration, next 10 frames", "object score alone", "AUROC", "Brier"):
        assert words in text


def test_the_probability_of_loss_over_frames():
    probability = np.array([np.nan, 0.1, 0.7, 0.4])
    axes = Figure().subplots()
    (line,) = draw_loss(axes, {5: probability}, threshold=0.6)
    np.testing.assert_array_equal(line.get_ydata(), probability)
    assert axes.lines[0].get_ydata()[0] == 0.6
    figure = make_loss(
        {1: probability, 5: probability / 2},
        region=np.linspace(1, 0, 4),
        interjection=np.array([False, True, False, False]),
    )
    assert_well_laid_out(figure)
    assert "lost within next 5 frames" in sentences(figure)


def test_similarities_stand_in_their_cells():
    values = np.array([[1, 0.25], [0.25, 1]])
    lines = {kind: {"1": np.linspace(0, 1, 8), "4": np.linspace(1, 0, 8)} for kind in ("clean", "interjection")}
    figure = make_similarity(("1", "4"), values, lines, labels={"clean": "Clean", "interjection": "Interjection"})
    assert_well_laid_out(figure)
    assert sentences(figure).count("0.25") == 2


def test_pointers_of_prompted_frames_choose_no_range():
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(12, 2))
    xy[0] = 100, 40
    prompted = np.arange(12) == 0
    path = PointerPath("Clean", "clean", xy, None, prompted, np.linspace(0, 1, 12))
    axes = Figure().subplots()
    draw_pointer_paths(axes, [path], (0.5, 0.2))
    assert axes.get_xlim()[1] < 5
    (star,) = [line for line in axes.lines if line.get_label() == "_first"]
    x, y = star.get_xdata()[0], star.get_ydata()[0]
    # Where the way from frame 1 to frame 0 leaves the picture.
    assert np.isclose(x, axes.get_xlim()[1]) or np.isclose(y, axes.get_ylim()[1])
    assert np.isclose((y - xy[1, 1]) / (x - xy[1, 0]), (40 - xy[1, 1]) / (100 - xy[1, 0]))
    sizes = axes.collections[0].get_sizes()
    assert sizes[-1] > 5 * sizes[0]
    assert_well_laid_out(make_pointer_paths([path], (0.5, 0.2)))
