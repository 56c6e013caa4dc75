"""The oracle: what to read is tried out and judged by the true mask. A bound to compare policies with, not a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.bank import BankEntry
    from napari_sam2_probe.tracking.policies import StoredBank
    from napari_sam2_probe.video.source import FrameSource


@dataclass(frozen=True)
class Oracle:
    """Memories chosen greedily by the true mask of the very frame: a bound, not a method.

    Starting from the conditioning frames alone, the frame of the past whose memory and pointer raise the mask's IoU
    with the truth most is added, as long as one does; candidates are `pool` frames spread evenly over the past, the
    nearest and the farthest included. What SAM 2 itself reads stays where nothing is better, so on each frame the mask
    is never worse than by SAM 2's choice from the same stored frames.

    It is greedy in two ways: a better set may need two frames at once, and a frame's choice does not look at what
    frames after it could make of its memory. So it bounds one frame's choice, not what a policy can reach on a whole
    video. Frames without a true mask, and prompted ones, read what SAM 2 would.
    """

    pool: int = 6

    def __post_init__(self) -> None:
        if isinstance(self.pool, bool) or not isinstance(self.pool, int) or self.pool < 1:
            raise InputError(f"The memory policy oracle can't choose among {self.pool!r} frames: give 1 or more.")

    def for_video(self, source: FrameSource) -> OracleOfVideo:
        """Return the oracle that knows a video's true masks.

        Raises
        ------
        InputError
            If it has none.
        """
        if not getattr(source, "has_masks", False):
            raise InputError(
                f"The memory policy oracle needs true masks, and {source.name} has none: give a sequence of a data set "
                "with masks, or choose another policy."
            )
        return OracleOfVideo(self.pool, source)

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Refuse: without a video there is no truth."""
        raise InputError("The memory policy oracle needs true masks: track a video that has some.")


@dataclass(frozen=True)
class OracleOfVideo:
    """The oracle of one video.

    Attributes
    ----------
    pool
        How many frames of the past are tried.
    video
        Has true masks.
    """

    pool: int
    video: Any

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return the entries that gave the best mask.

        Raises
        ------
        InputError
            If the object is none of those in the true masks.
        """
        truth = self._truth(frame, bank.obj_id) if bank.can_attempt else None
        if truth is None:
            return bank.stock.entries

        def iou(entries: tuple[BankEntry, ...]) -> float:
            return overlap(bank.attempt(entries), truth)

        best, highest = bank.stock.entries, iou(bank.stock.entries)
        candidates = spread(bank.past, self.pool)
        chosen: list[int] = []
        entries = bank.entries([])
        value = iou(entries)
        while True:
            if value > highest:
                best, highest = entries, value
            left = [t for t in candidates if t not in chosen]
            if not left or highest == 1 or len(chosen) == bank.rule.num_maskmem - 1:
                break
            tried = {t: self._with(bank, chosen, t) for t in left}
            values = {t: iou(tried[t]) for t in left}
            # Of equals the nearest: `left` is in that order.
            winner = max(left, key=values.__getitem__)
            if values[winner] <= value:
                break
            chosen.append(winner)
            entries, value = tried[winner], values[winner]
        return best

    def _with(self, bank: StoredBank, chosen: list[int], frame: int) -> tuple[BankEntry, ...]:
        both = {*chosen, frame}
        return bank.entries([t for t in bank.past if t in both])

    def _truth(self, frame: int, obj_id: int) -> NDArray[np.bool_] | None:
        if obj_id not in self.video.object_ids():
            ids = ", ".join(map(str, self.video.object_ids()))
            raise InputError(
                f"The memory policy oracle needs true masks, and {self.video.name} has none of object {obj_id} "
                f"(objects: {ids}): give objects the numbers that they have there."
            )
        truth: NDArray[np.bool_] | None = self.video.object_mask(frame, obj_id)
        return truth


def overlap(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the IoU of two masks (H, W); 1 if both are empty."""
    union = np.count_nonzero(mask | truth)
    return 1.0 if union == 0 else np.count_nonzero(mask & truth) / union


def spread(past: tuple[int, ...], most: int) -> list[int]:
    """Return so many of the frames at most, evenly spread, the first and last included, in the same order."""
    if len(past) <= most:
        return list(past)
    index = np.unique(np.round(np.linspace(0, len(past) - 1, most)).astype(int))
    return [past[k] for k in index]
