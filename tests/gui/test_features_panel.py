"""The dock of features over time, driven as a user drives it."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton, QScrollArea

from helpers.clip_runs import ABSENT, NUM_FRAMES, features_table, write_frame
from helpers.hands import picture_of, turn_wheel
from napari_sam2_probe.gui.panels import features as features_panel
from napari_sam2_probe.gui.panels.features import FeaturesPanel
from napari_sam2_probe.gui.panels.run_panel import WITHOUT_RUN
from napari_sam2_probe.gui.plots.legend import entries_of, place_entries
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.run_views import open_views
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.runs import open_run


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(viewer):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Features over time")
    assert isinstance(panel, FeaturesPanel)
    viewer.window._qt_window.resize(1280, 800)
    return panel


@pytest.fixture
def compared(viewer, dock, clips, qtbot):
    """The dock with a clip and its twin, whose layers are in the viewer, drawn."""
    for action in dock.findChild(QPushButton, "positions").menu().actions():
        action.setChecked(action.data() in ("2", "4"))
    state = state_of(viewer)
    clean, interjected = clips.run("clean"), clips.run("interjection")
    viewer.open([str(interjected.path)], plugin="napari-sam2-probe")
    state.add_run(clean, make_current=False)
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        state.compared_runs = (state.current_run, clean)
    settle(dock, qtbot)
    return state


def plot(dock) -> PlotView:
    return dock.findChild(PlotView, "plot")


def settle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.background.busy, timeout=20_000)


def press_frame(dock, qtbot, frame, area=0):
    x, y = pixel(dock, frame, area)
    qtbot.mouseClick(plot(dock), Qt.MouseButton.LeftButton, pos=QPoint(x, y))


def pixel(dock, frame, area=0):
    where = plot(dock).areas[area]
    return round(where.to_pixels(frame, 0)[0]), round(where.top + where.height / 2)


def test_without_a_run_it_says_what_to_do(dock):
    hint = dock.findChild(QLabel, "hint")
    assert hint.isVisible()
    assert hint.text() == WITHOUT_RUN


def choose(dock, name, data):
    box = dock.findChild(QComboBox, name)
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())


def test_positions_are_lines_of_one_plot(dock, compared, qtbot):
    (chart,) = plot(dock).charts
    # Two positions, two runs; the runs by their dash.
    assert [trace.label[0] for trace in chart.traces] == ["2", "4", "2", "4"]
    assert [trace.dash for trace in chart.traces] == ["solid", "solid", "dashed", "dashed"]
    assert len({trace.colour for trace in chart.traces}) == 2
    np.testing.assert_array_equal(np.flatnonzero(dock._shown.interjection), np.arange(NUM_FRAMES)[ABSENT])
    assert ("interjection", ((ABSENT.start - 0.5, ABSENT.stop - 0.5),)) in [(s.label, s.spans) for s in chart.shades]
    actions = {action.data(): action for action in dock.findChild(QPushButton, "positions").menu().actions()}
    actions["4r"].trigger()
    assert dock.positions == ("2", "4", "4r")
    assert len(plot(dock).charts[0].traces) == 6
    # Own scales leave no numbers; one scale has them, and what is read off is the same.
    values = [trace.values for trace in chart.traces]
    assert not chart.y_numbers
    choose(dock, "scale", False)
    (shared,) = plot(dock).charts
    assert shared.y_numbers
    np.testing.assert_array_equal(shared.traces[0].y, values[0])


def test_all_is_a_row_a_position_and_a_column_a_feature(dock, compared, qtbot):
    choose(dock, "feature", "all")
    assert len(plot(dock).areas) == 2 * 3
    columns = [round(area.left) for area in plot(dock).areas]
    assert columns[:3] == columns[3:]
    logs = {action.data(): action for action in dock.findChild(QPushButton, "log").menu().actions()}
    assert [chart.y_log for chart in plot(dock).charts[:3]] == [False, True, False]
    logs["short_term_l2"].trigger()
    assert dock.log == ("short_term_l2", "long_term_l2")
    assert [chart.y_log for chart in plot(dock).charts[:3]] == [True, True, False]


def test_low_a_dock_still_has_five_lines_numbers_and_a_legend(viewer, dock, compared, qtbot):
    for action in dock.findChild(QPushButton, "positions").menu().actions():
        if action.isChecked() != (action.data() in ("1", "2", "3", "4", "5")):
            action.trigger()
    viewer.window._qt_window.resizeDocks([dock.parent()], [200], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: abs(dock.parent().height() - 200) < 10)
    view = plot(dock)
    (area,) = view.areas
    assert area.height > 60
    assert area.top + area.height + 15 <= view.height()
    assert area.left + area.width <= view.width()
    # Nothing has to be scrolled to.
    assert not dock.findChild(QScrollArea).verticalScrollBar().isVisible()
    placed, rows = place_entries(entries_of(view.charts), view.width() - 12, view.fontMetrics().horizontalAdvance)
    assert len([one for one in placed if one.entry.label[0] in "12345"]) == 10
    assert rows * 15 <= area.top
    assert all(one.x + view.fontMetrics().horizontalAdvance(one.text) <= view.width() for one in placed)


def test_the_values_under_the_mouse_are_told(dock, compared, qtbot):
    x, y = pixel(dock, 9)
    frame, *lines = plot(dock).read(x, y)
    assert frame == "Frame 9"
    told = dict(line.rsplit(": ", 1) for line in lines)
    for run in dock._shown.runs:
        value = run.values("2", "short_term_l2")[9]
        if np.isfinite(value):
            assert float(told[f"2 Memory attention · {run.label}"].replace("−", "-")) == pytest.approx(value, rel=1e-3)


def test_the_wheel_zooms_and_a_double_click_shows_all(dock, compared, qtbot):
    view, (x, y) = plot(dock), pixel(dock, 9)
    before = view.areas[0].xlim
    turn_wheel(view, x, y, 3)
    low, high = view.areas[0].xlim
    assert high - low < 0.6 * (before[1] - before[0])
    assert view.areas[0].to_pixels(9, 0)[0] == pytest.approx(x, abs=1)
    # What a run that grows shows next keeps the zoom.
    dock.refresh()
    settle(dock, qtbot)
    assert view.areas[0].xlim == (low, high)
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert view.areas[0].xlim == before


def test_moving_the_slider_moves_the_cursor_and_draws_nothing(viewer, dock, compared, qtbot):
    drawn = []
    plot(dock).drawn.connect(lambda: drawn.append(1))
    viewer.dims.set_current_step(0, 2)

    def columns_that_differ(frame):
        before = picture_of(plot(dock))
        viewer.dims.set_current_step(0, frame)
        assert not dock.background.busy
        return np.flatnonzero((picture_of(plot(dock)) != before).any(axis=(0, 2)))

    differ = columns_that_differ(9)
    expected = {pixel(dock, frame)[0] for frame in (2, 9)}
    assert len(differ) > 0
    assert all(min(abs(column - x) for x in expected) <= 2 for column in differ)
    assert all(min(abs(x - differ)) <= 2 for x in expected)
    assert plot(dock).frame == 9
    assert drawn == []


def test_click_and_drag_move_the_slider(viewer, dock, compared, qtbot):
    press_frame(dock, qtbot, 7)
    assert viewer.dims.current_step[0] == 7
    assert plot(dock).frame == 7
    qtbot.mousePress(plot(dock), Qt.MouseButton.LeftButton, pos=QPoint(*pixel(dock, 3)))
    for frame in (4, 5, 40):
        qtbot.mouseMove(plot(dock), QPoint(*pixel(dock, frame)))
        assert viewer.dims.current_step[0] == min(frame, NUM_FRAMES - 1)
    qtbot.mouseRelease(plot(dock), Qt.MouseButton.LeftButton, pos=QPoint(*pixel(dock, 40)))
    qtbot.mouseMove(plot(dock), QPoint(*pixel(dock, 2)))
    assert viewer.dims.current_step[0] == NUM_FRAMES - 1
    qtbot.keyClick(plot(dock), Qt.Key.Key_Left)
    assert viewer.dims.current_step[0] == NUM_FRAMES - 2
    for _ in range(3):
        qtbot.keyClick(plot(dock), Qt.Key.Key_Right)
    assert viewer.dims.current_step[0] == NUM_FRAMES - 1


def test_a_video_stretched_in_time_keeps_its_frames(viewer, dock, compared, qtbot):
    for layer in viewer.layers:
        layer.scale = (0.5, *layer.scale[1:])
        layer.translate = (100, *layer.translate[1:])
    press_frame(dock, qtbot, 6)
    assert viewer.dims.point[0] == pytest.approx(103)
    assert plot(dock).frame == 6


@pytest.mark.slow
def test_saving(dock, compared, qtbot, tmp_path):
    for suffix in (".png", ".svg", ".pdf", ".csv"):
        dock.save(tmp_path / f"features{suffix}")
    settle(dock, qtbot)
    table = pd.read_csv(tmp_path / "features.csv", dtype={"position": str})
    assert list(table.columns[:4]) == ["run", "object_id", "position", "frame"]
    for kind in ("interjection", "clean"):
        expected = features_table(kind, (1,))
        expected = expected[expected["position"].isin(dock.positions)].reset_index(drop=True)
        found = table[table["run"] == kind].drop(columns="run").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
    with Image.open(tmp_path / "features.png") as picture:
        assert picture.size[0] > 1500
    assert (tmp_path / "features.pdf").read_bytes().startswith(b"%PDF")
    assert "<svg" in (tmp_path / "features.svg").read_text()


def test_a_run_that_can_t_be_read_leaves_no_earlier_plot(dock, compared, clips, qtbot, monkeypatch):
    errors = []
    monkeypatch.setattr("napari.utils.notifications.show_error", errors.append)
    other = clips.run("obscuration")
    (other.path / "run.json").write_text("torn")
    before = compared.compared_runs
    compared.compared_runs = (*before, other)
    settle(dock, qtbot)
    assert len(errors) == 1
    assert str(other.path) in errors[0]
    assert plot(dock).charts == ()
    compared.compared_runs = before
    settle(dock, qtbot)
    assert plot(dock).charts


def test_frames_that_were_not_tracked_are_not_called_absent(maker):
    entry = RunEntry(maker.run(), "run")
    assert not entry.open().tracked.all()
    (view,), _ = open_views([entry], 1)
    assert view.object_present.all()


def test_the_theme_of_the_window_is_followed(viewer, dock, compared, qtbot):
    dark = tuple(picture_of(plot(dock))[0, 0])
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        viewer.theme = "light"
    light = tuple(picture_of(plot(dock))[0, 0])
    assert sum(map(int, light)) > sum(map(int, dark)) + 300


def test_a_run_that_grows_is_drawn_when_it_has_features(viewer, dock, clips, qtbot):
    writer = clips.begin("obscuration")
    live = RunEntry(writer.path, "live", live=True)
    state = state_of(viewer)
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        state.add_run(live)
    for t in range(4):
        write_frame(writer, "obscuration", (1,), t)
        state.run_progressed.emit(live, t)
    writer.write_features(features_table("obscuration", (1,)), np.zeros((1, NUM_FRAMES), bool))
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        state.run_finished.emit(live)
    settle(dock, qtbot)
    shown = dock._shown.runs[0].values("2", "short_term_l2")
    expected = open_run(live.path).features.query("position == '2'")["short_term_l2"]
    np.testing.assert_array_equal(shown, expected)


def test_what_takes_five_seconds_is_seen_while_tracking_goes_on(viewer, dock, clips, qtbot, monkeypatch):
    state, writer, drawn = state_of(viewer), clips.begin("obscuration"), []
    live, load = RunEntry(writer.path, "live", live=True), features_panel.load_features

    def load_slowly(*about):
        time.sleep(5)
        return load(*about)

    monkeypatch.setattr(features_panel, "load_features", load_slowly)
    plot(dock).drawn.connect(lambda: drawn.append(time.monotonic()))
    began = time.monotonic()
    state.add_run(live)
    # A frame every quarter of a second, and a look at them every second, for as long as it takes.
    frames, told = iter(range(NUM_FRAMES)), QTimer(interval=250)

    def track():
        t = next(frames, None)
        if t is not None:
            write_frame(writer, "obscuration", (1,), t)
        state.run_progressed.emit(live, NUM_FRAMES - 1 if t is None else t)

    told.timeout.connect(track)
    told.start()
    qtbot.waitUntil(lambda: len(drawn) >= 2)
    told.stop()
    # One after the other, and none that was begun is thrown away.
    assert drawn[0] - began < 2 * 5
    assert plot(dock).charts


def test_a_plot_of_another_run_is_not_shown_for_this_one(viewer, dock, clips, qtbot, monkeypatch):
    state, begun, go_on, seen = state_of(viewer), threading.Event(), threading.Event(), []
    load = features_panel.load_features

    def load_when_told(*about):
        begun.set()
        go_on.wait(120)
        return load(*about)

    first, second = clips.run("clean"), clips.run("interjection")
    monkeypatch.setattr(features_panel, "load_features", load_when_told)
    plot(dock).drawn.connect(lambda: seen.append([run.label for run in dock._shown.runs]))
    state.add_run(first)
    qtbot.waitUntil(begun.is_set)
    state.add_run(second)
    qtbot.wait(50)
    go_on.set()
    qtbot.waitUntil(lambda: bool(seen) and not dock.background.busy)
    assert all(labels == ["interjection"] for labels in seen)


def test_the_dock_takes_its_height_from_the_canvas_alone(viewer, dock, qtbot):
    window = viewer.window._qt_window
    side = viewer.window.add_dock_widget(QLabel("at the side"), area="right")
    qtbot.waitUntil(lambda: window.dockWidgetArea(dock.parent()) == Qt.DockWidgetArea.BottomDockWidgetArea)
    canvas = viewer.window._qt_viewer.canvas.native

    def bottom(widget):
        return widget.mapTo(window, QPoint(0, widget.height())).y()

    qtbot.waitUntil(lambda: bottom(canvas) < bottom(side) - 100)
    assert bottom(side) == bottom(dock.parent())
    for height in (200, 400):
        window.resizeDocks([dock.parent()], [height], Qt.Orientation.Vertical)
        qtbot.waitUntil(lambda height=height: abs(dock.parent().height() - height) < 10)
    assert (window.width(), window.height()) == (1280, 800)


def test_nothing_of_the_dock_is_left_behind(viewer, clips, qtbot):
    state = state_of(viewer)
    state.add_run(clips.run("clean"))
    signals = [state.compared_runs_changed, state.object_changed, state.run_progressed, state.run_finished]
    before = [len(signal) for signal in signals], len(viewer.dims.events.current_step.callbacks)
    dock, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Features over time")
    gone, background = weakref.ref(panel), panel.background
    qtbot.waitUntil(lambda: not background.busy, timeout=20_000)
    viewer.window.remove_dock_widget(dock)
    panel.deleteLater()
    del dock, panel
    qtbot.waitUntil(lambda: gc.collect() is not None and gone() is None, timeout=20_000)
    # napari forgets a slot that is gone when it would call it.
    viewer.dims.events.current_step()
    assert ([len(signal) for signal in signals], len(viewer.dims.events.current_step.callbacks)) == before
    background.submit("late", lambda: pytest.fail("ran after the end"), print)


def test_closing_the_viewer_while_panels_draw_ends_them(viewer, clips, qtbot):
    state = state_of(viewer)
    backgrounds = []
    for name in ("Positions", "Pointers", "Features over time"):
        backgrounds.append(viewer.window.add_plugin_dock_widget("napari-sam2-probe", name)[1].background)
    state.compared_runs = (state.add_run(clips.run("clean")), clips.run("interjection"))
    qtbot.waitUntil(lambda: any(background.busy for background in backgrounds), timeout=5000)
    viewer.close()
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("sam2-probe panel")]
    for thread in ours:
        thread.join(200)
    assert not any(thread.is_alive() for thread in ours)
    qtbot.wait(50)
    for background in backgrounds:
        background.submit("late", lambda: pytest.fail("ran after the end"), print)
        assert not background.busy
    signals = (state.compared_runs_changed, state.object_changed, state.run_progressed, state.run_finished)
    assert [len(signal) for signal in signals] == [0, 0, 0, 0]
