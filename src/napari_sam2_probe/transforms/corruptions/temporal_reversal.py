"""The clip backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import NoOptions

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


class TemporalReversal(Corruption[NoOptions]):
    """The clip backwards."""

    name = "temporal-reversal"
    title = "Temporal reversal"
    description = "the clip backwards"
    unfit = "turns prefix and suffix around, and may begin where the object is hidden"

    def apply(self, clip: Clip, options: NoOptions, rng: np.random.Generator) -> Clip:
        """Return the last frame first."""
        return clip.take_frames(np.arange(clip.num_frames)[::-1])
