"""What is known of every frame of every object while one works: numbers, and whether they are up to date."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.live.doubt import is_doubtful

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.live.events import FrameShown


class Standing(IntEnum):
    """How up to date the mask of an object on a frame is."""

    NOTHING = 0
    PROMPTED = 1
    """From a prompt on this frame; tracking has not come by since."""
    TRACKED = 2
    STALE = 3
    """Tracked before a prompt changed that it depends on, or in an earlier run."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of one object: arrays (T,), float32 with NaN where nothing is known.

    Attributes
    ----------
    object_scores
        Logits.
    predicted_iou
        SAM 2's own estimate.
    jaccard
        J with the true mask.
    standings
        (T,) int8, a `Standing` each.
    true_id
        The id in the true masks that J is about.
    """

    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    jaccard: NDArray[np.float32]
    standings: NDArray[np.int8]
    true_id: int | None = None


class ScoreTable:
    """The numbers of all objects of one video.

    Parameters
    ----------
    num_frames
        Frames of the video, T.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames
        self._objects: dict[int, _Object] = {}

    def take(self, shown: FrameShown) -> None:
        """Note the numbers of a frame; an object that is not in it has none any more."""
        for obj_id in self._objects.keys() - set(shown.obj_ids):
            self._of(obj_id).clear(shown.frame_idx)
        rows = zip(shown.object_scores, shown.predicted_iou, shown.truth.jaccard, strict=True)
        for obj_id, numbers, true_id in zip(shown.obj_ids, rows, shown.truth.true_ids, strict=True):
            self._of(obj_id).put(shown, numbers, true_id, prompted=shown.prompted == obj_id)

    def forget(self, obj_id: int) -> None:
        """Forget an object."""
        self._objects.pop(obj_id, None)

    def numbers(self, obj_id: int) -> Numbers:
        """Return what is known of an object now; the arrays change with the table."""
        of = self._of(obj_id)
        scores, ious, jaccards = of.numbers
        return Numbers(scores, ious, jaccards, of.standings, of.true_id)

    def object_scores(self, obj_id: int) -> NDArray[np.float32]:
        """Return the (T,) object score logits of an object."""
        return self.numbers(obj_id).object_scores

    def predicted_iou(self, obj_id: int) -> NDArray[np.float32]:
        """Return the (T,) predicted IoU of an object."""
        return self.numbers(obj_id).predicted_iou

    def tracked_frames(self) -> NDArray[np.intp]:
        """Return the frames on which some object has a score."""
        known = [np.isfinite(of.numbers[0]) for of in self._objects.values()]
        return np.flatnonzero(np.any(known, axis=0)) if known else np.zeros(0, np.intp)

    def doubtful_frames(self, obj_id: int, prompted: Iterable[int] = ()) -> NDArray[np.intp]:
        """Return the frames on which the mask of an object is doubtful (`doubt.is_doubtful`).

        Parameters
        ----------
        obj_id
            The object.
        prompted
            Frames on which the user has said what it is: those are not doubtful.
        """
        of = self._of(obj_id)
        doubtful = is_doubtful(*of.numbers[:2])
        doubtful[list(prompted)] = False
        return np.flatnonzero(doubtful)

    def _of(self, obj_id: int) -> _Object:
        if obj_id not in self._objects:
            self._objects[obj_id] = _Object(self.num_frames)
        return self._objects[obj_id]


class _Object:
    def __init__(self, num_frames: int) -> None:
        # Object score, predicted IoU, J.
        self.numbers = np.full((3, num_frames), np.nan, np.float32)
        self.standings = np.zeros(num_frames, np.int8)
        self.true_id: int | None = None
        self._backward = np.zeros(num_frames, bool)

    def clear(self, frame_idx: int) -> None:
        self.numbers[:, frame_idx] = np.nan
        self.standings[frame_idx] = Standing.NOTHING

    def put(self, shown: FrameShown, numbers: tuple[np.float32, ...], true_id: int | None, *, prompted: bool) -> None:
        frame_idx = shown.frame_idx
        if true_id != self.true_id:
            # What it was compared with is another object.
            self.numbers[2] = np.nan
            self.true_id = true_id
        before = Standing(int(self.standings[frame_idx]))
        self.numbers[:, frame_idx] = numbers
        if np.isnan(numbers[0]):
            standing = Standing.NOTHING
        elif shown.direction is not None:
            standing = Standing.TRACKED
            self._backward[frame_idx] = shown.direction == "backward"
        elif prompted:
            standing = Standing.STALE if shown.cleared else Standing.PROMPTED
        else:
            standing = Standing.STALE if before is Standing.NOTHING else before
        self.standings[frame_idx] = standing
        if prompted:
            self._outdate(frame_idx)

    def _outdate(self, frame_idx: int) -> None:
        """Take for stale what was tracked behind a frame whose prompt has changed, in the direction of tracking."""
        behind = np.arange(len(self.standings)) - frame_idx
        depends = np.where(self._backward, behind < 0, behind > 0)
        self.standings[depends & (self.standings == Standing.TRACKED)] = Standing.STALE
