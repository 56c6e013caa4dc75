"""Region similarity J of DAVIS: intersection over union."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.evaluation.metrics.crop import PackedPair


def region_similarity(ground_truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> float:
    """Return J, the area of the intersection of two masks over that of their union; 1 if both are empty.

    Parameters
    ----------
    ground_truth, prediction
        (H, W) bool. Clear pixels in both masks to leave them out.
    """
    union = int(np.count_nonzero(ground_truth | prediction))
    if union == 0:
        return 1.0
    return int(np.count_nonzero(ground_truth & prediction)) / union


def region_similarity_of_pair(pair: PackedPair) -> float:
    """Return J of two packed masks, not both empty."""
    union = (pair.first | pair.second) & pair.inside
    return (pair.first & pair.second & pair.inside).bit_count() / union.bit_count()
