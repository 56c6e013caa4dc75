"""Scores of one sequence, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation.metrics.boundary import boundary_accuracy_of_pair, tolerance_radius
from napari_sam2_probe.evaluation.metrics.crop import crop_pair
from napari_sam2_probe.evaluation.metrics.region import region_similarity_of_pair
from napari_sam2_probe.evaluation.metrics.summary import Summary, summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class ObjectScores:
    """How well one object was segmented.

    Attributes
    ----------
    object_id
        The object's id in the ground truth.
    region_per_frame, boundary_per_frame
        (T,) float64: J and F of every frame that was added, in order.
    region, boundary
        Their mean, recall and decay.
    """

    object_id: int
    region_per_frame: NDArray[np.float64]
    boundary_per_frame: NDArray[np.float64]
    region: Summary
    boundary: Summary

    @property
    def jf_mean(self) -> float:
        """J&F: the mean of the region mean and the boundary mean."""
        return (self.region.mean + self.boundary.mean) / 2


class SequenceEvaluator:
    """Score the objects of a sequence frame by frame; only the scores are kept.

    Parameters
    ----------
    object_ids
        The objects to score. One that is nowhere to be seen and nowhere predicted scores 1, as DAVIS has it.

    Examples
    --------
    >>> evaluator = SequenceEvaluator([1])
    >>> mask = np.zeros((48, 64), np.uint8)
    >>> mask[10:20, 10:20] = 1
    >>> evaluator.add_frame(mask, mask)
    >>> evaluator.conclude()[0].jf_mean
    1.0
    """

    def __init__(self, object_ids: Iterable[int]) -> None:
        self._scores: dict[int, list[tuple[float, float]]] = {object_id: [] for object_id in object_ids}
        self._masks = np.empty((2, 0, 0), dtype=np.bool_)

    def add_frame(self, ground_truth: NDArray[Any], prediction: NDArray[Any]) -> None:
        """Score one frame.

        DAVIS leaves out the first and the last frame of a sequence: don't add them for scores to compare with.

        Parameters
        ----------
        ground_truth, prediction
            (H, W) label images. Labels that are not among the objects (void among them) count as background, as in
            the semi-supervised evaluation of DAVIS 2017.

        Raises
        ------
        InputError
            If the two differ in shape.
        """
        if ground_truth.shape != prediction.shape:
            raise InputError(
                f"A predicted mask has the shape {prediction.shape} but its ground truth {ground_truth.shape}: "
                "predict at the size of the ground truth."
            )
        # Large arrays that come and go cost more in fresh memory pages than in comparing, so two are kept.
        if self._masks.shape[1:] != ground_truth.shape:
            self._masks = np.empty((2, *ground_truth.shape), dtype=np.bool_)
        true_mask, predicted_mask = self._masks
        for object_id, scores in self._scores.items():
            np.equal(ground_truth, object_id, out=true_mask)
            np.equal(prediction, object_id, out=predicted_mask)
            scores.append(score_masks(true_mask, predicted_mask))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects that are scored now."""
        return tuple(self._scores)

    def add_object(self, object_id: int) -> None:
        """Score another object on the frames that are added from now on."""
        self._scores.setdefault(object_id, [])

    def conclude(self) -> tuple[ObjectScores, ...]:
        """Return the scores of every object over the frames added so far; one without any is left out."""
        return tuple(object_scores(object_id, scores) for object_id, scores in self._scores.items() if scores)


def object_scores(object_id: int, scores: Sequence[tuple[float, float]]) -> ObjectScores:
    """Summarize J and F of one object on each of its scored frames, at least one."""
    region, boundary = np.array(scores, dtype=np.float64).T.copy()
    return ObjectScores(object_id, region, boundary, summarize(region), summarize(boundary))


def score_masks(ground_truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> tuple[float, float]:
    """Return region similarity J and boundary accuracy F of a mask, both (H, W) bool.

    Equal to `region_similarity` and `boundary_accuracy` but faster: both work on the same packed masks.
    """
    pair = crop_pair(ground_truth, prediction, tolerance_radius(ground_truth.shape))
    if pair is None:
        return 1.0, 1.0
    return region_similarity_of_pair(pair), boundary_accuracy_of_pair(pair)
