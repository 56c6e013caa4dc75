"""Frames of one size in a clip of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from numpy.typing import NDArray


def cover(frame: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Scale a frame (H, W, 3) so that it covers `shape` (height, width), and cut what sticks out evenly.

    A frame of that size comes back as it is.
    """
    height, width = shape
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(ImageOps.fit(Image.fromarray(frame), (width, height), Image.Resampling.LANCZOS))
