"""Figures of whole data sets: what is drawn is what was given, and nothing is cut off."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as FEATURES
from napari_sam2_probe.figures.decoded_boxes import BoxFrame, make_decoded_boxes
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, draw_dots, make_dots
from napari_sam2_probe.figures.gate import Cloud, GatePanel, make_gate
from napari_sam2_probe.figures.reidentification import BeforeAfter, make_reidentification
from napari_sam2_probe.figures.separability import ABSENT_COLOUR, Distribution, draw_distribution, make_separability
from napari_sam2_probe.figures.trends import CoursePanel, Trend, TrendRow, make_courses, make_trends

KINDS = {"clean": "Clean", "interjection": "Interjection", "context-removal": "Context removal"}


@pytest.fixture
def make_trend(rng, absent, prompted):
    def trend(kind="interjection", scale=1.0, first=1.0, num_frames=28):
        centre = scale * rng.uniform(1, 2, num_frames)
        centre[0], centre[1] = np.nan, first * centre[1]
        gone = absent[:num_frames] if kind == "interjection" else np.zeros(num_frames, bool)
        return Trend(KINDS[kind], kind, centre, 0.9 * centre, 1.1 * centre, gone, np.roll(prompted, 1)[:num_frames])

    return trend


@pytest.fixture
def make_distribution(rng, absent):
    def distribution(clips=10, logarithmic=True, title="Short-term L2: AUROC 0.93 [0.90, 0.96]"):
        frame = np.tile(np.arange(28), clips)
        present = ~absent[frame]
        values = rng.lognormal(0, 0.3, len(frame)) * np.where(present, 1, 5)
        values[frame == 0] = np.nan
        return Distribution(title, frame, values, present, (frame > 0) & (frame < 6), logarithmic)

    return distribution


def test_trend_lines_and_bands_hold_what_was_given(make_trend, absent):
    trends = [make_trend(kind) for kind in KINDS]
    figure = make_trends([TrendRow("4r", "Mean", dict.fromkeys(FEATURES, trends))], interjection=absent)
    assert len(figure.axes) == 3
    for axes in figure.axes:
        lines = {line.get_label(): line for line in axes.get_lines()}
        for trend in trends:
            np.testing.assert_array_equal(lines[trend.label].get_ydata(), trend.centre)
        assert len(axes.collections) == 3
        assert [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches] == [(11.5, 15.5)]
    assert_well_laid_out(figure)
    assert "4r: Object pointer, ungated" in sentences(figure).replace("\n", " ")


def test_a_value_seen_through_a_prompt_does_not_set_the_scale(make_trend):
    ordinary, huge = make_trend(), make_trend(first=1000)
    for trend, beyond in ((ordinary, []), (huge, [1])):
        figure = make_trends([TrendRow("1", "Median", {f: [trend] for f in FEATURES})], log=())
        axes = figure.axes[0]
        assert axes.get_ylim()[1] < 10
        marks = [line.get_xdata().tolist() for line in axes.get_lines() if line.get_label() == "_beyond"]
        assert [frame for frames in marks for frame in frames] == beyond
        assert ("above the axis" in sentences(figure)) == bool(beyond)


@pytest.mark.parametrize("rows", [1, 4])
def test_trends_of_many_rows_are_well_laid_out(make_trend, absent, rows):
    trends = {feature: [make_trend(kind, 1e4) for kind in KINDS] for feature in FEATURES}
    names = [("5", "Mean"), ("5", "Median"), ("5r", "Mean"), ("5r", "Median")]
    assert_well_laid_out(make_trends([TrendRow(*name, trends) for name in names[:rows]], interjection=absent))


def test_trends_without_values_say_so(make_trend):
    nothing = np.full(28, np.nan)
    trend = Trend("Clean", "clean", nothing, nothing, nothing, np.zeros(28, bool))
    figure = make_trends([TrendRow("1", "Mean", {feature: [trend] for feature in FEATURES})])
    assert sentences(figure).count("no values") == 3
    assert_well_laid_out(make_courses([CoursePanel("J&F", [trend])]))
    assert_well_laid_out(make_courses([CoursePanel("J&F", [make_trend()]), CoursePanel("Score", [make_trend()], 0.0)]))


def test_points_of_a_distribution_are_its_values(make_distribution):
    from matplotlib.figure import Figure

    distribution = make_distribution()
    axes = Figure().subplots()
    groups = draw_distribution(axes, distribution)
    for points, (_, _, here) in zip(groups, distribution.groups(), strict=True):
        where = np.ma.getdata(points.get_offsets())
        assert (np.abs(where[:, 0] - distribution.frame[here]) < 0.5).all()
        known = np.isfinite(distribution.values[here])
        np.testing.assert_array_equal(where[known, 1], distribution.values[here][known])
    from matplotlib.colors import to_rgb

    absent = groups[2]
    assert tuple(absent.get_facecolor()[0][:3]) == pytest.approx(to_rgb(ABSENT_COLOUR))
    assert set(distribution.frame[~distribution.present]) == {12, 13, 14, 15}


@pytest.mark.parametrize("clips", [1, 3, 40])
def test_separability_with_few_and_many_clips(make_distribution, clips):
    panels = [make_distribution(clips), make_distribution(clips), make_distribution(clips)]
    figure = make_separability([*panels, make_distribution(clips, False, "Linear combination")])
    assert_well_laid_out(figure)
    text = sentences(figure)
    assert ("quartiles" in text) == (clips > 6)
    assert "object absent" in text


def test_separability_without_values_says_so(make_distribution):
    whole = make_distribution(2)
    nothing = Distribution("Linear combination", whole.frame, np.full(len(whole.frame), np.nan), whole.present)
    assert "no values" in sentences(make_separability([whole, nothing]))


def test_values_beyond_a_linear_axis_are_counted(make_distribution):
    whole = make_distribution(20, logarithmic=False)
    values = whole.values.copy()
    values[30] = 1e6
    figure = make_separability([Distribution("x", whole.frame, values, whole.present)])
    assert "1 beyond the axis" in sentences(figure)


def test_dots_stand_where_their_values_are():
    from matplotlib.figure import Figure

    values = np.array([0.5, np.nan, 0.9])
    panel = DotPanel(
        "Interjection", ("1", "2", "3"), (Dots("x", values, values - 0.1, values + 0.05, SERIES_LOOKS[0]),), "AUROC"
    )
    axes = Figure().subplots()
    draw_dots(axes, panel)
    (line,) = [line for line in axes.get_lines() if line.get_label() == "x"]
    np.testing.assert_array_equal(line.get_xdata(), values)
    np.testing.assert_array_equal(line.get_ydata(), [0, 1, 2])
    # The first row is on top.
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert_well_laid_out(make_dots([panel, panel, panel]))


def test_the_gate(rng):
    rows = ("4: Object pointer", "4r: Object pointer, ungated")
    half = np.full(2, 0.5)
    dots = DotPanel("", rows, (Dots("Short-term L2", half, half - 0.1, half + 0.1, SERIES_LOOKS[0]),), "AUROC", (0, 1))
    clouds = tuple(Cloud(row, rng.lognormal(0, 0.3, 200), rng.lognormal(2, 0.3, 40)) for row in rows)
    empty = tuple(Cloud(row, np.empty(0), np.empty(0)) for row in rows)
    figure = make_gate(
        [GatePanel("Interjection", clouds, dots), GatePanel("Object removal", empty, dots)], axis="times"
    )
    assert_well_laid_out(figure)
    assert "no values" in sentences(figure)


@pytest.mark.parametrize("number", [1, 6])
def test_reidentification(rng, number):
    before, after = rng.uniform(0, 1, (2, 20))
    panels = [BeforeAfter("Object removal", "object-removal", before, after)] * number
    figure = make_reidentification(panels)
    assert_well_laid_out(figure)
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_offsets(), np.stack([before, after], axis=1))


def test_decoded_boxes_lie_on_pixel_edges(rng):
    frame = rng.integers(0, 255, (40, 80, 3), dtype=np.uint8)
    decoded, truth = np.array([0.25, 0.25, 0.5, 0.75]), np.array([0.25, 0.25, 0.5, 0.5])
    nothing = np.full(4, np.nan)
    figure = make_decoded_boxes(
        [BoxFrame("Frame 1", frame, decoded, truth), BoxFrame("Frame 2", frame, decoded, nothing)]
    )
    assert_well_laid_out(figure)
    assert "IoU 0.50" in sentences(figure)
    assert "object not seen" in sentences(figure)
    box = figure.axes[0].patches[-1]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (19.5, 9.5, 20, 20)
