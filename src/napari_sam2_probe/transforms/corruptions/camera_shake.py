"""A smooth random shift of the whole frame, as of a camera held by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip

# How much of a shift is left a frame later.
_PERSISTENCE = 0.6


@dataclass(frozen=True, slots=True)
class CameraShakeOptions:
    """Its options."""

    amplitude: float = number(0.02, low=0, high=0.2)
    """The largest shift, as a share of the frame's height."""


class CameraShake(Corruption[CameraShakeOptions]):
    """A smooth random shift of the whole frame, as of a camera held by hand."""

    name = "camera-shake"
    title = "Camera shake"
    description = "a smooth random shift of the whole frame"
    options_type = CameraShakeOptions
    unfit = "may move the object out of the frame that is prompted"

    def apply(self, clip: Clip, options: CameraShakeOptions, rng: np.random.Generator) -> Clip:
        """Return the clip seen through a window that shakes; frames are enlarged so that no border shows."""
        height, width = clip.frames.shape[1:3]
        reach = options.amplitude * height
        if not reach:
            return clip
        shifts = _shake(clip.num_frames, rng) * reach
        # The window keeps the frame's proportions.
        inset_x, inset_y = reach * max(1, width / height), reach * max(1, height / width)
        frames, masks = np.empty_like(clip.frames), np.empty_like(clip.masks)
        for t, (x, y) in enumerate(shifts.tolist()):
            box = (inset_x + x, inset_y + y, width - inset_x + x, height - inset_y + y)
            frame, mask = Image.fromarray(clip.frames[t]), Image.fromarray(clip.masks[t])
            frames[t] = np.asarray(frame.resize((width, height), Image.Resampling.BICUBIC, box=box))
            masks[t] = np.asarray(mask.resize((width, height), Image.Resampling.NEAREST, box=box))
        return clip.with_frames(frames, masks)


def _shake(num_frames: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return shifts (T, 2) in [-1, 1] that lean on the frame before."""
    shifts = np.zeros((num_frames, 2))
    for t in range(1, num_frames):
        shifts[t] = _PERSISTENCE * shifts[t - 1] + rng.uniform(-1, 1, 2)
    shifts /= max(float(np.abs(shifts).max()), 1e-9)
    return shifts
