"""Interactive: a simulated user sees the result, annotates one more frame, and looks again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from napari_sam2_probe.evaluation.metrics.evaluation import object_scores, score_masks
from napari_sam2_probe.evaluation.metrics.table import score_cells
from napari_sam2_probe.evaluation.protocols.jobs import ONLINE, JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored
from napari_sam2_probe.evaluation.protocols.user import Said, give_clicks, object_mask
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.evaluation.protocols.jobs import InteractionOptions
    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.families.loaded import Model

Scores = dict[int, tuple[float, float]]
"""J and F of annotated frames."""


def run_interactive(
    loaded: Model,
    objects: Sequence[ObjectTruth],
    protocol: str,
    options: InteractionOptions,
    *,
    step: Callable[[], None] = lambda: None,
) -> JobResult:
    """Annotate, track and score every object of one sequence by itself.

    There is a row for every number of annotated frames from 1 to ``options.num_frames``. A user who finds nothing
    to correct stops; the rows of higher numbers then repeat the last.

    Parameters
    ----------
    loaded
        The model.
    objects
        All objects of the sequence.
    protocol
        `jobs.OFFLINE` or `jobs.ONLINE`.
    options
        How the user works.
    step
        Called after every frame that is tracked.
    """
    rows: list[JobRow] = []
    said: list[Said] = []
    for truth in filter(can_be_scored, objects):
        with VideoSession(loaded.model, truth.sequence.frames, SessionOptions.for_model(loaded)) as session:
            user = _OnlineUser if protocol == ONLINE else _OfflineUser
            passes, words = _annotate(user(session, truth, options), truth, options, step)
        rows += passes
        said += words
    return JobResult(tuple(rows), tuple(said), tuple(t.object_id for t in objects if not can_be_scored(t)))


def _annotate(
    user: _User, truth: ObjectTruth, options: InteractionOptions, step: Callable[[], None]
) -> tuple[list[JobRow], list[Said]]:
    rows: list[JobRow] = []
    said: list[Said] = []
    frame_idx: int | None = truth.first
    for number in range(1, options.num_frames + 1):
        if frame_idx is not None:
            said.append(user.correct(frame_idx))
            user.watch(frame_idx, step)
            cells = _summary(truth, user.scores)
            frame_idx = user.next_frame(frame_idx)
        rows.append(JobRow(truth.object_id, number, cells))
    return rows, said


def _summary(truth: ObjectTruth, scores: Scores) -> dict[str, float]:
    concluded = object_scores(truth.object_id, [scores[t] for t in truth.scored])
    return score_cells(concluded.region, concluded.boundary)


class _User(ABC):
    """What both ways of working share: clicks on a frame, a pass of tracking, scores of the newest masks."""

    def __init__(self, session: VideoSession, truth: ObjectTruth, options: InteractionOptions) -> None:
        self._session = session
        self._truth = truth
        self._options = options
        self._annotated: set[int] = set()
        self.scores: Scores = {}

    def correct(self, frame_idx: int) -> Said:
        """Click on a frame, looking at the mask that is there."""
        seen = None
        if self._annotated:
            seen = object_mask(self._session.result(frame_idx), self._truth.object_id)
        self._annotated.add(frame_idx)
        return give_clicks(self._session, self._truth, frame_idx, self._options.num_clicks, seen)

    @abstractmethod
    def watch(self, corrected: int, step: Callable[[], None]) -> None:
        """Track after frame `corrected` was annotated, and score what changes."""

    @abstractmethod
    def next_frame(self, corrected: int) -> int | None:
        """Return the frame to annotate next; None if the user is content."""

    def _track(self, start: int, step: Callable[[], None]) -> None:
        wanted = frozenset(self._truth.annotated)
        for result in self._session.propagate(start=start):
            if result.frame_idx in wanted:
                predicted = object_mask(result, self._truth.object_id)
                self.scores[result.frame_idx] = score_masks(self._truth.mask(result.frame_idx), predicted)
            step()


class _OfflineUser(_User):
    """Looks through the whole video, annotates the frame with the lowest IoU, and has all of it tracked again."""

    def watch(self, corrected: int, step: Callable[[], None]) -> None:
        self._track(self._truth.first, step)

    def next_frame(self, corrected: int) -> int | None:
        imperfect = [t for t in self._truth.annotated if t not in self._annotated and self.scores[t][0] < 1]
        return min(imperfect, key=lambda t: self.scores[t][0], default=None)


class _OnlineUser(_User):
    """Follows the tracking, stops at the first frame whose IoU is too low, corrects it, and lets it go on.

    To know the result with every number of corrections, tracking goes on to the end each time; the next correction
    then takes up where the user would have stopped. Tracking forward never looks ahead, so that is the same.
    """

    def watch(self, corrected: int, step: Callable[[], None]) -> None:
        self._track(corrected, step)

    def next_frame(self, corrected: int) -> int | None:
        later = (t for t in self._truth.annotated if t > corrected)
        return next((t for t in later if self.scores[t][0] < self._options.iou_threshold), None)
