from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as FEATURES
from napari_sam2_probe.figures.features import (
    FeatureRun,
    make_features,
    prompted_in_references,
)
from napari_sam2_probe.probe.positions import POSITIONS


def lines_by_label(axes, label):
    return [line for line in axes.get_lines() if line.get_label() == label]


@pytest.fixture
def runs(make_table, absent, prompted):
    return [
        FeatureRun("Clean", "clean", make_table(28), np.ones(28, dtype=bool), prompted),
        FeatureRun("Interjection", "interjection", make_table(28), ~absent, prompted),
    ]


def test_lines_hold_the_tables_values(runs, absent):
    figure = make_features(runs, ["4", "4r"], interjection=absent)
    grid = np.array(figure.axes, dtype=object).reshape(2, 3)
    for row, position in enumerate(["4", "4r"]):
        for column, feature in enumerate(FEATURES):
            for run in runs:
                (line,) = lines_by_label(grid[row, column], run.label)
                rows = run.table[run.table["position"] == position]
                np.testing.assert_array_equal(line.get_xdata(), rows["frame"])
                np.testing.assert_array_equal(line.get_ydata(), rows[feature])


def test_rows_in_any_order_and_missing_frames(make_table, prompted):
    table = make_table(28).sample(frac=1, random_state=3)
    table = table[table["frame"] != 7]
    run = FeatureRun("run", "clean", table, np.ones(28, dtype=bool), prompted)
    values = run.values("5", "short_term_l2")
    assert np.isnan(values[7])
    row = table[(table["position"] == "5") & (table["frame"] == 20)]
    assert values[20] == row["short_term_l2"].item()


def test_interjection_is_shaded_and_absent_frames_have_points(runs, absent):
    absent_twice = absent.copy()
    absent_twice[20] = True
    figure = make_features(runs, ["4"], interjection=absent_twice)
    for axes in figure.axes:
        spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]
        assert spans == [(11.5, 15.5), (19.5, 20.5)]
        points = [line.get_xdata().tolist() for line in lines_by_label(axes, "_absent")]
        assert points == [[], [12, 13, 14, 15]]


def test_a_video_without_absent_frames_has_neither_mark_nor_legend_entry(runs):
    figure = make_features(runs[:1], ["4"])
    assert all(not axes.patches for axes in figure.axes)
    assert "absent" not in sentences(figure)
    assert "interjected" not in sentences(figure)


def test_values_seen_through_a_prompted_frame_are_hollow(runs):
    figure = make_features(runs[:1], ["4"])
    hollow = [lines_by_label(axes, "_prompted")[0] for axes in figure.axes]
    assert [line.get_xdata().tolist() for line in hollow] == [[1], [1, 2, 3, 4, 5], [1, 2]]
    assert all(line.get_markerfacecolor() != line.get_color() for line in hollow)
    assert "prompted" in sentences(figure)


def test_no_hollow_marks_where_prompted_frames_are_no_references(make_table, prompted):
    run = FeatureRun("run", "clean", make_table(28), np.ones(28, dtype=bool), prompted, prompted_references=False)
    figure = make_features([run], ["4"])
    assert all(not len(lines_by_label(axes, "_prompted")[0].get_xdata()) for axes in figure.axes)
    assert "prompted" not in sentences(figure)


def test_frames_that_were_not_tracked_are_no_references(make_table, prompted):
    """A frame tracked long after the prompt, with nothing between, still looks at the prompted one."""
    tracked = np.ones(28, dtype=bool)
    tracked[1:10] = False
    run = FeatureRun("run", "clean", make_table(28), np.ones(28, dtype=bool), prompted, tracked=tracked)
    assert np.flatnonzero(run.seen_through_prompt("short_term_l2")).tolist() == list(range(1, 11))
    assert np.flatnonzero(run.seen_through_prompt("long_term_l2")).tolist() == list(range(1, 15))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_prompted_in_references_by_definition(frames):
    present, prompted = (np.array(column) for column in zip(*frames, strict=True))
    found = prompted_in_references(present, prompted)
    for i in range(len(frames)):
        past = [j for j in range(i) if present[j]]
        last = past[-1:]
        before_last = [j for j in past if last and j < last[0]][-1:]
        assert found["short_term_l2"][i] == any(prompted[j] for j in last)
        assert found["long_term_l2"][i] == any(prompted[j] for j in past[-5:])
        assert found["short_term_ratio"][i] == any(prompted[j] for j in last + before_last)


def test_only_the_long_term_distance_is_logarithmic_by_default(runs):
    scales = [axes.get_yscale() for axes in make_features(runs, ["4"]).axes]
    assert scales == ["linear", "log", "linear"]
    scales = [axes.get_yscale() for axes in make_features(runs, ["4"], log=FEATURES).axes]
    assert scales == ["log"] * 3


def test_logarithmic_axes_have_several_numbers_and_plain_ones(runs):
    figure = make_features(runs, ["4", "5"], log=FEATURES)
    assert_well_laid_out(figure)
    for axes in figure.axes:
        numbers = [label.get_text() for label in axes.get_yticklabels()]
        assert 2 <= len(numbers) <= 4
        assert not any(label.get_text() for label in axes.get_yticklabels(minor=True))
    assert "10^{0}" not in sentences(figure)


@pytest.mark.slow
def test_all_positions_are_well_laid_out(runs, absent):
    figure = make_features(runs, interjection=absent)
    assert_well_laid_out(figure)
    text = sentences(figure).replace("\n", " ")
    assert len(figure.axes) == 3 * len(POSITIONS)
    for words in ("4r: Object pointer, ungated", "5: Memory features", "Long-term L2", "Clean", "Interjection"):
        assert words in text


@pytest.mark.parametrize("num_frames", [1, 2, 200])
def test_short_and_long_videos(make_table, num_frames):
    ones = np.ones(num_frames, dtype=bool)
    figure = make_features([FeatureRun("blackswan", "video", make_table(num_frames), ones, ~ones)], ["1", "4"])
    assert_well_laid_out(figure)
    assert figure.axes[0].get_xlim() == (-0.5, num_frames - 0.5)
    ticks = [t for t in figure.axes[-1].get_xticks() if 0 <= t < num_frames]
    assert ticks
    assert all(float(t).is_integer() for t in ticks)


def test_nothing_but_nan_says_so(make_table, prompted):
    table = make_table(28, ["4"])
    table[list(FEATURES)] = np.nan
    figure = make_features([FeatureRun("run", "clean", table, np.ones(28, dtype=bool), prompted)], ["4"])
    assert_well_laid_out(figure)
    assert sentences(figure).count("no values") == 3


def test_zero_distances_are_drawn_on_a_linear_axis(make_table, prompted):
    table = make_table(28, ["4"])
    table[list(FEATURES)] = 0.0
    figure = make_features([FeatureRun("run", "clean", table, np.ones(28, dtype=bool), prompted)], ["4"])
    assert_well_laid_out(figure)
    assert {axes.get_yscale() for axes in figure.axes} == {"linear"}
