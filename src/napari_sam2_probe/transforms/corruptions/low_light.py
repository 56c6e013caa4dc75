"""A dark exposure: less light, so fewer photons and visible shot noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip

# Gray levels are about the 2.2th root of light.
_GAMMA = 2.2


@dataclass(frozen=True, slots=True)
class LowLightOptions:
    """Its options."""

    light: float = number(0.1, low=0.001, high=1)
    """Share of the light that is left."""

    photons: float = number(2000.0, low=1, high=1e6)
    """How many a white pixel gets in full light."""


class LowLight(Corruption[LowLightOptions]):
    """A dark exposure: less light, so fewer photons and visible shot noise."""

    name = "low-light"
    title = "Low light"
    description = "a dark exposure with shot noise"
    options_type = LowLightOptions

    def apply(self, clip: Clip, options: LowLightOptions, rng: np.random.Generator) -> Clip:
        """Return the clip as a darker exposure; masks stay."""
        photons = options.photons
        expected = ((np.arange(256) / 255) ** _GAMMA * options.light * photons).astype(np.float32)
        frames = np.empty_like(clip.frames)
        for t, frame in enumerate(clip.frames):
            mean = expected[frame]
            # The normal distribution with the variance of a Poisson one: the same at these counts, and far faster.
            seen = mean + np.sqrt(mean) * rng.standard_normal(frame.shape, np.float32)
            frames[t] = np.rint(255 * np.clip(seen / np.float32(photons), 0, 1) ** np.float32(1 / _GAMMA))
        return clip.with_frames(frames)
