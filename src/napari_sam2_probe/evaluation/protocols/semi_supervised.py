"""Semi-supervised: every object prompted on the first frame where it appears, then tracked to the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from napari_sam2_probe.evaluation.metrics.evaluation import object_scores, score_masks
from napari_sam2_probe.evaluation.metrics.table import score_cells
from napari_sam2_probe.evaluation.protocols.jobs import JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored
from napari_sam2_probe.evaluation.protocols.user import Said, give_box, give_clicks, give_mask, object_mask
from napari_sam2_probe.tracking.policies import make_policy
from napari_sam2_probe.tracking.results import SessionOptions, merge_results
from napari_sam2_probe.tracking.session import VideoSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.tracking.results import FrameResult


def run_semi_supervised(
    loaded: Model,
    objects: Sequence[ObjectTruth],
    prompt: str,
    *,
    policy: str | None = None,
    save: Callable[[FrameResult], None] | None = None,
    step: Callable[[], None] = lambda: None,
) -> JobResult:
    """Prompt, track and score all objects of one sequence.

    Where objects share one label image, a pixel that several want goes to the highest logit, and the result is
    scored; where each has mask files of its own (SA-V), each is scored by itself. Objects that appear later are
    tracked in a session of their own from there, so that no frame before is seen.

    Parameters
    ----------
    loaded
        The model.
    objects
        All objects of the sequence, at least one.
    prompt
        One of `jobs.PROMPTS`.
    policy
        A memory policy, as `make_policy` takes it; None for SAM 2's own choice.
    save
        Given the masks of every frame from the first prompted one on.
    step
        Called after every frame.
    """
    sequence = objects[0].sequence
    scored = {truth.object_id: frozenset(truth.scored) for truth in objects}
    scores: dict[int, list[tuple[float, float]]] = {truth.object_id: [] for truth in objects if can_be_scored(truth)}
    said: list[Said] = []
    seconds = 0.0
    # A policy may want to know the true masks.
    source = sequence.frames if policy is None else sequence
    options = SessionOptions.for_model(loaded, policy=None if policy is None else make_policy(policy))
    with ExitStack() as open_sessions:
        tracks = []
        for first in sorted({truth.first for truth in objects}):
            session = open_sessions.enter_context(VideoSession(loaded.model, source, options))
            said += [_give(session, truth, prompt) for truth in objects if truth.first == first]
            tracks.append((first, session.propagate(start=first)))
        frames = _frame_by_frame(tracks, sequence.num_frames)
        began = time.perf_counter()
        for result in frames:
            seconds += time.perf_counter() - began
            labels = None if sequence.masks_per_object else result.labels()
            for truth in objects:
                if result.frame_idx in scored[truth.object_id]:
                    own = object_mask(result, truth.object_id) if labels is None else labels == truth.object_id
                    scores[truth.object_id].append(score_masks(truth.mask(result.frame_idx), own))
            if save is not None:
                save(result)
            step()
            began = time.perf_counter()
    concluded = [object_scores(object_id, values) for object_id, values in scores.items()]
    return JobResult(
        rows=tuple(JobRow(c.object_id, 1, score_cells(c.region, c.boundary)) for c in concluded),
        prompts=tuple(said),
        left_out=tuple(truth.object_id for truth in objects if not can_be_scored(truth)),
        seconds=seconds,
    )


def _give(session: VideoSession, truth: ObjectTruth, prompt: str) -> Said:
    give: dict[str, Callable[[VideoSession, ObjectTruth], Said]] = {"mask": give_mask, "box": give_box}
    if prompt in give:
        return give[prompt](session, truth)
    number = int(prompt.removesuffix("-click"))
    return partial(give_clicks, frame_idx=truth.first, number=number)(session, truth)


def _frame_by_frame(tracks: Sequence[tuple[int, Iterator[FrameResult]]], num_frames: int) -> Iterator[FrameResult]:
    """Take one frame after the other from every session that has begun, so that one frame is held at a time."""
    for frame_idx in range(tracks[0][0], num_frames):
        yield merge_results([next(results) for first, results in tracks if first <= frame_idx])
