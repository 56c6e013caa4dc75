"""Boundary accuracy F of DAVIS: whether the outlines of two masks run close together."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.evaluation.metrics.bitmap import dilate
from napari_sam2_probe.evaluation.metrics.crop import PackedPair, crop_pair

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
    pair = crop_pair(ground_truth, prediction, tolerance_radius(ground_truth.shape))
    return 1.0 if pair is None else boundary_accuracy_of_pair(pair)


def boundary_accuracy_of_pair(pair: PackedPair) -> float:
    """Return F of two masks packed with the tolerance radius as their margin."""
    radius, stride = pair.margin, pair.stride
    true_outline, predicted_outline = _outline(pair.first, pair), _outline(pair.second, pair)
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


def _outline(mask: int, pair: PackedPair) -> int:
    """Return where a pixel differs from the one to its right, below, or both: an outline of one pixel."""
    right, below, diagonal = mask >> 1, mask >> pair.stride, mask >> (pair.stride + 1)
    return ((mask ^ right) | (mask ^ below) | (mask ^ diagonal)) & pair.inside
