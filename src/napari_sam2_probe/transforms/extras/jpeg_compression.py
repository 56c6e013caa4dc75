"""Strong JPEG compression, as of a poor video link."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.options import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import OptionValue

OPTIONS: Mapping[str, Option] = {"quality": Number(10, 1, 95)}
"""``quality``: as JPEG encoders count, 1 to 95."""


def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the clip after compression; masks stay, nothing is random."""
    frames = np.empty_like(clip.frames)
    for t, frame in enumerate(clip.frames):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=int(options["quality"]))
        with Image.open(buffer) as image:
            frames[t] = np.asarray(image)
    return clip.with_frames(frames)
