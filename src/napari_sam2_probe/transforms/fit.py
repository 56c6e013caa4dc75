"""Frames of one size in a clip of another."""

from __future__ import annotations

from PIL import Image, ImageOps


def cover(frame: Image.Image, shape: tuple[int, int]) -> Image.Image:
    """Scale a frame so that it covers `shape` (height, width), and cut what sticks out evenly.

    A frame of that size comes back as it is.
    """
    height, width = shape
    if frame.size == (width, height):
        return frame
    return ImageOps.fit(frame, (width, height), Image.Resampling.LANCZOS)
