"""Work for the GUI thread in small pieces: one a turn of the event loop, in order.

napari takes up to a tenth of a second to add a layer. Several at once would hold up the window for their sum; one a
turn leaves it time to draw and to answer between them.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Turns(QObject):
    """Calls what it is given, each in a turn of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: deque[Callable[[], object]] = deque()
        self._closed = False
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._take)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Callable[[], object]) -> None:
        """Call this after all that was added before."""
        if not self._closed:
            self._calls.append(call)
            self._next.start()

    def run(self, steps: Iterator[object]) -> None:
        """Go through an iterator, each step a turn, after all that was added before."""
        self.add(partial(self._step, steps))

    def close(self) -> None:
        """Call nothing more; calling it twice is harmless."""
        self._closed = True
        self._calls.clear()

    def _take(self) -> None:
        if self._calls:
            call = self._calls.popleft()
            # Before the call, which may raise or run the event loop itself.
            if self._calls:
                self._next.start()
            call()

    def _step(self, steps: Iterator[object]) -> None:
        ended = object()
        if next(steps, ended) is not ended and not self._closed:
            self._calls.appendleft(partial(self._step, steps))
            self._next.start()
