"""Frames left out at random, as of a lossy link or a slow camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


@dataclass(frozen=True, slots=True)
class FrameDropOptions:
    """Its options."""

    rate: float = number(0.2, low=0, high=0.95)
    """The probability with which a frame is lost."""


class FrameDrop(Corruption[FrameDropOptions]):
    """Frames left out at random, as of a lossy link or a slow camera."""

    name = "frame-drop"
    title = "Frame drop"
    description = "frames left out at random"
    options_type = FrameDropOptions
    unfit = "gives clips of several lengths"

    def apply(self, clip: Clip, options: FrameDropOptions, rng: np.random.Generator) -> Clip:
        """Return the clip without the lost frames; the first, which is prompted, is never lost."""
        kept = rng.random(clip.num_frames) >= options.rate
        kept[0] = True
        return clip.take_frames(np.flatnonzero(kept))
