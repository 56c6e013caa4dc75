"""Things that are costly to make and asked for again soon, kept as long as they fit into some memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Sized(Protocol):
    """An array, a memoryview, or whatever else says how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        ...


Keepable = Sized | Image.Image
"""What can be kept."""

_Thing = TypeVar("_Thing", bound=Keepable)


class Recent(Generic[_Thing]):
    """The things that were used last, by key.

    Parameters
    ----------
    limit_bytes
        How much memory they may take together; the least recently used go first. What is larger alone is given out
        and not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._things: OrderedDict[Hashable, _Thing] = OrderedDict()
        self._used_bytes = 0

    def find(self, key: Hashable) -> _Thing | None:
        """Return the thing with this key, or None if it is not kept."""
        if key not in self._things:
            return None
        self._things.move_to_end(key)
        return self._things[key]

    def get(self, key: Hashable, make: Callable[[], _Thing]) -> _Thing:
        """Return the thing with this key, which is made where it is not kept. It is shared: don't write into it."""
        thing = self.find(key)
        if thing is None:
            thing = make()
            self._keep(key, thing)
        return thing

    def _keep(self, key: Hashable, thing: _Thing) -> None:
        if size_of(thing) > self._limit_bytes:
            return
        self._things[key] = thing
        self._used_bytes += size_of(thing)
        while self._used_bytes > self._limit_bytes:
            self._used_bytes -= size_of(self._things.popitem(last=False)[1])


def size_of(thing: Keepable) -> int:
    """Return how much memory a thing takes, in bytes: an image 4 a pixel, as Pillow keeps all that has colours."""
    return 4 * thing.width * thing.height if isinstance(thing, Image.Image) else thing.nbytes
