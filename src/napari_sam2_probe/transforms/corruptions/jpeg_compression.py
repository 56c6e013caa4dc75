"""Strong JPEG compression, as of a poor video link."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number
from napari_sam2_probe.video.images import open_image

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


@dataclass(frozen=True, slots=True)
class JpegCompressionOptions:
    """Its options."""

    quality: int = number(10, low=1, high=95)
    """As JPEG encoders count, 1 to 95."""


class JpegCompression(Corruption[JpegCompressionOptions]):
    """Strong JPEG compression, as of a poor video link."""

    name = "jpeg-compression"
    title = "JPEG compression"
    description = "strong JPEG compression"
    options_type = JpegCompressionOptions

    def apply(self, clip: Clip, options: JpegCompressionOptions, rng: np.random.Generator) -> Clip:
        """Return the clip after compression; masks stay, nothing is random."""
        frames = np.empty_like(clip.frames)
        for t, frame in enumerate(clip.frames):
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, "JPEG", quality=options.quality)
            with open_image(buffer) as image:
                frames[t] = np.asarray(image)
        return clip.with_frames(frames)
