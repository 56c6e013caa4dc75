"""Panels that napari would put below one another lie behind one another, as tabs.

Opened from the menu, each panel would take room from those that are open already, and soon the window would be higher
than the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar

from napari_sam2_probe.gui.napari_private import docks_by_name, show_dock_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.window import Window
    from qtpy.QtCore import QSize
    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QWidget


_PLUGIN = "napari-sam2-probe"
_NAMES = (" (SAM 2 Probe)", f" ({_PLUGIN})")
"""What napari adds to the title of a dock: the plugin's display name, or its name where a script opens it."""


def dock_of(panel: QWidget) -> QDockWidget | None:
    """Return the dock that a panel lies in."""
    parent = panel.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def menu_entries(window: QWidget, panel_name: str) -> list[QAction]:
    """Return the entries of a window's menus that open the panel whose command has this name."""
    if not isinstance(window, QMainWindow):
        return []
    menus = [action.menu() for action in window.menuBar().actions() if action.menu() is not None]
    actions = [action for menu in menus for action in menu.actions()]
    actions += [action for entry in actions if entry.menu() is not None for action in entry.menu().actions()]
    return [action for action in actions if action.objectName() == f"{_PLUGIN}.{panel_name}"]


def raise_panel(panel: QWidget) -> None:
    """Bring a panel in front of those that lie in its part of the window."""
    dock = dock_of(panel)
    if dock is not None:
        dock.show()
        dock.raise_()


def name_shortly(panel: QWidget) -> None:
    """Leave the plugin's name out of a panel's tab and title bar, where there is no room, and let no tab be cut."""
    dock, window = dock_of(panel), panel.window()
    if dock is not None:
        title = dock.windowTitle()
        for name in _NAMES:
            title = title.removesuffix(name)
        show_dock_title(dock, title)
    for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
        bar.setElideMode(Qt.TextElideMode.ElideNone)
        bar.setUsesScrollButtons(True)


def move_below(panel: QWidget, height: int) -> None:
    """Move a panel's dock below the canvas, this high in pixels; not one that floats, and no page of another panel."""
    dock, window = panel.parent(), panel.window()
    if isinstance(dock, QDockWidget) and isinstance(window, QMainWindow) and not dock.isFloating():
        # Below the canvas only, so that the panels at the sides keep their height.
        window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        area = Qt.DockWidgetArea.BottomDockWidgetArea
        below = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not dock and other.isVisible() and window.dockWidgetArea(other) == area
        ]
        if below:
            # Beside one another they would be wider than a small window.
            window.tabifyDockWidget(below[0], dock)
        else:
            window.addDockWidget(area, dock)
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)
        dock.show()
        dock.raise_()


def widen(panel: QWidget, width: int) -> None:
    """Give a panel's dock at a side of the window this width in pixels, if it has less."""
    dock, window = panel.parent(), panel.window()
    if not isinstance(dock, QDockWidget) or not isinstance(window, QMainWindow):
        return
    if not dock.isFloating() and dock.width() < width:
        window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)


class MenuName:
    """The name by which a panel's entry in the menu finds its dock, also where a script or the command line opened it.

    napari keeps docks by their titles, and gives those of the menu the plugin's display name. It would open the panel a
    second time.
    """

    def __init__(self, panel: QWidget, window: Window) -> None:
        self._docks = docks_by_name(window)
        self._name = ""
        dock = panel.parent()
        for name, kept in list(self._docks.items()):
            title = name.removesuffix(_NAMES[1])
            if kept is dock and title != name and title + _NAMES[0] not in self._docks:
                self._name = title + _NAMES[0]
                self._docks[self._name] = dock

    def close(self) -> None:
        """Forget the name: napari forgets only its own."""
        if self._name:
            self._docks.pop(self._name, None)
            self._name = ""


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
