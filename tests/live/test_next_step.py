"""The sentence that says what to do next, along the work with a video."""

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2_probe.live.next_step import Doing, Situation, next_step
from napari_sam2_probe.live.scores import ScoreTable

OPEN = Situation(has_video=True, num_frames=49)
CLICKED = replace(OPEN, num_prompts=1, num_tracked=1)
TRACKED = replace(CLICKED, num_tracked=49)


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (Situation(), "Open a video"),
        (Situation(has_model=False), "Open a video"),
        (OPEN, "Click the object"),
        (replace(OPEN, has_model=False), "Download the chosen model"),
        (replace(OPEN, num_prompts=1, doing=Doing.PROMPTING), "Computing the mask"),
        (CLICKED, "Track forward"),
        (replace(CLICKED, doing=Doing.TRACKING), "Tracking…"),
        (replace(CLICKED, doing=Doing.TRACKING, done=12, total=49), "Tracking 12 of 49"),
        (replace(CLICKED, doing=Doing.PAUSED, done=12, total=49), "Paused at 12 of 49"),
        (replace(TRACKED, num_tracked=20), "20 of 49 frames have a mask"),
        (replace(TRACKED, doubtful=(7,)), "Review: 1 doubtful frame (7)."),
        (replace(TRACKED, doubtful=(7, 9, 11)), "Review: 3 doubtful frames (7, 9, 11)."),
        (replace(TRACKED, doubtful=(7, 8, 9, 11, 20, 30)), "Review: 6 doubtful frames (7-9, 11, 20, …)."),
        (replace(TRACKED, doubtful=(7,), doing=Doing.TRACKING), "Tracking…"),
        (TRACKED, "All frames have a mask"),
    ],
)
def test_it_says_what_comes_next(now, begins):
    assert next_step(now).startswith(begins)


def test_doubtful_frames_leave_out_what_was_prompted():
    table = ScoreTable(5)
    # Frame 0 is unknown, on 2 the object is gone, on 3 its mask is poor, on 4 it is hardly there.
    table.object_scores(1)[1:] = 9.0, -2.0, 4.0, 1.0
    table.predicted_iou(1)[1:] = 0.9, 0.1, 0.59, 0.8
    assert table.doubtful_frames(1).tolist() == [2, 3, 4]
    assert table.doubtful_frames(1, [3]).tolist() == [2, 4]
    table.object_scores(2)[0] = -1.0
    assert table.tracked_frames().tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(ScoreTable(4).tracked_frames(), [])
