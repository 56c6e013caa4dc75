"""How a box should have moved: the Kalman filter of SAMURAI, and its score of each frame's box.

Boxes are (x, y, a, h): centre, width over height, and height, with their speeds, which are taken as constant. The noise
is that of DeepSORT and ByteTrack (arXiv 1703.07402, 2110.06864), in shares of the box's height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.seen_masks import Box

_POSITION, _VELOCITY = 1 / 20, 1 / 160
_MOVE = np.eye(8) + np.eye(8, k=4)
_MEASURE = np.eye(4, 8)


@dataclass(frozen=True)
class BoxState:
    """What is believed of a box.

    Attributes
    ----------
    mean
        (8,) float64: x, y, a, h and their speeds, a frame.
    covariance
        (8, 8) float64.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def first(cls, box: Box | None) -> BoxState:
        """Begin with a box that stands still."""
        measured = _measurement(box)
        h = measured[3]
        p, v = 2 * _POSITION * h, 10 * _VELOCITY * h
        return cls(np.concatenate([measured, np.zeros(4)]), np.diag(np.square([p, p, 1e-2, p, v, v, 1e-5, v])))

    def moved(self) -> BoxState:
        """Predict the next frame."""
        p, v = _POSITION * self.mean[3], _VELOCITY * self.mean[3]
        noise = np.diag(np.square([p, p, 1e-2, p, v, v, 1e-5, v]))
        return BoxState(_MOVE @ self.mean, _MOVE @ self.covariance @ _MOVE.T + noise)

    def corrected(self, box: Box | None) -> BoxState:
        """Take in what was seen."""
        p = _POSITION * self.mean[3]
        seen = _MEASURE @ self.covariance @ _MEASURE.T + np.diag(np.square([p, p, 1e-1, p]))
        gain = np.linalg.solve(seen, _MEASURE @ self.covariance).T
        mean = self.mean + gain @ (_measurement(box) - self.mean[:4])
        return BoxState(mean, self.covariance - gain @ seen @ gain.T)

    def overlap(self, box: Box | None) -> float:
        """Return the IoU of the box that is believed with another one; 0 with none."""
        if box is None:
            return 0.0
        x, y, a, h = self.mean[:4]
        left, top, right, bottom = x - a * h / 2, y - h / 2, x + a * h / 2, y + h / 2
        x0, y0, x1, y1 = box
        shared = max(0.0, min(right, x1) - max(left, x0)) * max(0.0, min(bottom, y1) - max(top, y0))
        union = (right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - shared
        return float(shared / union) if union != 0 else 0.0


def motion_scores(
    boxes: Iterable[tuple[Box | None, float]], *, stable_frames: int = 15, stable_iou: float = 0.3
) -> list[float | None]:
    """Score how well each frame's box agrees with the motion before it, as SAMURAI does.

    The filter starts again after every frame whose predicted IoU is low, and tells nothing until it has taken in
    `stable_frames` frames.

    Parameters
    ----------
    boxes
        Of each frame in the order of tracking: the box around its mask, and its predicted IoU.
    stable_frames, stable_iou
        How many frames with an IoU above it the filter takes in before it is believed.

    Returns
    -------
    list of float or None
        The IoU of each frame's box with the predicted one; None where the filter tells nothing yet.
    """
    scores: list[float | None] = []
    state: BoxState | None = None
    stable = 0
    for box, iou in boxes:
        score = None
        if state is None or stable == 0:
            state, stable = BoxState.first(box), 1
        else:
            state = state.moved()
            waiting = stable < stable_frames
            if not waiting:
                score = state.overlap(box)
            # Until it is believed, more than the threshold is wanted; afterwards not less, as in the official code.
            if iou > stable_iou or (iou == stable_iou and not waiting):
                state, stable = state.corrected(box), stable + waiting
            else:
                stable = 0
        scores.append(score)
    return scores


def _measurement(box: Box | None) -> NDArray[np.float64]:
    x0, y0, x1, y1 = (0, 0, 0, 0) if box is None else box
    height = (y1 - y0) or 1
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / height, height], np.float64)
