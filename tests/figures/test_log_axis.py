"""Numbers on logarithmic axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from napari_sam2_probe.figures.log_axis import log_number, number_log_axis, round_log_values


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (8, 120, ["10", "20", "50", "100"]),
        (8e4, 1.2e6, ["$10^{5}$", "$2\\times10^{5}$", "$5\\times10^{5}$", "$10^{6}$"]),
        (3e-3, 300, ["0.01", "0.1", "1", "10", "100"]),
        (25.1, 28.2, ["25", "28"]),
        (2e-7, 3e9, ["$10^{-6}$", "0.001", "1", "1000", "$10^{6}$", "$10^{9}$"]),
    ],
)
def test_numbers(low, high, labels):
    assert [log_number(value) for value in round_log_values(low, high)] == labels


@given(st.floats(-12, 12), st.floats(0.001, 30))
def test_there_are_few_numbers_and_they_lie_on_the_axis(start, decades):
    low, high = 10**start, 10 ** (start + decades)
    values = round_log_values(low, high)
    assert 1 <= len(values) <= 6
    assert np.all(np.diff(values) > 0)
    assert 0.94 * low <= values[0]
    assert values[-1] <= 1.06 * high


def test_an_axis_has_these_numbers_and_no_others():
    axes = Figure().subplots()
    axes.set_xscale("log")
    axes.set_xlim(8, 120)
    number_log_axis(axes.xaxis, 8, 120)
    axes.figure.draw_without_rendering()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "20", "50", "100"]
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))
    assert axes.get_xlim() == (8, 120)
