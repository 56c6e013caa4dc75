"""Maps over time: the value of one cell, and the means inside and outside a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def cell_over_time(maps: Any, row: int, column: int, frames: Iterable[int] | None = None) -> NDArray[np.float64]:
    """Return the values of one cell of a map, frame by frame.

    Parameters
    ----------
    maps
        (T, h, w) float: an array, or anything that gives a frame when it is indexed.
    row, column
        The cell.
    frames
        Which to read; None: all. Others are NaN.

    Returns
    -------
    numpy.ndarray
        (T,) float64.

    Raises
    ------
    IndexError
        If there is no such cell.
    """
    num_frames, height, width = maps.shape
    if not (0 <= row < height and 0 <= column < width):
        raise IndexError(f"a map of {height} x {width} cells has no cell ({row}, {column})")
    values = np.full(num_frames, np.nan)
    for frame_idx in range(num_frames) if frames is None else frames:
        values[frame_idx] = maps[frame_idx][row, column]
    return values


def means_by_mask(
    maps: Any, masks: Any, frames: Iterable[int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of a map inside and outside a mask, frame by frame.

    A map covers the frame, whatever its size; a cell that the mask covers in part counts on both sides by its share.

    Parameters
    ----------
    maps
        (T, h, w) float, as in `cell_over_time`.
    masks
        (T, H, W) bool, likewise.
    frames
        Which to read; None: all. Others are NaN.

    Returns
    -------
    inside, outside
        (T,) float64; NaN where the map is, and inside an empty mask or outside one that covers the frame.
    """
    num_frames, height, width = maps.shape
    inside, outside = np.full(num_frames, np.nan), np.full(num_frames, np.nan)
    for frame_idx in range(num_frames) if frames is None else frames:
        share = mask_shares(masks[frame_idx], (height, width))
        values = np.asarray(maps[frame_idx], np.float64)
        for means, weights in ((inside, share), (outside, 1 - share)):
            total = weights.sum()
            # Below a thousandth of a cell there is nothing but rounding.
            means[frame_idx] = (values * weights).sum() / total if total > 1e-3 else np.nan
    return inside, outside


def mask_shares(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return how much of each cell of a map a mask covers, exactly, where sizes don't divide one another too.

    Parameters
    ----------
    mask
        (H, W) bool.
    shape
        (h, w) of the map.

    Returns
    -------
    numpy.ndarray
        (h, w) float64, from 0 to 1.
    """
    rows, columns = (_overlaps(outer, inner) for outer, inner in zip(mask.shape, shape, strict=True))
    shares: NDArray[np.float64] = rows @ np.asarray(mask, np.float64) @ columns.T
    clipped: NDArray[np.float64] = np.clip(shares, 0.0, 1.0)
    return clipped


def _overlaps(pixels: int, cells: int) -> NDArray[np.float64]:
    """Return (cells, pixels): which share of a cell each pixel covers, both evenly spread over one length."""
    edges, borders = np.arange(cells + 1) * (pixels / cells), np.arange(pixels + 1.0)
    low = np.maximum(edges[:-1, None], borders[None, :-1])
    high = np.minimum(edges[1:, None], borders[None, 1:])
    shares: NDArray[np.float64] = np.clip(high - low, 0.0, None) * (cells / pixels)
    return shares
