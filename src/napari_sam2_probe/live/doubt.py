"""Which frames are worth a second look: a rule on what is known without ground truth, measured in docs/review.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.stretches import stretches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LEAST_SCORE = np.float32(3.0)
"""An object score, a logit, below which a present object is doubtful: a probability of 0.95."""

LEAST_PREDICTED_IOU = np.float32(0.6)
"""A predicted IoU below which the mask of a present object is doubtful."""


def is_doubtful(object_scores: NDArray[np.floating], predicted_iou: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return where a mask is doubtful.

    That is where SAM 2 takes the object to be present, with an object score below 3 or a predicted IoU below 0.6; and
    on the first and the last frame of a stretch on which SAM 2 takes it to be absent. The frames between are not: that
    an object is gone is one question, not one for each frame.

    Parameters
    ----------
    object_scores
        (T,) logits; NaN where a frame is not tracked, which is not doubtful.
    predicted_iou
        (T,), NaN where SAM 2 gives none.
    """
    present, absent = object_scores > 0, object_scores <= 0
    unsure = (object_scores < LEAST_SCORE) | (predicted_iou < LEAST_PREDICTED_IOU)
    beside = np.zeros(len(present), bool)
    beside[1:] |= present[:-1]
    beside[:-1] |= present[1:]
    doubtful: NDArray[np.bool_] = (present & unsure) | (absent & beside)
    return doubtful


def next_stretch(frames: Iterable[int], after: int, step: int = 1) -> int | None:
    """Return where the next stretch of consecutive frames begins; behind the last comes the first again.

    Parameters
    ----------
    frames
        Frames, such as those that are doubtful.
    after
        Look behind this frame.
    step
        1 for the next stretch, -1 for the one before.

    Returns
    -------
    int or None
        Its first frame; None if there are no frames.
    """
    starts = [first for first, _ in stretches(frames)]
    if not starts:
        return None
    if step > 0:
        return next((first for first in starts if first > after), starts[0])
    return next((first for first in reversed(starts) if first < after), starts[-1])
