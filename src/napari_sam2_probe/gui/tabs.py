"""Panels that napari would put below one another lie behind one another, as tabs.

Opened from the menu, each panel would take room from those that are open already, and soon the window would be higher
than the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDockWidget, QMainWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtCore import QSize
    from qtpy.QtWidgets import QWidget


def dock_of(panel: QWidget) -> QDockWidget | None:
    """Return the dock that a panel lies in."""
    parent = panel.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def tab_with(panel: QWidget, others: Iterable[QWidget], size: QSize) -> None:
    """Put a panel that has just been opened before one of some others in its part of the window, as a tab.

    Parameters
    ----------
    panel
        In its dock.
    others
        Panels that may lie there already.
    size
        Of the window before the panel was opened, which it gets again: it may have grown for a moment in which the
        panel lay below the others.
    """
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
            if window.height() > size.height() and window.layout() is not None:
                # Else the layout would not know yet that there is room.
                window.layout().activate()
                window.resize(size)
            return
