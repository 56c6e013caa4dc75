"""Strong JPEG compression, as of a poor video link."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

<<<<<<< HEAD
from napari_sam2_probe.transforms.kind import Corruption
from napari_sam2_probe.transforms.options import number
=======
from napari_sam2_probe.transforms.options import Number
from napari_sam2_probe.video.images import open_image
>>>>>>> ee1e234 (Open images and stores in one place each, which starts no other program and no pickle)

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip


<<<<<<< HEAD
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
            with Image.open(buffer) as image:
                frames[t] = np.asarray(image)
        return clip.with_frames(frames)
=======
def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the clip after compression; masks stay, nothing is random."""
    frames = np.empty_like(clip.frames)
    for t, frame in enumerate(clip.frames):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=int(options["quality"]))
        with open_image(buffer) as image:
            frames[t] = np.asarray(image)
    return clip.with_frames(frames)
>>>>>>> ee1e234 (Open images and stores in one place each, which starts no other program and no pickle)
