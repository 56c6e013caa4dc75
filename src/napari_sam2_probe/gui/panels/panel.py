"""What every panel is: a widget that finds the state of its viewer, and ends what it began when its dock closes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.blank_frames import hide_blank_frames
from napari_sam2_probe.gui.closing import close_all, delete_when_undocked
from napari_sam2_probe.gui.collector import GcThrottle
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.napari_private import main_window
from napari_sam2_probe.gui.one_video import show_one_video
from napari_sam2_probe.gui.outlines import outline_truth
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tabs import MenuName, menu_entries, name_shortly, raise_panel, tab_with

if TYPE_CHECKING:
    import napari.viewer

    from napari_sam2_probe.gui.closing import Closable


class _Place:
    """A panel's entry in the state, for as long as it is open."""

    def __init__(self, panel: Panel) -> None:
        self._panels, self._name = panel.state.panels, panel.objectName()
        self._panel = ref(panel)
        self._panels[self._name] = panel

    def close(self) -> None:
        if self._panels.get(self._name) is self._panel():
            self._panels.pop(self._name, None)


class Panel(QWidget):
    """A widget in a dock of its own, or a page of another panel. A viewer has one of each at most.

    Attributes
    ----------
    state
        What the panels of a viewer share.
    viewer
        The viewer itself; napari may have given a proxy, whose layers are proxies too.
    connections
        To the signals of what outlives the panel.
    background
        One thread for what is read and computed; it begins with the first request.
    """

    displaced = Signal()
    """Another panel of this name has been opened: this one is to leave."""

    def __init__(self, viewer: napari.viewer.Viewer, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.state = state_of(viewer)
        self.viewer = self.state.viewer
        self.background = Background()
        self.connections = Connections()
        self._ends: list[Closable] = [self.connections, self.background, GcThrottle(self.viewer)]
        before = self.state.panels.get(name)
        if before is not None:
            before.make_way()
        self._ends.append(_Place(self))
        # Bound to what outlives the widget: Qt calls it when its own part is gone already.
        self.destroyed.connect(partial(close_all, self._ends))
        delete_when_undocked(self)
        hide_blank_frames(self.viewer)
        outline_truth(self.viewer)
        show_one_video(self.viewer)
        self._has_place = False
        # Not while Qt shows the dock: docks that move then are laid out wrongly.
        self._arranging = QTimer(self, singleShot=True, interval=0)
        self._arranging.timeout.connect(self.arrange)
        self._size_before = main_window(self.viewer).size()

    def end_with_panel(self, thing: Closable) -> None:
        """Also close this when the panel ends."""
        self._ends.append(thing)

    def end(self) -> None:
        """End all connections and threads; the widget is of no more use. Calling it twice is harmless."""
        close_all(self._ends)

    def make_way(self) -> None:
        """Leave, since another panel of this name comes."""
        self.end()
        dock = self.parent()
        if isinstance(dock, QDockWidget):
            self.viewer.window.remove_dock_widget(dock)
        self.displaced.emit()

    def arrange(self) -> None:
        """Do what remains once the panel's own dock is shown for the first time, such as to move it."""

    def showEvent(self, event: Any) -> None:
        """Find a place when the panel is opened; Qt calls it."""
        super().showEvent(event)
        if not self._has_place and isinstance(self.parent(), QDockWidget):
            self._has_place = True
            self._arranging.start()
            tab_with(self, list(self.state.panels.values()), self._size_before)
            name_shortly(self)
            # Qt ends this by itself with either of the two.
            self.parent().topLevelChanged.connect(self._on_floating)
            self.end_with_panel(MenuName(self, self.viewer.window))
            for entry in menu_entries(self.window(), self.objectName()):
                self.connections.add(entry.triggered, self._on_menu)

    def _on_floating(self, _: bool) -> None:
        # napari makes another title bar, with the long name.
        name_shortly(self)

    def _on_menu(self, *_: Any) -> None:
        # napari hides a panel that is chosen while it is open, also one behind others.
        raise_panel(self)

    def closeEvent(self, event: Any) -> None:
        """End all connections and the thread; Qt calls it."""
        self.end()
        super().closeEvent(event)
