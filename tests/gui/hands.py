"""What a person's hand does in a napari window."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

LEFT = Qt.MouseButton.LeftButton


def canvas_point(viewer, layer, place):
    """Where on the canvas a place of a layer is drawn."""
    canvas = viewer.window._qt_viewer.canvas
    for _ in range(3):
        QApplication.processEvents()
    y, x = layer.data_to_world(place)[-2:]
    (cy, cx), zoom = viewer.camera.center[-2:], viewer.camera.zoom
    width, height = canvas._scene_canvas.size
    return QPoint(round(width / 2 + (x - cx) * zoom), round(height / 2 + (y - cy) * zoom))


def click_canvas(qtbot, viewer, layer, place):
    """Click with the mouse on a place of a layer."""
    at, native = canvas_point(viewer, layer, place), viewer.window._qt_viewer.canvas.native
    qtbot.mouseMove(native, at)
    qtbot.mousePress(native, LEFT, pos=at)
    qtbot.mouseRelease(native, LEFT, pos=at)
