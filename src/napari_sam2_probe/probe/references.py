"""Which earlier frames a frame is compared with: the one rule, for recorders, sweeps, tables and figures.

A frame counts as a reference once it is past and its object is present; prompted frames do too, unless they are left
out. A frame's references are the last few of those before it. Nothing here computes on embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.feature_names import LONG_WINDOW

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def counts_as_reference(present: ArrayLike, prompted: ArrayLike, *, prompted_references: bool) -> NDArray[np.bool_]:
    """Return whether frames count as references once they are past.

    Parameters
    ----------
    present
        Whether the object is in the frame: by the recipe, else by SAM 2's own score.
    prompted
        Whether the frame is a prompted one; of a shape that goes with `present`.
    prompted_references
        Whether prompted frames may be references.
    """
    allowed = np.logical_or(prompted_references, np.logical_not(prompted))
    counts: NDArray[np.bool_] = np.logical_and(present, allowed)
    return counts


@dataclass(frozen=True, eq=False)
class References:
    """The references of every frame of one video, or of many of one length.

    Attributes
    ----------
    is_reference
        (..., T) bool: the frame is a reference for later ones.
    """

    is_reference: NDArray[np.bool_]

    @classmethod
    def of(cls, present: ArrayLike, prompted: ArrayLike, *, prompted_references: bool = True) -> References:
        """Make it from where the object is (..., T) and which frames are prompted; see `counts_as_reference`."""
        return cls(counts_as_reference(present, prompted, prompted_references=prompted_references))

    @property
    def before(self) -> NDArray[np.int64]:
        """(..., T) how many references come before the frame."""
        before: NDArray[np.int64] = np.cumsum(self.is_reference, axis=-1, dtype=np.int64) - self.is_reference
        return before

    @property
    def last(self) -> NDArray[np.int64]:
        """(..., T) the last reference before the frame; -1 for none."""
        return _latest_before(np.where(self.is_reference, np.arange(self.is_reference.shape[-1]), -1))

    def window(self, width: int = LONG_WINDOW) -> NDArray[np.int64]:
        """Return (..., T) how many references the frame has of at most `width`."""
        return np.minimum(self.before, width)

    def holds(self, marked: ArrayLike, width: int = LONG_WINDOW) -> NDArray[np.bool_]:
        """Return (..., T) whether any of the last `width` references before the frame is a `marked` one (..., T)."""
        before = self.before
        newest = _latest_before(np.where(np.logical_and(self.is_reference, marked), before, -1))
        holds: NDArray[np.bool_] = (newest >= 0) & (newest >= before - width)
        return holds

    def as_frames(self, width: int = LONG_WINDOW) -> NDArray[np.int64]:
        """Return (..., T, width) the last `width` references before each frame, in time order; -1 in front."""
        latest = np.full((*self.is_reference.shape, width), -1, np.int64)
        for t in range(1, self.is_reference.shape[-1]):
            new = self.is_reference[..., t - 1, None]
            moved = np.concatenate([latest[..., t - 1, 1:], np.full_like(latest[..., t - 1, :1], t - 1)], axis=-1)
            latest[..., t, :] = np.where(new, moved, latest[..., t - 1, :])
        return latest

    def frames(self, frame_idx: int, width: int = LONG_WINDOW) -> list[int]:
        """Return the last `width` references before a frame of one video, in time order."""
        frames: list[int] = np.flatnonzero(self.is_reference[:frame_idx])[-width:].tolist()
        return frames

    def reach(self, frame_idx: int, width: int = LONG_WINDOW) -> slice:
        """Return the later frames of one video that have a frame among their `width` references, if it is one."""
        later = np.flatnonzero(self.is_reference[frame_idx + 1 :])
        end = len(self.is_reference) if len(later) < width else frame_idx + 1 + int(later[width - 1]) + 1
        return slice(frame_idx + 1, end)


def _latest_before(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (..., T) the largest of the numbers before each; -1 before the first."""
    latest: NDArray[np.int64] = np.maximum.accumulate(numbers, axis=-1)
    return np.concatenate([np.full_like(latest[..., :1], -1), latest[..., :-1]], axis=-1)
