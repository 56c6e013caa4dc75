"""Small pictures of frames for lists: the object's mask drawn in, or heat over it. Neither Qt nor matplotlib's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.figures.style import rgb_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK_ALPHA = 0.5
BLANK = 128
"""The grey of a frame whose picture isn't there."""


def thumbnail_size(video_size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (height, width) with the video's proportions that fits a box of (height, width)."""
    scale = min(box[0] / video_size[0], box[1] / video_size[1])
    return max(round(video_size[0] * scale), 1), max(round(video_size[1] * scale), 1)


def thumbnail(
    frame: NDArray[np.uint8] | None, mask: NDArray[np.bool_], colour: str, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a small picture of a frame with a mask laid over it.

    Parameters
    ----------
    frame
        (H, W, 3) uint8; None where it can't be read: then the mask lies on grey.
    mask
        (H, W) bool.
    colour
        Of the mask, as ``#rrggbb``.
    size
        (h, w) of the picture.

    Returns
    -------
    numpy.ndarray
        (h, w, 3) uint8. The mask's pixels are the nearest ones of the video's.
    """
    height, width = size
    picture = np.full((height, width, 3), BLANK, np.float32)
    if frame is not None:
        small = Image.fromarray(np.ascontiguousarray(frame)).resize((width, height), Image.Resampling.BOX)
        picture = np.asarray(small, np.float32)
    inside = shrink_mask(mask, size)
    paint = np.array(rgb_of(colour), np.float32)
    picture = np.where(inside[..., None], (1 - MASK_ALPHA) * picture + MASK_ALPHA * paint, picture)
    return np.round(picture).astype(np.uint8)


def shrink_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask (H, W) at another size (h, w), each pixel the nearest one."""
    rows, columns = (((np.arange(n) + 0.5) * whole / n).astype(int) for n, whole in zip(size, mask.shape, strict=True))
    return np.asarray(mask, bool)[np.ix_(rows, columns)]


def with_heat(picture: NDArray[np.uint8], heat: NDArray[np.float32], highest: float) -> NDArray[np.uint8]:
    """Return a picture with heat laid over it: nothing where it is 0, opaque where it is highest.

    Parameters
    ----------
    picture
        (h, w, 3) uint8.
    heat
        (m, n) float32, 0 or more; stretched over the picture.
    highest
        The value that gets the strongest colour; the same for pictures that are compared.
    """
    from matplotlib import colormaps

    height, width = picture.shape[:2]
    stretched = Image.fromarray(np.asarray(heat, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    # The square root, since a few tokens get most of the attention.
    share = np.sqrt(np.clip(np.asarray(stretched) / max(highest, 1e-12), 0, 1))
    colour = 255 * colormaps["inferno"](share)[..., :3]
    grey = picture.mean(axis=-1, keepdims=True) * 0.6
    mixed: NDArray[np.uint8] = np.round(grey * (1 - share[..., None]) + colour * share[..., None]).astype(np.uint8)
    return mixed
