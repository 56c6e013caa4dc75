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
from qtpy.QtWidgets import QLabel, QPushButton

from helpers.clip_runs import ABSENT, NUM_FRAMES, features_table, write_frame
from helpers.hands import picture_of
from napari_sam2_probe.gui.panels.features import FeaturesPanel
from napari_sam2_probe.gui.panels.run_panel import LIVE_PAUSE, WITHOUT_RUN
from napari_sam2_probe.gui.plots import PlotView
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
    qtbot.waitUntil(lambda: not dock.background.busy and not plot(dock)._pause.isActive(), timeout=20_000)


def press_frame(dock, qtbot, frame, area=1):
    x, y = pixel(dock, frame, area)
    qtbot.mouseClick(plot(dock), Qt.MouseButton.LeftButton, pos=QPoint(x, y))


def pixel(dock, frame, area=1):
    where = plot(dock).plot.areas[area]
    return round(where.to_pixels(frame, 0)[0]), round(where.top + where.height / 2)


def test_without_a_run_it_says_what_to_do(dock):
    hint = dock.findChild(QLabel, "hint")
    assert hint.isVisible()
    assert hint.text() == WITHOUT_RUN


def test_rows_are_positions_and_columns_features(dock, compared, qtbot):
    assert len(plot(dock).plot.areas) == 2 * 3
    assert [run.label for run in dock._shown.runs] == ["interjection", "clean"]
    np.testing.assert_array_equal(np.flatnonzero(dock._shown.interjection), np.arange(NUM_FRAMES)[ABSENT])
    actions = {action.data(): action for action in dock.findChild(QPushButton, "positions").menu().actions()}
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        actions["4r"].trigger()
    settle(dock, qtbot)
    assert dock.positions == ("2", "4", "4r")
    assert len(plot(dock).plot.areas) == 3 * 3
    before = plot(dock).plot.picture
    logs = {action.data(): action for action in dock.findChild(QPushButton, "log").menu().actions()}
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        logs["short_term_l2"].trigger()
    assert dock.log == ("short_term_l2", "long_term_l2")
    assert (plot(dock).plot.picture != before).any()


def test_moving_the_slider_moves_the_cursor_and_draws_nothing(viewer, dock, compared, qtbot):
    drawn = []
    plot(dock).drawn.connect(lambda: drawn.append(1))
    picture = plot(dock).plot
    viewer.dims.set_current_step(0, 2)

    def columns_that_differ(frame):
        before = picture_of(plot(dock))
        viewer.dims.set_current_step(0, frame)
        assert not dock.background.busy
        return np.flatnonzero((picture_of(plot(dock)) != before).any(axis=(0, 2)))

    differ = columns_that_differ(9)
    expected = {pixel(dock, frame, area)[0] for frame in (2, 9) for area in range(3)}
    assert len(differ) > 0
    assert all(min(abs(column - x) for x in expected) <= 2 for column in differ)
    assert all(min(abs(x - differ)) <= 2 for x in expected)
    assert plot(dock).frame == 9
    assert drawn == []
    assert plot(dock).plot is picture


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
    assert plot(dock).plot is None
    compared.compared_runs = before
    settle(dock, qtbot)
    assert plot(dock).plot is not None


def test_frames_that_were_not_tracked_are_not_called_absent(maker):
    entry = RunEntry(maker.run(), "run")
    assert not entry.open().tracked.all()
    (view,), _ = open_views([entry], 1)
    assert view.object_present.all()


def test_the_theme_of_the_window_is_followed(viewer, dock, compared, qtbot):
    dark = tuple(plot(dock).plot.picture[0, 0, :3])
    with qtbot.waitSignal(plot(dock).drawn, timeout=20_000):
        viewer.theme = "light"
    light = tuple(plot(dock).plot.picture[0, 0, :3])
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


def test_a_slow_drawing_is_seen_while_tracking_goes_on(viewer, dock, clips, qtbot, monkeypatch):
    state, writer, drawn = state_of(viewer), clips.begin("obscuration"), []
    live, draw, seconds = RunEntry(writer.path, "live", live=True), state.drawing.draw, LIVE_PAUSE / 1000 + 2

    def draw_slowly(*about):
        time.sleep(seconds)
        return draw(*about)

    monkeypatch.setattr(state.drawing, "draw", draw_slowly)
    plot(dock).drawn.connect(lambda: drawn.append(time.monotonic()))
    state.add_run(live)
    # A frame every quarter of a second, and a look at them every two seconds, for as long as it takes.
    frames, told = iter(range(NUM_FRAMES)), QTimer(interval=250)

    def track():
        t = next(frames, None)
        if t is not None:
            write_frame(writer, "obscuration", (1,), t)
        state.run_progressed.emit(live, NUM_FRAMES - 1 if t is None else t)

    told.timeout.connect(track)
    told.start()
    qtbot.waitUntil(lambda: len(drawn) >= 2, timeout=180_000)
    told.stop()
    assert plot(dock).plot is not None


def test_a_drawing_of_another_run_is_not_shown_for_this_one(viewer, dock, clips, qtbot, monkeypatch):
    state, begun, go_on, made = state_of(viewer), threading.Event(), threading.Event(), []
    draw = state.drawing.draw

    def draw_when_told(make, *about):
        begun.set()
        go_on.wait(120)
        made.append([run.label for run in make.keywords["shown"].runs])
        return draw(make, *about)

    first, second = clips.run("clean"), clips.run("interjection")
    monkeypatch.setattr(state.drawing, "draw", draw_when_told)
    seen = []
    plot(dock).drawn.connect(lambda: seen.append(made[-1]))
    state.add_run(first)
    qtbot.waitUntil(begun.is_set, timeout=120_000)
    state.add_run(second)
    qtbot.wait(50)
    go_on.set()
    qtbot.waitUntil(lambda: bool(seen) and not dock.background.busy, timeout=120_000)
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


@pytest.mark.usefixtures("own_drawing_process")
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
