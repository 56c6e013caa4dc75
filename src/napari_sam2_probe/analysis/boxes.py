"""Bounding boxes of masks as relative edges (SPEC 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return np.full(4, np.nan)
    columns = np.flatnonzero(mask.any(axis=0))
    pixels = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
    edges: NDArray[np.float64] = pixels / (width, height, width, height)
    return edges


def box_edges_over_time(masks: NDArray[Any], object_id: int = 1) -> NDArray[np.float64]:
    """Return the `box_edges` of one object in every frame, (T, 4).

    Parameters
    ----------
    masks
        (T, H, W) label images; anything that gives one frame by its index will do.
    object_id
        The object's label.
    """
    edges = np.empty((len(masks), 4))
    for frame_idx in range(len(masks)):
        edges[frame_idx] = box_edges(masks[frame_idx] == object_id)
    return edges
