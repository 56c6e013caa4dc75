"""Charts as data: what their axes hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.figures.chart import limits_of, limits_without_outliers
from napari_sam2_probe.figures.feature_charts import positions_chart
from napari_sam2_probe.figures.features import FeatureRun

T = 20


def feature_run(*, prompted_value=1000.0, scale=1.0):
    values = scale * np.linspace(1, 2, T)
    values[0] = prompted_value
    rows = [
        pd.DataFrame({"position": position, "frame": np.arange(T), "short_term_l2": factor * values})
        for position, factor in (("1", 1.0), ("2", 50.0))
    ]
    present = np.ones(T, bool)
    present[5:8] = False
    return FeatureRun("run", "clean", pd.concat(rows), present, np.arange(T) == 0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_limits_hold_all_values_and_are_apart(values):
    low, high = limits_of([np.array(values)])
    assert low < high
    assert low <= min(values)
    assert max(values) <= high


def test_one_outlier_does_not_take_the_plot_and_none_is_made_up():
    near = np.linspace(0, 1, 30)
    low, high = limits_without_outliers(np.append(near, 100.0))
    assert low <= 0
    assert 1 <= high < 2
    low, high = limits_without_outliers(np.append(near, 1.2))
    assert high >= 1.2


def test_prompted_frames_are_left_out_of_the_range_and_others_are_not():
    chart = positions_chart([feature_run()], ["1", "2"], "short_term_l2", own_scales=False)
    _, high = chart.y_limits
    assert high == pytest.approx(100, rel=0.1)
    # Each on its own scale: both positions go from bottom to top, and tell their true values.
    chart = positions_chart([feature_run()], ["1", "2"], "short_term_l2")
    for trace, factor in zip(chart.traces, (1, 50), strict=True):
        assert trace.y[2:].max() == pytest.approx(trace.y[-1])
        assert 0.9 < trace.y[-1] < 1
        assert trace.read(T - 1) == pytest.approx(2 * factor)
    assert [(shade.label, shade.spans) for shade in chart.shades] == [("object absent", ((4.5, 7.5),))]


def test_frames_that_were_not_tracked_take_no_room():
    run = feature_run()
    partly = replace(run, tracked=(np.arange(T) >= 3) & (np.arange(T) < 7))
    some = replace(run, tracked=np.arange(T) == 8)
    nothing = replace(run, tracked=np.zeros(T, bool))
    for runs, limits in (
        ([run], (-0.5, T - 0.5)),
        ([partly], (2.5, 6.5)),
        ([partly, some], (2.5, 8.5)),
        ([nothing], (-0.5, T - 0.5)),
    ):
        assert positions_chart(runs, ["1"], "short_term_l2").x_limits == limits
