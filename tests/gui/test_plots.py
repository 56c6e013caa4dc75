"""Plots drawn beside the window: where a click lands, colours that can be seen, latest requests first."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.hands import picture_of
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.figures.chart import Chart, Dots
from napari_sam2_probe.figures.feature_charts import POSITION_COLOURS
from napari_sam2_probe.figures.style import KIND_COLOURS, OTHER_COLOURS
from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.plots.area import PlotArea, PlotTheme, readable
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.run_views import nearest_point

DARK, LIGHT = PlotTheme("#262930", "#f0f1f2"), PlotTheme("#efebe9", "#3b3a39")
numbers = st.floats(-1e3, 1e3)


@given(numbers, numbers, st.floats(1, 1e3), st.floats(1, 1e3), numbers, numbers)
def test_pixels_and_data_of_an_area_are_inverse(left, top, width, height, x, y):
    area = PlotArea(left, top, width, height, (-3.0, 7.0), (0.5, 2.0))
    assert area.to_data(*area.to_pixels(x, y)) == pytest.approx((x, y), abs=1e-6)
    assert area.to_pixels(-3.0, 2.0) == pytest.approx((left, top))
    assert area.to_pixels(7.0, 0.5) == pytest.approx((left + width, top + height))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_an_area_may_be_logarithmic(x, y):
    area = PlotArea(10, 20, 300, 200, (1e-2, 1e4), (1e-3, 1e3), xlog=True, ylog=True)
    assert area.to_data(*area.to_pixels(x, y)) == pytest.approx((x, y), rel=1e-9)
    assert area.to_pixels(10, 1) == pytest.approx((160, 120))
    assert np.isnan(area.to_pixels(10, 0)[1])


def luminance(colour: str) -> float:
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    return float(np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_series_is_seen_on_the_background(theme):
    for colour in (*KIND_COLOURS.values(), *OTHER_COLOURS, *POSITION_COLOURS):
        high, low = sorted((luminance(readable(colour, theme.background)), luminance(theme.background)), reverse=True)
        assert (high + 0.05) / (low + 0.05) > 2.99
    assert readable("#ffffff", DARK.background) == "#ffffff"


def test_a_point_is_painted_where_its_area_says(qtbot):
    for log in (False, True):
        dots = Dots("", np.array([4.0]), np.array([30.0]), "#ff0000", "square", 8.0)
        chart = Chart(dots=(dots,), x_limits=(1, 10), y_limits=(20, 50), x_log=log, y_log=log)
        view = shown(qtbot, PlotView(DARK), (300, 200))
        view.show_chart(chart)
        rgb = picture_of(view).astype(int)
        red = np.argwhere((rgb[..., 0] > 200) & (rgb[..., 1] < 60))
        down, across = (red.mean(axis=0) + 0.5) / view.devicePixelRatioF()
        assert view.areas[0].to_pixels(4, 30) == pytest.approx((across, down), abs=1.2)
        assert tuple(rgb[0, 0]) == (0x26, 0x29, 0x30)


def shown(qtbot, view, size):
    qtbot.addWidget(view)
    view.resize(*size)
    return view


def test_the_nearest_point_within_reach_is_found():
    area = PlotArea(0, 0, 100, 100, (0, 1), (0, 1))
    points = np.array([[0.1, 0.1], [0.5, 0.5], [np.nan, np.nan]])
    assert nearest_point(area, (0.52, 0.5), points, 12) == 1
    assert nearest_point(area, (0.3, 0.3), points, 12) is None
    assert nearest_point(area, (0.3, 0.3), np.empty((0, 2)), 12) is None


def test_only_the_latest_request_of_a_key_is_delivered(qtbot):
    background, go_on, delivered = Background(), threading.Event(), []

    def first():
        go_on.wait(100)
        return "first"

    background.submit("a", first, delivered.append)
    background.submit("a", lambda: pytest.fail("was replaced before it began"), delivered.append)
    background.submit("b", lambda: "other", delivered.append)
    background.submit("a", lambda: "last", delivered.append)
    go_on.set()
    qtbot.waitUntil(lambda: len(delivered) == 2 and not background.busy)
    assert delivered == ["other", "last"]
    background.close()


def test_what_is_begun_is_shown_before_what_is_newer(qtbot):
    background, begun, go_on, delivered = Background(), threading.Event(), threading.Event(), []

    def first():
        begun.set()
        go_on.wait(10)
        return "first"

    def ask(work):
        background.submit("a", work, delivered.append, show_older=True)

    ask(first)
    assert begun.wait(10)
    # However many come meanwhile: only the last of those that wait is done.
    for _ in range(5):
        ask(lambda: pytest.fail("was replaced before it began"))
    ask(lambda: "last")
    go_on.set()
    qtbot.waitUntil(lambda: not background.busy)
    assert delivered == ["first", "last"]
    background.close()


def test_what_is_begun_can_be_forgotten_and_fails_without_a_word(qtbot, monkeypatch):
    shown = []
    monkeypatch.setattr("napari.utils.notifications.show_error", shown.append)
    background, begun, go_on, delivered = Background(), threading.Event(), threading.Event(), []

    def fail():
        begun.set()
        go_on.wait(10)
        raise InputError("There is no such run: choose another.")

    for forget in (False, True):
        begun.clear()
        go_on.clear()
        background.submit("a", fail, delivered.append, show_older=True)
        assert begun.wait(10)
        if forget:
            background.forget("a")
        background.submit("a", lambda: "last", delivered.append, show_older=True)
        go_on.set()
        qtbot.waitUntil(lambda: not background.busy)
    assert delivered == ["last", "last"]
    assert shown == []
    assert background._begun == {}
    background.close()


def test_nothing_is_delivered_after_the_end(qtbot):
    background, go_on, began, delivered = Background(), threading.Event(), threading.Event(), []

    def work():
        began.set()
        go_on.wait(100)

    background.submit("a", work, delivered.append)
    assert began.wait(100)
    background.close()
    go_on.set()
    qtbot.wait(100)
    assert delivered == []
    qtbot.waitUntil(lambda: not any(thread.name.startswith("sam2-probe panel") for thread in threading.enumerate()))


def test_an_error_is_one_sentence(qtbot, monkeypatch):
    shown = []
    monkeypatch.setattr("napari.utils.notifications.show_error", shown.append)
    background = Background()

    def work():
        raise InputError("There is no such run: choose another.")

    background.submit("a", work, lambda _: None)
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == ["There is no such run: choose another."]
    background.close()
