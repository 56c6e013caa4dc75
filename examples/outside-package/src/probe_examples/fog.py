"""A corruption, for clips of any kind: everything fades to grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms import Corruption, number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms import Clip


@dataclass(frozen=True)
class FogOptions:
    """How thick it is."""

    density: float = number(0.5, low=0, high=1)
    """Share of the grey in each pixel."""


class Fog(Corruption[FogOptions]):
    """Light grey over everything, evenly."""

    name = "fog"
    title = "Fog"
    description = "everything fades to grey"
    options_type = FogOptions

    def apply(self, clip: Clip, options: FogOptions, rng: np.random.Generator) -> Clip:
        """Return the clip in fog; masks stay, and nothing is random."""
        levels = np.rint((1 - options.density) * np.arange(256) + options.density * 200).astype(np.uint8)
        return clip.with_frames(levels[clip.frames])
