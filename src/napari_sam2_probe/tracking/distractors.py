"""DAM4SAM's memory policy: recent appearances, and frames on which a distractor was told from the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.seen_masks import box_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.bank import BankEntry
    from napari_sam2_probe.tracking.policies import StoredBank
    from napari_sam2_probe.tracking.seen_masks import Box, SeenMasks

_SIZES, _REMEMBERED = 10, 300
"""How many of the last masks an area is compared with, and within how many frames."""


@dataclass(frozen=True)
class DistractorAware:
    """Recent appearances and distractor-resolving memories (arXiv 2411.17576).

    *Recent appearances*: the last frame with a mask and, before it, every fifth with one. *Distractor-resolving*: up to
    three frames beside the prompted ones, read without temporal encoding as those are. A frame becomes one if SAM 2 was
    sure of it (predicted IoU above 0.8, an area within 20 % of the median of the last 10), another candidate mask
    disagreed (the box around the mask and the largest part of the other that lies outside of it shares 0.7 or less with
    the mask's own box), and 5 frames have passed since the last one. Pointers are those of distractor-resolving frames
    and, of the last 15 frames, of those with a mask.

    Left out: the official tracker compares masks at the video's size, here they are at a quarter of the model's; it
    knows one object, prompted once.
    """

    iou: float = 0.8
    area: float = 0.2
    box: float = 0.7
    gap: int = 5
    stride: int = 5
    most: int = 3

    looks_at_masks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("gap", "stride", "most"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < (name == "stride"):
                raise InputError(
                    f"The memory policy distractor-aware can't have {name}={value!r}: give a whole number."
                )

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return the entries that the rule selects."""
        past = bank.past
        resolving = self.resolving(bank)
        before = bank.reading.back(1)
        kept = [t for t in reversed(resolving) if t != before][: max(0, min(self.most, bank.rule.num_maskmem - 2))]
        visible = [t for t in past if bank.masks(t).area and t not in kept]
        recent: list[int] = []
        for t in visible:
            # Those that were added earlier and are not kept any more are read no more, but for the frame before.
            if t in resolving and t != before:
                continue
            if not recent or t % self.stride == 0:
                recent.append(t)
        recent = recent[: bank.rule.num_maskmem - 1 - len(kept)]
        reach = min(bank.reading.num_frames, bank.rule.max_obj_ptrs_in_encoder) - 1
        pointers = [t for t in visible if abs(t - frame) <= reach]
        conditioning = [entry.frame for entry in bank.stock.memories if entry.role == "conditioning"]
        return bank.entries(recent, pointers, [*conditioning, *kept])

    def resolving(self, bank: StoredBank) -> list[int]:
        """Return the frames on which a distractor was told from the object, in the order of tracking."""
        found: list[int] = []
        areas: list[int] = []
        for t in reversed(bank.past):
            seen = bank.masks(t)
            areas.append(seen.area)
            if not seen.area:
                continue
            median = float(np.median([area for area in areas[-_REMEMBERED:] if area][-_SIZES:]))
            steady = len(areas) > 1 and 1 - self.area <= seen.area / median <= 1 + self.area
            waited = not found or abs(t - found[-1]) > self.gap
            if steady and waited and bank.predicted_iou(t) > self.iou and self._disagree(seen):
                found.append(t)
        return found

    def _disagree(self, seen: SeenMasks) -> bool:
        own = seen.box
        assert own is not None
        for other in seen.others():
            outside = largest_part(other & ~seen.mask)
            if outside is not None:
                around = box_of(outside | seen.mask)
                assert around is not None
                # The mask's own box lies within.
                if _size(own) / _size(around) <= self.box:
                    return True
        return False


def largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the largest part of a mask (h, w) whose pixels touch, also at corners; None if it is empty."""
    from scipy import ndimage

    if not mask.any():
        return None
    labels, _ = ndimage.label(mask, np.ones((3, 3), int))
    largest: NDArray[np.bool_] = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return largest


def _size(box: Box) -> int:
    x0, y0, x1, y1 = box
    return (x1 - x0 + 1) * (y1 - y0 + 1)
