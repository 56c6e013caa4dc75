"""The part of an image that matters when two masks are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Crop:
    """A box of pixels: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def extended(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Cut the box out of `mask` with one row more below and one column more to the right.

        Beyond the image's own edge the last row and column are repeated, so that no outline runs along the edge.
        """
        height, width = mask.shape
        part = mask[self.top : self.bottom + 1, self.left : self.right + 1]
        beyond = ((0, int(self.bottom == height)), (0, int(self.right == width)))
        return np.pad(part, beyond, mode="edge") if beyond != ((0, 0), (0, 0)) else part


def crop_to_masks(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Crop | None:
    """Return the smallest box that holds both masks and their outlines; None if both are empty.

    The outline of a mask lies half a pixel up and left of it, so the box begins one pixel before the mask.
    """
    either = first | second
    rows = np.flatnonzero(either.any(axis=1))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(either[top:bottom].any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    return Crop(max(top - 1, 0), bottom, max(left - 1, 0), right)
