"""The rows of an experiment's two tables, from what was tracked and what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as COLUMNS
from napari_sam2_probe.decoder.boxes import box_edges
from napari_sam2_probe.evaluation.metrics import score_clip
from napari_sam2_probe.experiments.derived import distractors_of, gaps
from napari_sam2_probe.experiments.tables import FEATURE_COLUMNS, FRAME_COLUMNS, STAGES
from napari_sam2_probe.probe.references import References
from napari_sam2_probe.transforms.recipe import clip_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.batch_clips import BatchClip
    from napari_sam2_probe.experiments.track_batch import ClipOutput

Columns = dict[str, Any]


def frame_rows(clip: BatchClip, output: ClipOutput, lengths: tuple[int, int, int]) -> Columns:
    """Return the columns of a clip's rows in the table of frames (T,)."""
    truth = clip.truth
    num_frames = len(truth.object_present)
    scores = score_clip(clip.true_masks, output.masks, truth.object_present, lengths=lengths, object_id=True)
    edges = np.stack([box_edges(mask) for mask in clip.true_masks])
    assert truth.recipe is not None
    twin = "" if clip.kind == "clean" else clip_name("clean", int(truth.recipe["number"]))
    columns: Columns = {
        "kind": [clip.kind] * num_frames,
        "clip": [clip.name] * num_frames,
        "twin": [twin] * num_frames,
        "base_sequence": [clip.base_sequence] * num_frames,
        "distractor_sequences": [distractors_of(truth.recipe)] * num_frames,
        "frame": np.arange(num_frames),
        "stage": np.repeat(STAGES, lengths).tolist(),
        "source_sequence": list(truth.source_sequence),
        "source_frame": truth.source_frame,
        "object_present": truth.object_present,
        "context_present": truth.context_present,
        "obscured_fraction": truth.obscured_fraction,
        "object_score": output.object_scores,
        "predicted_iou": output.predicted_iou,
        "prompted": np.arange(num_frames) == 0,
        "region": scores.region_per_frame,
        "boundary": scores.boundary_per_frame,
        "false_positive": scores.false_positive,
        "area": np.count_nonzero(output.masks, axis=(1, 2)),
    }
    names = ("true_xmin", "true_ymin", "true_xmax", "true_ymax")
    return columns | dict(zip(names, edges.T, strict=True))


def feature_rows(
    clip: BatchClip,
    output: ClipOutput,
    *,
    prompted_references: bool,
    absent: range = range(0),
    features: NDArray[np.float64] | None = None,
) -> Columns:
    """Return the columns of a clip's rows in a table of features (P * T,), position by position.

    Parameters
    ----------
    clip, output
        The clip and what was tracked.
    prompted_references
        Whether prompted frames count as references.
    absent
        Frames that `features` were computed without the object on.
    features
        (P, T, 3), those of the output by default.
    """
    num_frames, count = len(clip.truth.object_present), len(output.positions)
    frames = np.arange(num_frames)
    present = clip.truth.object_present & ~np.isin(frames, absent)
    references = References.of(present, frames == 0, prompted_references=prompted_references)
    values = output.features if features is None else features
    size = num_frames * count
    columns: Columns = {
        "kind": [clip.kind] * size,
        "clip": [clip.name] * size,
        "base_sequence": [clip.base_sequence] * size,
        "frame": np.tile(frames, count),
        "position": [position for position in output.positions for _ in range(num_frames)],
        "object_present": np.tile(clip.truth.object_present, count),
        "prompted_reference": np.tile(references.holds(frames == 0), count),
        "window": np.tile(references.window(), count),
        "gap": np.tile(gaps(clip.truth.source_sequence, clip.truth.source_frame, references), count),
    }
    return columns | {name: values[..., index].ravel() for index, name in enumerate(COLUMNS)}


def joined(parts: Sequence[Columns], columns: Mapping[str, str]) -> Columns:
    """Put the rows of several clips below each other."""
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in columns}


def batch_frames(clips: Sequence[BatchClip], outputs: Sequence[ClipOutput], lengths: tuple[int, int, int]) -> Columns:
    """Return a batch's rows in the table of frames."""
    return joined([frame_rows(c, o, lengths) for c, o in zip(clips, outputs, strict=True)], FRAME_COLUMNS)


def batch_features(clips: Sequence[BatchClip], outputs: Sequence[ClipOutput], *, prompted_references: bool) -> Columns:
    """Return a batch's rows in the table of features."""
    rows = [feature_rows(c, o, prompted_references=prompted_references) for c, o in zip(clips, outputs, strict=True)]
    return joined(rows, FEATURE_COLUMNS)


def batch_gap_features(
    clips: Sequence[BatchClip], outputs: Sequence[ClipOutput], *, prompted_references: bool, absent: range
) -> Columns | None:
    """Return a batch's rows in the table of features had the object not been on some frames; None without any."""
    rows = [
        feature_rows(c, o, prompted_references=prompted_references, absent=absent, features=o.gap_features)
        for c, o in zip(clips, outputs, strict=True)
        if o.gap_features is not None
    ]
    return joined(rows, FEATURE_COLUMNS) if rows else None
