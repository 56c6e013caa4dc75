"""Bounding boxes of masks as relative edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.video.masks import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


def box_edges(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the bounding box of a mask as fractions of the image.

    Parameters
    ----------
    mask
        (H, W) bool.

    Returns
    -------
    edges
        (4,) float64: ``[xmin / W, ymin / H, (xmax + 1) / W, (ymax + 1) / H]``, so that the box of a full mask is
        0, 0, 1, 1; NaN for an empty mask.
    """
    height, width = mask.shape
    if not mask.any():
        return np.full(4, np.nan)
    edges: NDArray[np.float64] = np.array(bounding_box(mask), np.float64) / (width, height, width, height)
    return edges


def boxes_to_pixels(edges: NDArray[np.floating], height: int, width: int) -> NDArray[np.float64]:
    """Return boxes in pixels, both ends included: what `box_edges` made fractions of.

    Parameters
    ----------
    edges
        (..., 4) as from `box_edges`, or decoded ones, which may reach out of the image and are cut at its border.
    height, width
        Of the image, in pixels.

    Returns
    -------
    pixels
        (..., 4) float64 xmin, ymin, xmax, ymax; whole numbers for the box of a mask. NaN stays NaN.
    """
    inside = np.clip(np.asarray(edges, dtype=np.float64), 0, 1)
    pixels: NDArray[np.float64] = inside * (width, height, width, height) - (0, 0, 1, 1)
    return pixels


def box_iou(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return intersection over union of boxes.

    Parameters
    ----------
    first, second
        (..., 4) edges, of one shape or broadcast. A box whose right edge is left of its left one, as may be decoded,
        has no area.

    Returns
    -------
    iou
        (...) float64 in [0, 1]; NaN where an edge is.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    shared = _area(np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1))
    union = _area(a) + _area(b) - shared
    # Two boxes without area share nothing; NaN stays NaN.
    iou: NDArray[np.float64] = np.where(union == 0, 0.0, shared / np.where(union == 0, 1.0, union))
    return iou


def _area(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(edges[..., 2:] - edges[..., :2], 0)
    area: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return area
