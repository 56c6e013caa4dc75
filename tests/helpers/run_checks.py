"""What the tests of runs share: the size of their video, and reading which frames are whole."""

from __future__ import annotations

import numpy as np

T, H, W = 6, 90, 160


def whole_frames(run) -> list[int]:
    assert (run.tracked == run.tracked[:1]).all()
    return np.flatnonzero(run.tracked[0]).tolist()
