"""A memory policy: each frame reads the nearest memories and pointers alone, to see how far SAM 2 looks back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam2_probe.tracking.bank import BankEntry
    from napari_sam2_probe.tracking.policies import StoredBank


@dataclass(frozen=True)
class Recent:
    """The conditioning frames, and of the others the `count` frames before."""

    count: int = 1

    def choose(self, bank: StoredBank, frame: int) -> Iterable[BankEntry]:
        """Return what a frame reads."""
        return bank.entries(memories=bank.past[: self.count])
