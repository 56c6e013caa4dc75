"""Python's garbage collector, kept from holding up the window.

Now and then Python searches every object it has made for circles that nobody refers to any more. With napari and torch
there are half a million, which takes a quarter of a second in whichever thread it happens, and the window waits. So
what has outlived a search that took long is set aside (`gc.freeze`), and the next search looks at what is new alone.

What is set aside still goes when its last reference goes; only circles are no longer found. So all is put back
(`gc.unfreeze`) whenever something large or long-lived ends: a panel, a viewer, a model, layers or figures that together
held much memory.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari_sam2_probe.gui.connections import Connections

if TYPE_CHECKING:
    import napari

LONG_SEARCH = 0.02
"""Seconds of computing from which on a search counts as long."""

LARGE = 64 * 2**20
"""Bytes of layers and figures that are gone from which on their memory must not wait for the viewer to close."""

LAYER_OBJECTS = 2 * 2**20
"""Bytes of what napari makes for a layer beside its array; all of it hangs together in circles."""


class GcThrottle:
    """Lets the collector search new objects only, until the last of these is closed; one a panel.

    Parameters
    ----------
    viewer
        The viewer whose layers may hold memory.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._connections = Connections()
        self._connections.add(viewer.layers.events.removed, _on_layer_removed)
        first = not _at_ease
        _at_ease.add(self)
        if first:
            gc.callbacks.append(_on_search)
            freeze_loaded_objects()

    def close(self) -> None:
        """Put everything back; calling it twice is harmless."""
        self._connections.close()
        if self not in _at_ease:
            return
        _at_ease.remove(self)
        if not _at_ease:
            gc.callbacks.remove(_on_search)
        gc.unfreeze()


def freeze_loaded_objects() -> None:
    """Tell the collector that much was imported or loaded that is here to stay; for any thread."""
    if _at_ease:
        gc.freeze()


def note_released(num_bytes: int) -> None:
    """Tell that something with circles has ended, and how many bytes it held."""
    if _at_ease:
        _ended.append(num_bytes)
        if sum(_ended) > LARGE:
            _ended.clear()
            gc.unfreeze()


_at_ease: WeakSet[GcThrottle] = WeakSet()
_began: list[float] = []
_ended: list[int] = []


def _on_search(phase: str, about: dict[str, int]) -> None:
    if about["generation"] < 2:
        return
    if phase == "start":
        _began[:] = [time.thread_time()]
    elif _began and time.thread_time() - _began.pop() > LONG_SEARCH:
        gc.freeze()


def _on_layer_removed(event: Any) -> None:
    note_released(LAYER_OBJECTS + getattr(event.value.data, "nbytes", 0))
