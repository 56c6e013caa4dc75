"""The Look panel, driven as a user drives it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton

from helpers.clip_runs import HEIGHT, NUM_FRAMES, WIDTH, map_values, write_frame
from napari_sam2_probe.gui.layers import DIFFERENCE
from napari_sam2_probe.gui.map_layers import MapOf, map_layers
from napari_sam2_probe.gui.panels.look import LookPanel
from napari_sam2_probe.gui.run_layers import layers_of_run
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.gui.videos import add_video, read_video


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer, qtbot):
    viewer.window._qt_window.resize(1280, 800)
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Look")
    assert isinstance(panel, LookPanel)
    qtbot.waitUntil(panel.isVisible)
    return panel


@pytest.fixture
def run(viewer, panel, clips, qtbot):
    """A run with two objects whose video is in the viewer, and no map yet."""
    entry = clips.run("obscuration", object_ids=(1, 2))
    add_video(viewer, read_video(clips.video("obscuration-00000")))
    state_of(viewer).add_run(entry)
    settle(panel, qtbot)
    return entry


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.background.busy)


def click(panel, qtbot, number, statistic, at=(0.5, 0.5), *, shift=False):
    place = panel.composite.place_of(number, statistic)
    point = QPoint(round(place.left + at[1] * place.width), round(place.top + at[0] * place.height))
    keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    qtbot.mouseClick(panel.composite, Qt.MouseButton.LeftButton, keys, point)
    settle(panel, qtbot)
    return point


def choose(panel, qtbot, name, data):
    combo = panel.findChild(QComboBox, name)
    combo.setCurrentIndex(combo.findData(data))
    combo.activated.emit(combo.currentIndex())
    settle(panel, qtbot)


def values(panel, number, statistic):
    cells = [cell for column in panel.composite.frame.cells for cell in column]
    return next((c.values for c in cells if (c.number, c.statistic) == (number, statistic)), None)


def test_the_composite_follows_the_slider_and_the_object(viewer, panel, run, qtbot):
    for frame_idx in (3, 7):
        viewer.dims.set_current_step(0, frame_idx)
        settle(panel, qtbot)
        assert panel.composite.frame.frame_idx == frame_idx
        np.testing.assert_array_equal(values(panel, "2", "mean"), map_values("memory_attention", 1, frame_idx)[0])
        assert panel.plot.frame == frame_idx
    state_of(viewer).obj_id = 2
    settle(panel, qtbot)
    np.testing.assert_array_equal(values(panel, "2", "variance"), map_values("memory_attention", 2, 7)[1])


def test_a_click_in_a_cell_makes_it_a_layer_and_another_hides_it(viewer, panel, run, qtbot):
    active = viewer.layers.selection.active
    click(panel, qtbot, "5", "variance")
    (of, layer), *others = map_layers(viewer, run.path).items()
    assert others == []
    assert of == MapOf("memory_features", "variance", 1)
    assert layer.visible
    assert panel.composite.layers == {("5", "variance")}
    assert panel.maps.boxes["memory_features", "variance"].isChecked()
    assert viewer.layers.selection.active is active
    click(panel, qtbot, "5", "variance")
    assert not layer.visible
    assert panel.composite.layers == set()
    layer.visible = True
    assert panel.composite.layers == {("5", "variance")}
    # The frame is no map.
    click(panel, qtbot, "0", "mean")
    assert len(map_layers(viewer, run.path)) == 1


@pytest.mark.parametrize("how", ["shift", "button"])
def test_a_pixel_is_plotted_over_time(viewer, panel, run, qtbot, how):
    if how == "button":
        qtbot.mouseClick(panel.findChild(QPushButton, "pick"), Qt.MouseButton.LeftButton)
    click(panel, qtbot, "3", "mean", (0.28, 0.72), shift=how == "shift")
    assert map_layers(viewer, run.path) == {}
    (chart,) = panel.plot.charts
    y, x = panel.composite.mark
    expected = [map_values("prompt_attention", 1, t)[0][int(16 * y), int(16 * x)] for t in range(NUM_FRAMES)]
    assert (int(16 * y), int(16 * x)) == (4, 11)
    np.testing.assert_allclose(chart.traces[0].y, expected)
    assert chart.title.startswith("3 Prompt attention, mean, x ")
    # A pixel of the frame is that of the map that is plotted.
    click(panel, qtbot, "0", "variance", (0.9, 0.1), shift=how == "shift")
    (chart,) = panel.plot.charts
    assert chart.title.startswith("3 Prompt attention, mean, x 6, y 2")
    qtbot.mouseClick(panel.plot, Qt.MouseButton.LeftButton, pos=QPoint(*map(round, place_of_frame(panel, 9))))
    settle(panel, qtbot)
    assert panel.composite.frame.frame_idx == 9


def place_of_frame(panel, frame_idx):
    (area,) = panel.plot.areas
    return area.to_pixels(frame_idx, sum(area.ylim) / 2)


def test_inside_and_outside_the_mask_is_what_is_plotted_first(viewer, panel, run, qtbot):
    (chart,) = panel.plot.charts
    assert [trace.label for trace in chart.traces] == ["inside the mask", "outside"]
    assert chart.title == "2 Memory attention, mean"
    click(panel, qtbot, "1", "mean")
    assert panel.plot.charts[0].title == "1 Image embedding, mean"
    choose(panel, qtbot, "what", "pixel")
    assert [trace.label for trace in panel.plot.charts[0].traces] == ["this pixel"]
    assert panel.composite.mark == (0.5, 0.5)
    choose(panel, qtbot, "what", "mask")
    assert panel.composite.mark is None


def test_the_difference_to_the_twin(viewer, panel, run, clips, qtbot):
    about, state = panel.findChild(QLabel, "about"), state_of(viewer)
    choose(panel, qtbot, "of", "difference")
    assert "Compare two runs" in about.text()
    np.testing.assert_array_equal(values(panel, "2", "mean"), map_values("memory_attention", 1, 0)[0])
    twin = state.add_run(clips.run("clean"), make_current=False)
    state.compared_runs = (run, twin)
    settle(panel, qtbot)
    assert about.text() == "obscuration − clean"
    assert not values(panel, "2", "mean").any()
    click(panel, qtbot, "2", "mean")
    (layer,) = layers_of_run(viewer, run.path, DIFFERENCE)
    low, high = layer.contrast_limits
    assert low == -high
    assert panel.composite.layers == {("2", "mean")}
    assert panel.maps.shown == set()
    # Exactly over the video.
    corners = [layer.data_to_world(at) for at in ((0, -0.5, -0.5), (0, 15.5, 15.5))]
    video = state.video.layer
    np.testing.assert_allclose(
        corners, [video.data_to_world(at) for at in ((0, -0.5, -0.5), (0, HEIGHT - 0.5, WIDTH - 0.5))]
    )
    assert viewer.layers.index(layer) == viewer.layers.index(video) + 1
    click(panel, qtbot, "2", "mean")
    assert not layer.visible
    assert panel.composite.layers == set()
    choose(panel, qtbot, "of", "maps")
    assert about.isHidden()


def test_a_run_that_grows_is_followed(viewer, panel, clips, qtbot):
    state, writer = state_of(viewer), clips.begin("clean")
    add_video(viewer, read_video(clips.video("clean-00000")))
    live = RunEntry(writer.path, "live", live=True)
    state.add_run(live)
    settle(panel, qtbot)
    viewer.dims.set_current_step(0, 2)
    for t in range(3):
        write_frame(writer, "clean", (1,), t)
        writer.flush()
        state.run_progressed.emit(live, t)
    expected = map_values("memory_attention", 1, 2)[0]
    qtbot.waitUntil(lambda: panel.composite.frame is not None and np.array_equal(values(panel, "2", "mean"), expected))
    settle(panel, qtbot)
    inside = panel.plot.charts[0].traces[0].y
    assert np.flatnonzero(np.isfinite(inside)).tolist() == [0, 1, 2]
    writer.finish()
    state.run_finished.emit(live)
    settle(panel, qtbot)


def test_values_are_read_off_under_the_mouse(viewer, panel, run, qtbot):
    viewer.dims.set_current_step(0, 3)
    settle(panel, qtbot)
    place = panel.composite.place_of("2", "mean")
    lines = panel.composite.read(place.left + 0.99 * place.width, place.top + 0.01 * place.height)
    assert lines[0] == "2 Memory attention, mean"
    assert float(lines[1].split()[0]) == pytest.approx(map_values("memory_attention", 1, 3)[0][0, 15], rel=1e-3)
    assert panel.composite.read(1, 1) == []


@pytest.mark.parametrize("width", [350, 560])
def test_cells_fit_a_dock_that_is_narrow_or_wide(viewer, panel, run, qtbot, width):
    window = viewer.window._qt_window
    window.resize(1600, 800)
    window.resizeDocks([panel.parent()], [width], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: abs(panel.width() - width) < 30)
    qtbot.wait(50)
    assert panel.minimumSizeHint().width() <= 320
    last = panel.composite.place_of("5r", "variance")
    assert last.left + last.width <= panel.composite.width()
    assert last.top + last.height <= panel.composite.height()
    assert last.width >= 90
