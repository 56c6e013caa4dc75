"""What every panel is: a widget that finds the state of its viewer, and ends what it began when its dock closes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from qtpy.QtWidgets import QWidget

from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.blank_frames import hide_blank_frames
from napari_sam2_probe.gui.closing import close_all, delete_when_undocked
from napari_sam2_probe.gui.collector import GcThrottle
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.one_video import show_one_video
from napari_sam2_probe.gui.outlines import outline_truth
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tabs import menu_entries, name_shortly, raise_panel, tab_with

if TYPE_CHECKING:
    import napari.viewer

    from napari_sam2_probe.gui.closing import Closable


_OPENED: WeakSet[Panel] = WeakSet()


class Panel(QWidget):
    """A widget in a dock of its own.

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

    def __init__(self, viewer: napari.viewer.Viewer, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.state = state_of(viewer)
        self.viewer = self.state.viewer
        self.background = Background()
        self.connections = Connections()
        self._ends: list[Closable] = [self.connections, self.background, GcThrottle(self.viewer)]
        # Bound to what outlives the widget: Qt calls it when its own part is gone already.
        self.destroyed.connect(partial(close_all, self._ends))
        delete_when_undocked(self)
        hide_blank_frames(self.viewer)
        outline_truth(self.viewer)
        show_one_video(self.viewer)
        self._size_before = self.viewer.window._qt_window.size()

    def end_with_panel(self, thing: Closable) -> None:
        """Also close this when the panel ends."""
        self._ends.append(thing)

    def showEvent(self, event: Any) -> None:
        """Find a place when the panel is opened; Qt calls it."""
        super().showEvent(event)
        if self not in _OPENED:
            _OPENED.add(self)
            tab_with(self, [panel for panel in _OPENED if panel.state is self.state], self._size_before)
            name_shortly(self)
            for entry in menu_entries(self.window(), self.objectName()):
                self.connections.add(entry.triggered, self._on_menu)

    def _on_menu(self, *_: Any) -> None:
        # napari hides a panel that is chosen while it is open, also one behind others.
        raise_panel(self)

    def closeEvent(self, event: Any) -> None:
        """End all connections and the thread; Qt calls it."""
        close_all(self._ends)
        super().closeEvent(event)
