"""Independent normal noise on every pixel and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.options import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import OptionValue

OPTIONS: Mapping[str, Option] = {"sigma": Number(15.0, 0.0, 255.0)}
"""``sigma``: standard deviation in gray levels of 255."""


def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the clip with noise; masks stay."""
    sigma = np.float32(options["sigma"])
    frames = np.empty_like(clip.frames)
    for t, frame in enumerate(clip.frames):
        noisy = frame + sigma * rng.standard_normal(frame.shape, np.float32)
        frames[t] = np.clip(np.rint(noisy), 0, 255)
    return clip.with_frames(frames)
