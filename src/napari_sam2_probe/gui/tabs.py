"""Panels that napari would put below one another lie behind one another, as tabs.

Opened from the menu, each panel would take room from those that are open already, and soon the window would be higher
than the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDockWidget, QMainWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QWidget


def dock_of(panel: QWidget) -> QDockWidget | None:
    """Return the dock that a panel lies in."""
    parent = panel.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def tab_with(panel: QWidget, others: Iterable[QWidget]) -> None:
    """Put a panel that has just been opened before the last of some others in its part of the window, as a tab."""
    dock, window = dock_of(panel), panel.window()
    if dock is None or dock.isFloating() or not isinstance(window, QMainWindow):
        return
    if window.tabifiedDockWidgets(dock):
        return
    area = window.dockWidgetArea(dock)
    for other in map(dock_of, others):
        if other is None or other is dock or other.window() is not window or other.isFloating():
            continue
        if other.isVisible() and window.dockWidgetArea(other) == area:
            window.tabifyDockWidget(other, dock)
            dock.raise_()
            return
