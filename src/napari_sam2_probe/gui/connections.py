"""Connections that end together, whatever kind of signal they belong to."""

from __future__ import annotations

from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable


class Connections:
    """Connections of a panel to what outlives it: the viewer, its layers, the shared state.

    Bound methods are held weakly, so that this keeps no panel alive. It is no QObject, so Qt's ``destroyed`` can still
    call `close` when the panel itself is gone.
    """

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[[], Callable[..., Any] | None]]] = []

    def add(self, signal: Any, slot: Callable[..., Any]) -> None:
        """Connect a psygnal signal, a napari event emitter or a Qt signal."""
        signal.connect(slot)
        self._made.append((signal, WeakMethod(slot) if isinstance(slot, MethodType) else lambda: slot))

    def remove(self, signal: Any, slot: Callable[..., Any]) -> None:
        """End one connection; no harm if there is none."""
        kept = [(made, weak) for made, weak in self._made if made is not signal or weak() != slot]
        if len(kept) < len(self._made):
            self._made = kept
            _disconnect(signal, slot)

    def close(self) -> None:
        """End all of them; calling it twice is harmless."""
        while self._made:
            signal, weak = self._made.pop()
            slot = weak()
            if slot is not None:
                _disconnect(signal, slot)


def _disconnect(signal: Any, slot: Callable[..., Any]) -> None:
    # What it belonged to may be gone already, and has taken the connection with it; PySide6 says so by a SystemError.
    with suppress(RuntimeError, TypeError, ValueError, SystemError):
        signal.disconnect(slot)
