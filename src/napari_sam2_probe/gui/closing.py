"""Notice that a viewer's window or a panel's dock closes, while there is still time to end threads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import QEvent, QObject, QTimer

from napari_sam2_probe.gui.napari_private import main_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import napari
    from qtpy.QtWidgets import QWidget


class Closable(Protocol):
    """What is ended by `close`: connections, threads."""

    def close(self) -> None:
        """End it."""
        ...


def close_all(things: Iterable[Closable], *_: object) -> None:
    """Close what a panel holds, in this order.

    A function of its own, since a panel may be gone when its signal ``destroyed``, which adds an argument, calls it.
    """
    for thing in things:
        thing.close()


class _Watcher(QObject):
    def __init__(self, window: QObject, callback: Callable[[], None]) -> None:
        super().__init__(window)
        self._callback: Callable[[], None] | None = callback
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Call back when the window has been told to close; Qt calls this."""
        # A person who closes the window may still be asked and say no; then it isn't hidden. A script isn't asked.
        ends = event is not None and event.type() in (QEvent.Type.Close, QEvent.Type.Hide) and not event.spontaneous()
        if ends and self._callback is not None:
            callback, self._callback = self._callback, None
            callback()
        return False


def when_closed(viewer: napari.Viewer, callback: Callable[[], None]) -> None:
    """Call `callback` once, in the GUI thread, when the window of `viewer` closes; never where it has none."""
    # A `ViewerModel` is a viewer without a window.
    if hasattr(viewer, "window"):
        _Watcher(main_window(viewer), callback)


_LEAVING: dict[int, QObject] = {}
"""Panels out of their docks. Held, because Qt tells nobody of a widget's end whose Python half went first."""


class _Undocked(QObject):
    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._docked = panel.parent() is not None
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._delete_panel)
        self.destroyed.connect(partial(_forget, id(panel)))
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See whether the panel is taken out of its dock; Qt calls this."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            panel = self.parent()
            if panel.parent() is not None:
                self._docked = True
            elif self._docked:
                # Not yet: it may be on its way into another dock.
                _LEAVING[id(panel)] = panel
                self._soon.start()
        return False

    def _delete_panel(self) -> None:
        panel = _LEAVING.pop(id(self.parent()), None)
        if panel is not None and panel.parent() is None:
            panel.deleteLater()


def delete_when_undocked(panel: QWidget) -> None:
    """Delete a panel once its dock is closed: napari only takes it out, and it would go on listening unseen."""
    _Undocked(panel)


def _forget(panel_id: int, *_: object) -> None:
    _LEAVING.pop(panel_id, None)
