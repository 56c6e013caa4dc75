"""Single images: every object clicked on in single frames, without memory (the SAM 2 paper, section 6.3; table 5).

A frame is a video of one image: the first click goes to the middle of the object, the others to the middle of what is
wrong by then, and nothing is tracked. The mean of J over images, then over objects, is what the paper calls mIoU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.evaluation.metrics.evaluation import object_scores, score_masks
from napari_sam2_probe.evaluation.metrics.table import score_cells
from napari_sam2_probe.evaluation.protocols.jobs import JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored
from napari_sam2_probe.evaluation.protocols.user import Said, give_clicks, object_mask
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.families.loaded import Model


def run_images(
    loaded: Model,
    objects: Sequence[ObjectTruth],
    prompt: str,
    num_images: int,
    *,
    step: Callable[[], None] = lambda: None,
) -> JobResult:
    """Click on every object of one sequence in some of its frames, each for itself.

    Parameters
    ----------
    loaded
        The model.
    objects
        All objects of the sequence.
    prompt
        One of `jobs.IMAGE_PROMPTS`.
    num_images
        Frames of each object at most, spread evenly over those that show it.
    step
        Called after every image.
    """
    number = int(prompt.removesuffix("-click"))
    rows: list[JobRow] = []
    said: list[Said] = []
    for truth in filter(can_be_scored, objects):
        scores = []
        for frame_idx in image_frames(truth, num_images):
            with VideoSession(loaded.model, truth.sequence.frames, SessionOptions.for_model(loaded)) as session:
                said.append(give_clicks(session, truth, frame_idx, number))
                predicted = object_mask(session.result(frame_idx), truth.object_id)
            scores.append(score_masks(truth.mask(frame_idx), predicted))
            step()
        concluded = object_scores(truth.object_id, scores)
        rows.append(JobRow(truth.object_id, 1, score_cells(concluded.region, concluded.boundary)))
    return JobResult(tuple(rows), tuple(said), tuple(t.object_id for t in objects if not can_be_scored(t)))


def image_frames(truth: ObjectTruth, num_images: int) -> list[int]:
    """Return the frames that an object is clicked on in: evenly spread over those whose mask is not empty."""
    shown = [t for t in truth.annotated if truth.mask(t).any()]
    chosen = np.linspace(0, len(shown) - 1, min(num_images, len(shown))).round().astype(int)
    return [shown[k] for k in chosen]
