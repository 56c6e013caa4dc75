from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.scores import ScoreRun, draw_iou, draw_object_scores, make_scores


@pytest.fixture
def run(rng, absent, prompted):
    scores = np.where(absent, -8.0, 7.0) + rng.normal(size=28)
    predicted = rng.uniform(0.5, 1, 28)
    predicted[0] = np.nan
    return ScoreRun("Interjection", "interjection", scores, predicted, ~absent, prompted)


def test_lines_hold_scores_and_iou(run):
    (line,) = draw_object_scores(Figure().subplots(), [run])
    np.testing.assert_array_equal(line.get_ydata(), run.object_scores)
    truth = np.linspace(0, 1, 28)
    predicted, true = draw_iou(Figure().subplots(), [replace(run, iou=truth)])
    np.testing.assert_array_equal(predicted.get_ydata(), run.predicted_iou)
    np.testing.assert_array_equal(true.get_ydata(), truth)
    assert predicted.get_linestyle() != true.get_linestyle()


def test_absent_and_prompted_frames_are_marked(run):
    axes = Figure().subplots()
    draw_object_scores(axes, [run])
    marks = {line.get_label(): line for line in axes.get_lines()}
    assert marks["_absent"].get_xdata().tolist() == [12, 13, 14, 15]
    assert marks["_prompted"].get_xdata().tolist() == [0]
    assert marks["_threshold"].get_ydata() == [0, 0]


def test_two_runs_with_truth_are_well_laid_out(run, absent):
    clean = replace(run, label="Clean", kind="clean", object_present=np.ones(28, dtype=bool), iou=run.predicted_iou)
    figure = make_scores([clean, run], interjection=absent)
    assert_well_laid_out(figure)
    assert all([(p.get_x(), p.get_width()) for p in axes.patches] == [(11.5, 4.0)] for axes in figure.axes)
    text = sentences(figure)
    for words in (
        "Clean",
        "Interjection",
        "IoU predicted",
        "IoU with ground truth",
        "object absent",
        "prompted frame",
        "interjected frames",
        "Object score (logit)",
    ):
        assert words in text


def test_nothing_is_explained_that_does_not_occur(run):
    plain = replace(run, object_present=np.ones(28, dtype=bool), prompted=np.zeros(28, dtype=bool))
    text = sentences(make_scores([plain]))
    assert not any(words in text for words in ("absent", "prompted", "ground truth", "interjected"))


@pytest.mark.parametrize("num_frames", [1, 200])
def test_degenerate_runs(num_frames):
    ones = np.ones(num_frames, dtype=bool)
    nothing = np.full(num_frames, np.nan)
    figure = make_scores([ScoreRun("run", "video", nothing, nothing, ones, ones)])
    assert_well_laid_out(figure)
    assert "no values" in sentences(figure)
