"""Scores of a transformed clip: whether a gone object is left alone, and found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.evaluation.metrics.evaluation import score_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ClipScores:
    """How one object was segmented through the three parts of a clip.

    Attributes
    ----------
    region_per_frame, boundary_per_frame
        (T,) float64: J and F, NaN on the prompted first frame and where the object is absent.
    false_positive
        (T,) bool: the object is absent and something was predicted for it.
    false_positive_rate
        The share of absent frames that are false positives; NaN for a clip without absent frames.
    prefix_jf, suffix_jf
        J&F over the present frames before the interjection (without the first, which is prompted) and after it; NaN
        where there are none.
    """

    region_per_frame: NDArray[np.float64]
    boundary_per_frame: NDArray[np.float64]
    false_positive: NDArray[np.bool_]
    false_positive_rate: float
    prefix_jf: float
    suffix_jf: float

    @property
    def reidentification(self) -> float:
        """J&F of the suffix minus that of the prefix: 0 where the object was found again as well as before."""
        return self.suffix_jf - self.prefix_jf


def score_clip(
    ground_truth: NDArray[Any],
    prediction: NDArray[Any],
    object_present: NDArray[np.bool_],
    *,
    lengths: tuple[int, int, int] = (12, 4, 12),
    object_id: int = 1,
) -> ClipScores:
    """Score the prediction of a clip that was prompted on its first frame.

    Parameters
    ----------
    ground_truth, prediction
        (T, H, W) label images; anything that gives one frame by its index will do.
    object_present
        (T,) bool, known from the recipe. A fully hidden object is present, and an empty prediction of it right.
    lengths
        Frames of prefix, interjection and suffix; their sum is T.
    object_id
        The object of interest.

    Raises
    ------
    ValueError
        If the lengths don't agree.
    """
    num_frames = sum(lengths)
    if not len(ground_truth) == len(prediction) == len(object_present) == num_frames:
        raise ValueError(
            f"{len(ground_truth)} ground-truth masks, {len(prediction)} predicted ones and {len(object_present)} "
            f"presences don't make a clip of {num_frames} frames."
        )
    scores = np.full((num_frames, 2), np.nan)
    false_positive = np.zeros(num_frames, dtype=np.bool_)
    for frame_idx in range(1, num_frames):
        predicted = prediction[frame_idx] == object_id
        if object_present[frame_idx]:
            scores[frame_idx] = score_masks(ground_truth[frame_idx] == object_id, predicted)
        else:
            false_positive[frame_idx] = predicted.any()
    absent = ~np.asarray(object_present, dtype=np.bool_)
    absent[0] = False
    return ClipScores(
        region_per_frame=scores[:, 0].copy(),
        boundary_per_frame=scores[:, 1].copy(),
        false_positive=false_positive,
        false_positive_rate=float(false_positive[absent].mean()) if absent.any() else float("nan"),
        prefix_jf=_mean_jf(scores[: lengths[0]]),
        suffix_jf=_mean_jf(scores[lengths[0] + lengths[1] :]),
    )


def _mean_jf(scores: NDArray[np.float64]) -> float:
    scored = scores[np.isfinite(scores).all(axis=1)]
    return float(scored.mean()) if scored.size else float("nan")
