"""Region similarity J, boundary accuracy F and J&F, equal to the DAVIS 2017 semi-supervised evaluation."""

from napari_sam2_probe.evaluation.metrics.boundary import boundary_accuracy
from napari_sam2_probe.evaluation.metrics.clips import ClipScores, score_clip
from napari_sam2_probe.evaluation.metrics.evaluation import ObjectScores, SequenceEvaluator, score_masks
from napari_sam2_probe.evaluation.metrics.folders import DatasetScores, evaluate_folders
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.evaluation.metrics.seen_unseen import SeenUnseen, seen_unseen
from napari_sam2_probe.evaluation.metrics.summary import Summary, summarize

__all__ = [
    "ClipScores",
    "DatasetScores",
    "ObjectScores",
    "SeenUnseen",
    "SequenceEvaluator",
    "Summary",
    "boundary_accuracy",
    "evaluate_folders",
    "region_similarity",
    "score_clip",
    "score_masks",
    "seen_unseen",
    "summarize",
]
