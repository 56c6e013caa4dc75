"""Give a cut-out the colour statistics of another object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Base, Distractor

# A flat object is not stretched to noise, nor a colourful one pressed to a single shade, beyond this factor.
_LARGEST_GAIN = 3.0


def match_colours(footage: Footage, distractor: Distractor, base: Base) -> list[int]:
    """Return the levels that give a cut-out the object's mean and standard deviation in R, G and B.

    256 for R, then G, then B, as `napari_sam2_probe.transforms.cutout.cut_out` takes them. The statistics are
    those of the first frames, so that the colours don't flicker over time.
    """
    source_mean, source_deviation = _statistics(footage, distractor.sequence, distractor.start, distractor.object_id)
    mean, deviation = _statistics(footage, base.sequence, base.start, base.object_id)
    gain = np.clip(deviation / np.maximum(source_deviation, 1.0), 1 / _LARGEST_GAIN, _LARGEST_GAIN)
    levels = np.arange(256)[:, None]
    table = np.clip(np.rint((levels - source_mean) * gain + mean), 0, 255).astype(int)
    return [int(level) for level in table.T.ravel()]


def _statistics(
    footage: Footage, sequence: str, frame_idx: int, object_id: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if object_id is None:
        raise ValueError("only an object has colours to be matched")

    def measure() -> NDArray[np.float64]:
        found = footage.object_pixels(sequence, frame_idx, object_id)
        # The frame is kept: a cut-out of it follows soon, or the base itself.
        image = footage.frame(sequence, frame_idx).crop(found.box)
        counts = np.reshape(image.histogram(Image.fromarray(found.mask)), (3, 256))
        levels, area = np.arange(256), np.count_nonzero(found.mask)
        mean = counts @ levels / area
        variance = (counts * (levels - mean[:, None]) ** 2).sum(1) / area
        return np.stack([mean, np.sqrt(variance)])

    mean, deviation = footage.of_object("colours", sequence, frame_idx, object_id, measure)
    return mean, deviation
