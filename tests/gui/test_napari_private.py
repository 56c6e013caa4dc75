"""What is used of napari's private parts is there and means what we take it for; and nothing else of them is used."""

import ast
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QLabel, QMainWindow

import napari_sam2_probe.gui
from helpers.hands import canvas_point
from napari_sam2_probe.gui.napari_private import drawn_node, is_drawing, main_window, show_dock_title, shown_slice

GUI = Path(napari_sam2_probe.gui.__file__).parent
NAMES = {
    "_qt_viewer",
    "_qt_window",
    "_wrapped_dock_widgets",
    "_data_view",
    "_is_creating",
    "_type_string",
    "_slice",
    "_view_data",
}


def test_window_nodes_and_slices(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    assert isinstance(main_window(viewer), QMainWindow)
    assert main_window(viewer).isVisible()
    data = np.random.default_rng(0).random((4, 8, 9)).astype(np.float32)
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: np.array_equal(shown_slice(layer), data[2]))
    node = drawn_node(viewer, layer)
    assert node.visible
    layer.visible = False
    assert not node.visible
    viewer.layers.remove(layer)
    assert drawn_node(viewer, layer) is None


def test_a_dock_shows_a_short_title_and_can_still_be_removed(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    dock = viewer.window.add_dock_widget(QLabel("x"), name="Track (SAM 2 Probe)")
    show_dock_title(dock, "Track")
    assert dock.windowTitle() == "Track"
    assert "Track" in {label.text() for label in dock.titleBarWidget().findChildren(QLabel)}
    assert "Track (SAM 2 Probe)" not in {label.text() for label in dock.titleBarWidget().findChildren(QLabel)}
    viewer.window.remove_dock_widget(dock)


def test_a_shape_is_being_drawn_from_press_to_release(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((40, 60), np.uint8))
    shapes = viewer.add_shapes()
    shapes.mode = "add_rectangle"
    viewer.reset_view()
    native = viewer.window._qt_viewer.canvas.native
    drawing = []
    shapes.events.data.connect(lambda event: drawing.append(is_drawing(shapes)))
    start, end = (canvas_point(viewer, shapes, place) for place in ((5, 5), (30, 50)))
    from qtpy.QtCore import Qt

    qtbot.mouseMove(native, start)
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(native, end)
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=end)
    assert any(drawing)
    assert not is_drawing(shapes)


def test_private_parts_are_used_nowhere_else():
    used = {
        (path.name, node.attr)
        for path in GUI.rglob("*.py")
        if path.name != "napari_private.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in NAMES
    }
    assert used == set()
