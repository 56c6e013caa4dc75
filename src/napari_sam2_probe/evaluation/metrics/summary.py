"""Mean, recall and decay: what DAVIS reports of a measure over the frames of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECALL_THRESHOLD = 0.5
_NUM_BINS = 4


@dataclass(frozen=True, slots=True)
class Summary:
    """A measure over time.

    Attributes
    ----------
    mean
        The mean over frames.
    recall
        The share of frames in which the measure is above `RECALL_THRESHOLD`.
    decay
        The mean over the first quarter of the frames minus the mean over the last: what was lost on the way.
    """

    mean: float
    recall: float
    decay: float


def summarize(values: NDArray[np.float64]) -> Summary:
    """Summarize the values of a measure, (T,) without NaN, at least one.

    Neighbouring quarters share their border frame. DAVIS's own code keeps these borders in 8 bits, so that its decay
    is wrong for more than 256 frames; this one is right for any length and equal below.

    Notes
    -----
    Perazzi et al., CVPR 2016, section 4.2.
    """
    # The small number makes halves round up as in the original MATLAB code, not to even.
    borders = np.round(np.linspace(1, len(values), _NUM_BINS + 1) + 1e-10).astype(np.int64) - 1
    first, last = values[: borders[1] + 1], values[borders[-2] :]
    return Summary(
        mean=float(values.mean()),
        recall=float((values > RECALL_THRESHOLD).mean()),
        decay=float(first.mean() - last.mean()),
    )
