"""What the list of sequences shows of each; everything here reads files, and is for a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video import Video

THUMBNAIL_SIZE = (96, 54)
"""Width and height of a thumbnail, in pixels."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A glance at a sequence.

    Attributes
    ----------
    num_frames
        Its length.
    thumbnail
        (54, 96, 3) uint8: the middle frame, whole, on black.
    """

    num_frames: int
    thumbnail: NDArray[np.uint8]


def preview(sequence: Video) -> Preview:
    """Read the middle frame of a sequence.

    Raises
    ------
    InputError
        If it can't be read.
    """
    frame = sequence.frames.read(sequence.num_frames // 2)
    return Preview(sequence.num_frames, thumbnail(frame))


def thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame (H, W, 3) scaled to fit the middle of a black picture of `THUMBNAIL_SIZE`."""
    small = Image.fromarray(frame)
    small.thumbnail(THUMBNAIL_SIZE)
    width, height = THUMBNAIL_SIZE
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.height) // 2, (width - small.width) // 2
    picture[top : top + small.height, left : left + small.width] = np.asarray(small)
    return picture
