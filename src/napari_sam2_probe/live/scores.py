"""Object score and predicted IoU of every frame, as far as they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.live.events import FrameShown


DOUBTFUL_BELOW = np.float32(0.8)
"""A predicted IoU below which a mask is doubtful: SAM 2's own automatic mask generator drops such masks."""


class ScoreTable:
    """Numbers by object and frame; NaN where nothing is known.

    Parameters
    ----------
    num_frames
        Frames of the video, T.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames
        self._numbers: dict[int, NDArray[np.float32]] = {}

    def take(self, shown: FrameShown) -> None:
        """Note the numbers of a frame; an object that is not in it has none any more."""
        for obj_id in self._numbers.keys() - set(shown.obj_ids):
            self._of(obj_id)[:, shown.frame_idx] = np.nan
        rows = zip(shown.obj_ids, shown.object_scores, shown.predicted_iou, strict=True)
        for obj_id, score, iou in rows:
            self._of(obj_id)[:, shown.frame_idx] = score, iou

    def forget(self, obj_id: int) -> None:
        """Forget an object."""
        self._numbers.pop(obj_id, None)

    def object_scores(self, obj_id: int) -> NDArray[np.float32]:
        """Return the (T,) object score logits of an object."""
        scores: NDArray[np.float32] = self._of(obj_id)[0]
        return scores

    def predicted_iou(self, obj_id: int) -> NDArray[np.float32]:
        """Return the (T,) predicted IoU of an object."""
        ious: NDArray[np.float32] = self._of(obj_id)[1]
        return ious

    def tracked_frames(self) -> NDArray[np.intp]:
        """Return the frames on which some object has a score."""
        known = [np.isfinite(numbers[0]) for numbers in self._numbers.values()]
        return np.flatnonzero(np.any(known, axis=0)) if known else np.zeros(0, np.intp)

    def doubtful_frames(self, obj_id: int) -> NDArray[np.intp]:
        """Return the frames on which SAM 2 takes an object to be there and doubts its own mask."""
        scores, ious = self._of(obj_id)
        return np.flatnonzero((scores > 0) & (ious < DOUBTFUL_BELOW))

    def _of(self, obj_id: int) -> NDArray[np.float32]:
        if obj_id not in self._numbers:
            self._numbers[obj_id] = np.full((2, self.num_frames), np.nan, np.float32)
        return self._numbers[obj_id]
