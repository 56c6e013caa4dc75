"""SAMURAI's memory policy: the last frames that SAM 2 was sure of and whose boxes moved as they should."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from napari_sam2_probe.tracking.motion import motion_scores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam2_probe.tracking.bank import BankEntry
    from napari_sam2_probe.tracking.policies import StoredBank


@dataclass(frozen=True)
class Samurai:
    """Memories by predicted IoU, object score and motion score; pointers as SAM 2 reads them (arXiv 2411.11922).

    A frame's memory is read if its predicted IoU, object score and motion score are all above thresholds; the frame
    before is read always. The motion score is the IoU of the mask's box with the one that a Kalman filter expects, and
    is asked for only where the filter has seen 15 steady frames.

    Left out: SAMURAI also chooses among the candidate masks by their motion, and believes an object there down to an
    object score of -1; a policy chooses only what is read, so the mask is SAM 2's own. Boxes are of low-resolution
    masks. The first tracked frame may be read, which the official code skips.
    """

    iou: float = 0.5
    score: float = 0.0
    motion: float = 0.0

    looks_at_masks: ClassVar[bool] = True

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return the entries that the rule selects."""
        past = bank.past
        ious = {t: _certain(bank.predicted_iou(t)) for t in past}
        in_order = list(reversed(past))
        moved = dict(zip(in_order, motion_scores([(bank.masks(t).box, ious[t]) for t in in_order]), strict=True))

        def is_sure(t: int) -> bool:
            motion = moved[t]
            steady = motion is None or motion > self.motion
            return ious[t] > self.iou and bank.object_score(t) > self.score and steady

        before = bank.reading.back(1)
        memories = [t for t in past if t == before or is_sure(t)][: bank.rule.num_maskmem - 1]
        pointers = [entry.frame for entry in bank.stock.pointers if entry.role == "recent"]
        return bank.entries(memories, pointers)


def _certain(iou: float) -> float:
    # A mask that the user gave is as it should be.
    return 1.0 if math.isnan(iou) else iou
