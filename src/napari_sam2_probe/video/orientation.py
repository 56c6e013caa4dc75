"""How a player lays out what a decoder gives: the display matrix of a video, as far as it moves whole pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ONE = 1 << 16


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn by quarters and mirroring: axes are swapped first, then flipped.

    Attributes
    ----------
    swap
        Whether rows become columns.
    flip_x, flip_y
        Whether the result is mirrored from left to right, and upside down.
    """

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of what is shown."""
        return (height, width) if self.swap else (width, height)

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what is shown of a decoded picture (H, W, 3), contiguous."""
        shown = picture.swapaxes(0, 1) if self.swap else picture
        shown = shown[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.ascontiguousarray(shown)


def orientation_of(frame: Any) -> Orientation:
    """Return how a decoded frame (of PyAV) is to be shown.

    Raises
    ------
    ValueError
        If its display matrix does more than to turn by quarters and to mirror.
    """
    content = next((bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if content is None:
        return Orientation()
    # Of FFmpeg's avutil/display.h: x' = a x + c y, y' = b x + d y, in 16.16; the rest are shifts and perspective.
    a, b, _, c, d, _, _, _, _ = struct.unpack("=9i", content)
    if b == c == 0 and abs(a) == abs(d) == _ONE:
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    if a == d == 0 and abs(b) == abs(c) == _ONE:
        return Orientation(swap=True, flip_x=c < 0, flip_y=b < 0)
    raise ValueError("turns by other than quarters, scales or shears its pictures")
