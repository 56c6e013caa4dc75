"""Boundary accuracy F of DAVIS: whether the outlines of two masks run close together (SPEC 7)."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.metrics.bitmap import dilate, pack
from napari_sam2_probe.analysis.metrics.crop import crop_to_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOUNDARY_TOLERANCE = 0.008
"""How far outlines may lie apart, as a fraction of the image diagonal."""


def boundary_accuracy(ground_truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> float:
    """Return F, the harmonic mean of boundary precision and boundary recall.

    A boundary pixel counts as found if the other mask has one within `tolerance_radius` pixels of it. Two empty masks
    agree (1); an empty and a non-empty one don't (0).

    Parameters
    ----------
    ground_truth, prediction
        (H, W) bool. Clear pixels in both masks to leave them out.

    Notes
    -----
    Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
    section 4.1, with the disk of the DAVIS 2017 evaluation in place of bipartite matching.
    """
    crop = crop_to_masks(ground_truth, prediction)
    if crop is None:
        return 1.0
    radius = tolerance_radius(ground_truth.shape)
    return boundary_accuracy_of_crop(crop.extended(ground_truth), crop.extended(prediction), radius)


def boundary_accuracy_of_crop(ground_truth: NDArray[np.bool_], prediction: NDArray[np.bool_], radius: int) -> float:
    """Return F of two masks that were cut out with `Crop.extended`.

    Parameters
    ----------
    ground_truth, prediction
        (h + 1, w + 1) bool: the crop, and one row and one column more.
    radius
        The distance in pixels within which outlines agree.
    """
    stride = ground_truth.shape[1] - 1 + radius
    true_outline = pack(_outline(ground_truth), stride)
    predicted_outline = pack(_outline(prediction), stride)
    true_length, predicted_length = true_outline.bit_count(), predicted_outline.bit_count()
    if not true_length or not predicted_length:
        return float(true_length == predicted_length)
    precision = (predicted_outline & dilate(true_outline, radius, stride)).bit_count() / predicted_length
    recall = (true_outline & dilate(predicted_outline, radius, stride)).bit_count() / true_length
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def tolerance_radius(shape: tuple[int, ...]) -> int:
    """Return the distance in pixels within which outlines in an image of `shape` (H, W) count as the same."""
    return ceil(BOUNDARY_TOLERANCE * float(np.linalg.norm(shape)))


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a pixel differs from the one to its right, below, or both: an outline of one pixel."""
    here = mask[:-1, :-1]
    outline: NDArray[np.bool_] = here ^ mask[:-1, 1:]
    outline |= here ^ mask[1:, :-1]
    outline |= here ^ mask[1:, 1:]
    return outline
