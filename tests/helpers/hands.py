"""What a person's hand does in a napari window, and what the eye sees there."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QImage, QMouseEvent, QWheelEvent
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


def drag_canvas(qtbot, viewer, layer, places):
    """Press the mouse on the first of some places of a layer, move it over the others and let go."""
    native = viewer.window._qt_viewer.canvas.native
    points = [canvas_point(viewer, layer, place) for place in places]
    qtbot.mouseMove(native, points[0])
    qtbot.mousePress(native, LEFT, pos=points[0])
    for at in points[1:]:
        # What qtbot moves holds no button.
        held = (Qt.MouseButton.NoButton, LEFT, Qt.KeyboardModifier.NoModifier)
        whole = QPointF(at), QPointF(native.mapToGlobal(at))
        QApplication.sendEvent(native, QMouseEvent(QEvent.Type.MouseMove, *whole, *held))
        qtbot.wait(20)
    qtbot.mouseRelease(native, LEFT, pos=points[-1])


def choose_corruption(qtbot, field, name):
    """Open the menu of a field of corruptions and click one of them."""
    menu = field.button.menu()
    action = next(action for action in menu.actions() if action.text() == name)
    # Some versions of Qt show a menu in an event loop of its own, which ends with the choice.
    QTimer.singleShot(200, lambda: qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center()))
    assert field.button.isEnabled()
    with qtbot.waitSignal(action.triggered, timeout=10_000):
        qtbot.mouseClick(field.button, LEFT)
    qtbot.waitUntil(lambda: not menu.isVisible())
    return action


def turn_wheel(widget, x, y, notches):
    """Turn the mouse's wheel over a place of a widget; upwards where positive."""
    at = QPointF(x, y)
    about = (QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
    event = QWheelEvent(at, QPointF(widget.mapToGlobal(at.toPoint())), *about, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(widget, event)


def picture_of(widget):
    """What a widget shows, (H, W, 3) uint8."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        # PyQt's pointer doesn't know to how much it points; PySide gives a memoryview.
        bits.setsize(image.sizeInBytes())
    rows = np.array(bits, np.uint8, copy=True).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
