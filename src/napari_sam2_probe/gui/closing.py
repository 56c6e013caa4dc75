"""Notice that a viewer's window closes while there is still time to end threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari


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
    """Call `callback` once, in the GUI thread, when the window of `viewer` closes."""
    _Watcher(viewer.window._qt_window, callback)
