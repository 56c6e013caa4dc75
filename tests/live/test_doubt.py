"""Which frames are worth a second look, and how one goes from one to the next."""

import numpy as np
import pytest

from napari_sam2_probe.common.stretches import stretches
from napari_sam2_probe.live.doubt import is_doubtful, next_stretch

NAN = float("nan")


def doubtful(scores, ious):
    return np.flatnonzero(is_doubtful(np.array(scores, np.float32), np.array(ious, np.float32))).tolist()


def test_a_low_score_or_a_low_predicted_iou_of_a_present_object():
    # Unknown, sure, low score, low IoU, both just enough, prompted with a mask (no predicted IoU).
    assert doubtful([NAN, 9, 2.9, 9, 3, 9], [NAN, 0.9, 0.9, 0.59, 0.6, NAN]) == [2, 3]


def test_of_an_absence_the_first_and_the_last_frame():
    assert doubtful([9, 9, -4, -5, -5, -3, 9], [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9]) == [2, 5]
    assert doubtful([-4, -4], [0.1, 0.1]) == []
    # Tracking has not come to the next frame yet.
    assert doubtful([9, -4, NAN], [0.9, 0.1, NAN]) == [1]


def test_one_goes_to_the_beginnings_of_stretches_and_round():
    frames = [12, 3, 4, 5, 30]
    assert stretches(frames) == [(3, 5), (12, 12), (30, 30)]
    assert [next_stretch(frames, after) for after in (-1, 3, 4, 12, 30, 40)] == [3, 12, 12, 30, 3, 3]
    assert [next_stretch(frames, before, -1) for before in (40, 30, 12, 5, 3)] == [30, 12, 3, 3, 30]
    assert next_stretch([], 4) is None
    assert stretches([]) == []


@pytest.mark.parametrize("seed", range(5))
def test_stretches_hold_the_frames_and_nothing_else(seed):
    frames = np.flatnonzero(np.random.default_rng(seed).random(40) < 0.4).tolist()
    held = [t for first, last in stretches(frames) for t in range(first, last + 1)]
    assert held == frames
