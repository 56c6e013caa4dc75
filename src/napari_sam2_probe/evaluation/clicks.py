"""The simulated user of SAM 2's evaluation: clicks in the middle of what is wrong, boxes around what is right.

The rule is that of RITM (Sofiiuk et al., "Reviving Iterative Training with Mask Guidance for Interactive
Segmentation", ICIP 2022), which SAM and SAM 2 are evaluated with: the next click goes to the point of the missing or
of the superfluous region that is furthest from that region's border, whichever lies deeper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.video.masks import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Click:
    """One click.

    Attributes
    ----------
    x, y
        The pixel, counted from 0. SAM 2's evaluation hands these numbers on as coordinates, and so do we.
    positive
        Whether it says "belongs to the object".
    """

    x: int
    y: int
    positive: bool


def next_click(truth: NDArray[np.bool_], prediction: NDArray[np.bool_] | None = None) -> Click | None:
    """Return where a user would click next.

    Equal to ``sam2.modeling.sam2_utils.sample_one_point_from_error_center``, but for a perfect prediction, which it
    would give a click in the corner. Of several deepest points the first in reading order is taken, and of two
    regions equally deep the superfluous one.

    Parameters
    ----------
    truth
        (H, W) bool.
    prediction
        (H, W) bool; None for nothing yet, so that the click goes to the middle of the object.

    Returns
    -------
    Click or None
        Positive on what is missing, negative on what is too much; None if nothing is wrong.
    """
    if prediction is None:
        prediction = np.zeros_like(truth)
    missing = _deepest_point(truth & ~prediction)
    superfluous = _deepest_point(prediction & ~truth)
    if missing is None and superfluous is None:
        return None
    if superfluous is None or (missing is not None and missing[0] > superfluous[0]):
        assert missing is not None
        return Click(missing[1], missing[2], True)
    return Click(superfluous[1], superfluous[2], False)


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the box that SAM 2's evaluation draws around a mask (H, W) bool that is not empty.

    Returns
    -------
    box
        (4,) float32 ``x0, y0, x1, y1``: the first and the last pixel of the object. A box of one row or column is
        widened to one pixel, since a prompt must have an area.
    """
    x0, y0, right, bottom = bounding_box(mask)
    return np.array([x0, y0, max(right - 1, x0 + 1), max(bottom - 1, y0 + 1)], dtype=np.float32)


def _deepest_point(region: NDArray[np.bool_]) -> tuple[float, int, int] | None:
    """Return depth, x and y of the point furthest from the border of a region; None for an empty one.

    Beyond the image nothing belongs to the region, so the image's edge is a border.
    """
    from scipy.ndimage import distance_transform_edt

    if not region.any():
        return None
    x0, y0, x1, y1 = bounding_box(region)
    # Everything around this box is outside the region, so one row and column of that is all that distances need.
    depth = distance_transform_edt(np.pad(region[y0:y1, x0:x1], 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float(depth[y, x]), int(x0 + x), int(y0 + y)
