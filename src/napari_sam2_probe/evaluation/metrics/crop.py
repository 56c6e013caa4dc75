"""The part of an image that matters when two masks are compared, packed into bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.evaluation.metrics.bitmap import pack, rectangle

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PackedPair:
    """Two masks cut to the box that holds both and their outlines, as `pack` makes them.

    Attributes
    ----------
    first, second
        The packed masks, with one row more below the box and one column more to its right. Beyond the image's own
        edge these repeat the last row and column, so that no outline runs along the edge.
    inside
        The packed box without that row and column.
    stride
        Bits a row.
    margin
        Unset bits a row at the right of the box, for dilation.
    """

    first: int
    second: int
    inside: int
    stride: int
    margin: int


def crop_pair(first: NDArray[np.bool_], second: NDArray[np.bool_], margin: int) -> PackedPair | None:
    """Cut two masks of one shape to what matters, and pack them; None if both are empty.

    Parameters
    ----------
    first, second
        (H, W) bool.
    margin
        At least 1: the largest radius of a dilation of these masks or their outlines.
    """
    rows = np.flatnonzero(first.any(axis=1) | second.any(axis=1))
    if rows.size == 0:
        return None
    filled = slice(rows[0], rows[-1] + 1)
    columns = np.flatnonzero(first[filled].any(axis=0) | second[filled].any(axis=0))
    # The outline of a mask lies half a pixel up and left of it, so the box begins one pixel before the mask.
    top, bottom = max(int(rows[0]) - 1, 0), int(rows[-1]) + 1
    left, right = max(int(columns[0]) - 1, 0), int(columns[-1]) + 1
    beyond = ((0, int(bottom == first.shape[0])), (0, int(right == first.shape[1])))
    stride = right - left + margin

    def packed(mask: NDArray[np.bool_]) -> int:
        part = mask[top : bottom + 1, left : right + 1]
        return pack(np.pad(part, beyond, mode="edge") if beyond != ((0, 0), (0, 0)) else part, stride)

    inside = rectangle(bottom - top, right - left, stride)
    return PackedPair(packed(first), packed(second), inside, stride, margin)
