"""Which frames are worth a second look: a rule on what is known without ground truth."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LEAST_PREDICTED_IOU = np.float32(0.8)
"""A predicted IoU below which a mask is doubtful: SAM 2's own automatic mask generator drops such masks."""

LEAST_SCORE = np.float32(2.0)
"""An object score, a logit, below which it is doubtful that a present object is present."""

LEAST_OVERLAP = np.float32(0.6)
"""An IoU with the mask of the frame tracked before, below which a mask has changed suddenly."""


def is_doubtful(
    object_scores: NDArray[np.floating], predicted_iou: NDArray[np.floating], overlaps: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return where a mask is doubtful.

    A frame is doubtful if SAM 2 takes the object to be present but gives its mask a low predicted IoU or the object a
    low score, or if the mask suddenly differs from that of the frame tracked before. So the frame on which an object
    disappears is doubtful, and those after it, on which SAM 2 says that it is absent, are not.

    Parameters
    ----------
    object_scores
        (T,) logits; NaN where a frame is not tracked, which is not doubtful.
    predicted_iou
        (T,), NaN where SAM 2 gives none.
    overlaps
        (T,) IoU with the mask of the frame tracked before; NaN where there is none.
    """
    present = object_scores > 0
    unsure = (object_scores < LEAST_SCORE) | (predicted_iou < LEAST_PREDICTED_IOU)
    doubtful: NDArray[np.bool_] = (present & unsure) | (np.isfinite(object_scores) & (overlaps < LEAST_OVERLAP))
    return doubtful


def next_doubtful(frames: Iterable[int], after: int, *, step: int = 1) -> int | None:
    """Return where the next stretch of consecutive doubtful frames begins, from the start again behind the last.

    Parameters
    ----------
    frames
        The doubtful frames.
    after
        Look behind this frame.
    step
        1 for the next stretch, -1 for the one before.

    Returns
    -------
    int or None
        Its first frame; None if no frame is doubtful.
    """
    starts = [first for first, _ in stretches(frames)]
    if not starts:
        return None
    if step > 0:
        return next((first for first in starts if first > after), starts[0])
    return next((first for first in reversed(starts) if first < after), starts[-1])


def stretches(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last frame of each stretch of consecutive frames, in order."""
    ordered = sorted({int(frame) for frame in frames})
    if not ordered:
        return []
    breaks = [(before, after) for before, after in pairwise(ordered) if after > before + 1]
    firsts = [ordered[0], *(after for _, after in breaks)]
    lasts = [*(before for before, _ in breaks), ordered[-1]]
    return list(zip(firsts, lasts, strict=True))
