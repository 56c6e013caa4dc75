"""Cut an object out of a frame, scale it and lay it on another one, with smooth edges and no halo."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor


# An erosion that takes more than this share of an object has met thin parts (legs, poles); they are kept then.
_EROSION_LIMIT = 0.25
# Standard deviation in source pixels of the blur that smooths the staircase of a binary mask.
_EDGE_SIGMA = 0.7
# How far that blur reaches, in whole pixels.
_EDGE_REACH = 3
# Opacity as it is, where levels of colours are replaced.
_ALL_LEVELS = range(256)


@dataclass(frozen=True, slots=True)
class Patch:
    """A cut-out, ready to be laid on a frame.

    Attributes
    ----------
    left, top
        Where its first pixel lies in the frame.
    image
        RGBA image of size (w, h).
    """

    left: int
    top: int
    image: Image.Image

    @property
    def region(self) -> tuple[slice, slice]:
        """The part of the frame that it covers."""
        width, height = self.image.size
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def opaque(self) -> NDArray[np.bool_]:
        """(h, w) bool: pixels that show more of the cut-out than of what lies under it."""
        return np.asarray(self.image.getchannel("A")) >= 128

    def lay_on(self, frame: Image.Image) -> None:
        """Draw the cut-out on an RGB frame, in place."""
        frame.paste(self.image, (self.left, self.top), self.image)


def cut_out(
    footage: Footage,
    distractor: Distractor,
    levels: Sequence[int] | None,
    frame_idx: int,
    shape: tuple[int, int],
) -> Patch | None:
    """Cut a distractor's object out for one frame of a clip.

    Parameters
    ----------
    footage
        Where its sequence is.
    distractor
        Which object, and where it goes. Needs an object and a placement.
    levels
        What takes the place of each level, 256 for R, then G, then B; None to keep them.
    frame_idx
        Frame of the clip; the cut-out comes from frame ``distractor.start + frame_idx`` of its sequence.
    shape
        Height and width of the clip's frames.

    Returns
    -------
    Patch or None
        None where nothing of it falls into the frame.
    """
    if distractor.object_id is None or distractor.placement is None:
        raise ValueError("only a distractor with an object and a placement can be cut out")
    placement = distractor.placement
    source_idx = distractor.start + frame_idx
    pixels = footage.object_pixels(distractor.sequence, source_idx, distractor.object_id)
    if not pixels.mask.size:
        return None
    x0, y0, x1, y1 = pixels.box
    scale = placement.scale
    offset_x, offset_y = placement.offset(frame_idx)
    height, width = shape
    # A margin of one output pixel keeps the soft edge; nothing outside the frame is computed.
    left = max(math.floor(scale * x0 + offset_x) - 1, 0)
    top = max(math.floor(scale * y0 + offset_y) - 1, 0)
    right = min(math.ceil(scale * x1 + offset_x) + 1, width)
    bottom = min(math.ceil(scale * y1 + offset_y) + 1, height)
    if right <= left or bottom <= top:
        return None
    sprite = _sprite(footage, distractor.sequence, source_idx, distractor.object_id)
    margin = math.ceil(2 / scale)
    crop = (x0 - _EDGE_REACH - margin, y0 - _EDGE_REACH - margin)
    # Scaling colours that are weighed by opacity lets nothing of the old background bleed in.
    scaled = (
        sprite.crop((-margin, -margin, sprite.width + margin, sprite.height + margin))
        .resize(
            (right - left, bottom - top),
            Image.Resampling.HAMMING,
            box=(
                (left - offset_x) / scale - crop[0],
                (top - offset_y) / scale - crop[1],
                (right - offset_x) / scale - crop[0],
                (bottom - offset_y) / scale - crop[1],
            ),
        )
        .convert("RGBA")
    )
    return Patch(left, top, scaled if levels is None else scaled.point([*levels, *_ALL_LEVELS]))


def _sprite(footage: Footage, sequence: str, frame_idx: int, object_id: int) -> Image.Image:
    """Return an object as it is cut out, whatever becomes of it later.

    An RGBa image, colours multiplied by the opacity: the object's box with `_EDGE_REACH` pixels around it.
    """

    def make() -> Image.Image:
        pixels = footage.object_pixels(sequence, frame_idx, object_id)
        x0, y0, x1, y1 = pixels.box
        frame = footage.frame(sequence, frame_idx, keep=False)
        colours = frame.crop((x0 - _EDGE_REACH, y0 - _EDGE_REACH, x1 + _EDGE_REACH, y1 + _EDGE_REACH))
        colours.putalpha(_soft_alpha(np.pad(pixels.mask, _EDGE_REACH)))
        return colours.convert("RGBa")

    return footage.of_object("sprite", sequence, frame_idx, object_id, make)


def _soft_alpha(mask: NDArray[np.bool_]) -> Image.Image:
    """Return the opacity of a mask: without its outermost pixels, which mix object and background."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    if np.count_nonzero(inner) < (1 - _EROSION_LIMIT) * np.count_nonzero(mask):
        inner = mask
    image = Image.fromarray(inner.astype(np.uint8) * np.uint8(255))
    return image.filter(ImageFilter.GaussianBlur(_EDGE_SIGMA))
