"""Independent normal noise on every pixel and channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


@dataclass(frozen=True, slots=True)
class GaussianNoiseOptions:
    """Its options."""

    sigma: float = number(15.0, low=0, high=255)
    """Standard deviation in gray levels of 255."""


class GaussianNoise(Corruption[GaussianNoiseOptions]):
    """Independent normal noise on every pixel and channel."""

    name = "gaussian-noise"
    title = "Gaussian noise"
    description = "independent noise on every pixel"
    options_type = GaussianNoiseOptions

    def apply(self, clip: Clip, options: GaussianNoiseOptions, rng: np.random.Generator) -> Clip:
        """Return the clip with noise; masks stay."""
        sigma = np.float32(options.sigma)
        frames = np.empty_like(clip.frames)
        for t, frame in enumerate(clip.frames):
            noisy = frame + sigma * rng.standard_normal(frame.shape, np.float32)
            frames[t] = np.clip(np.rint(noisy), 0, 255)
        return clip.with_frames(frames)
