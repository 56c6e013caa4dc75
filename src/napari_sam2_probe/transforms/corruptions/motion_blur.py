"""A blur along one direction, as of a camera that moves during the exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


@dataclass(frozen=True, slots=True)
class MotionBlurOptions:
    """Its options."""

    length: int = number(11, low=1, high=101)
    """How far the camera moves during the exposure, in pixels."""


class MotionBlur(Corruption[MotionBlurOptions]):
    """A blur along one direction, as of a camera that moves during the exposure."""

    name = "motion-blur"
    title = "Motion blur"
    description = "a blur along one direction"
    options_type = MotionBlurOptions

    def apply(self, clip: Clip, options: MotionBlurOptions, rng: np.random.Generator) -> Clip:
        """Return the clip blurred along one random direction; masks stay."""
        length = options.length
        angle = rng.uniform(0, np.pi)
        along = np.arange(length) - (length - 1) / 2
        shifts = np.rint(np.outer(along, [np.sin(angle), np.cos(angle)])).astype(np.int64)
        reach = int(np.abs(shifts).max())
        height, width = clip.frames.shape[1:3]
        frames = np.empty_like(clip.frames)
        for t, frame in enumerate(clip.frames):
            padded = np.pad(frame, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
            total = np.zeros(frame.shape, np.uint16)
            for down, right in (reach + shifts).tolist():
                total += padded[down : down + height, right : right + width]
            frames[t] = (total + length // 2) // length
        return clip.with_frames(frames)
