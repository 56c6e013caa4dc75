"""The masks that a pass saw: the one that SAM 2 took and those it did not, kept small for policies that look."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.video.masks import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""First and last column and row that a mask covers: x0, y0, x1, y1."""


@dataclass(frozen=True, eq=False)
class SeenMasks:
    """Candidate masks of a frame at low resolution, a quarter of the model input's side, packed to a few kilobytes.

    Attributes
    ----------
    shape
        (M, h, w).
    taken
        Which of them SAM 2 went on with.
    packed
        One bit a pixel, compressed.
    """

    shape: tuple[int, int, int]
    taken: int
    packed: bytes

    @classmethod
    def of(cls, masks: NDArray[np.bool_], taken: int) -> SeenMasks:
        """Keep masks (M, h, w) bool."""
        count, height, width = masks.shape
        return cls((count, height, width), taken, zlib.compress(np.packbits(masks).tobytes(), 1))

    @classmethod
    def of_pass(cls, out: dict[str, Any]) -> SeenMasks:
        """Keep what ``track_step`` gave: all candidates, the one that was taken as it was stored."""
        candidates = (out["low_res_multimasks"][0] > 0).cpu().numpy()
        taken = int(out["ious"][0].argmax()) if len(candidates) > 1 else 0
        candidates[taken] = (out["pred_masks"][0, 0] > 0).cpu().numpy()
        return cls.of(candidates, taken)

    def taking(self, index: int) -> SeenMasks:
        """Return the same with another mask taken."""
        return SeenMasks(self.shape, index, self.packed)

    def all(self) -> NDArray[np.bool_]:
        """Return all masks (M, h, w)."""
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return np.unpackbits(bits, count=int(np.prod(self.shape))).reshape(self.shape).astype(np.bool_)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The mask (h, w) that was taken."""
        mask: NDArray[np.bool_] = self.all()[self.taken]
        return mask

    def others(self) -> list[NDArray[np.bool_]]:
        """Return the masks (h, w) that were not taken."""
        return [mask for index, mask in enumerate(self.all()) if index != self.taken]

    @cached_property
    def area(self) -> int:
        """Pixels of the mask that was taken."""
        return int(self.mask.sum())

    @cached_property
    def box(self) -> Box | None:
        """The box around the mask that was taken; None if it is empty."""
        return box_of(self.mask)


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Return first and last column and row of a mask (h, w), as x0, y0, x1, y1; None if it is empty."""
    if not mask.any():
        return None
    x0, y0, x1, y1 = bounding_box(mask)
    return x0, y0, x1 - 1, y1 - 1
