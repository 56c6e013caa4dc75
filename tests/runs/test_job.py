"""What is checked, and planned, before any work is done."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.run_checks import T
from helpers.scenarios import square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.runs.options import RunOptions, plan_passes
from napari_sam2_probe.runs.record import check_job
from napari_sam2_probe.tracking.prompts import Prompt


def clicks(*frames: int) -> list[Prompt]:
    return [Prompt.from_points(frame, 1, [[5, 5]], [1]) for frame in frames]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (RunOptions(), [("forward", [2, 3, 4, 5])]),
        (RunOptions(start=0), [("forward", [0, 1, 2, 3, 4, 5])]),
        (RunOptions(start=3, end=3), [("forward", [3])]),
        (RunOptions("backward"), [("backward", [4, 3, 2, 1, 0])]),
        (RunOptions("backward", start=5, end=2), [("backward", [5, 4, 3, 2])]),
        (RunOptions("both"), [("forward", [2, 3, 4, 5]), ("backward", [2, 1, 0])]),
    ],
)
def test_passes(source, options, expected):
    planned = plan_passes(clicks(4, 2), source, options)
    assert [(direction, list(frames)) for direction, frames in planned] == expected


def test_both_directions_from_the_first_frame_is_forward(source):
    assert plan_passes(clicks(0), source, RunOptions("both")) == [("forward", range(T))]


@pytest.mark.parametrize(
    ("prompts", "options", "sentence"),
    [
        ([], RunOptions(), "There is no prompt for moving"),
        (clicks(T), RunOptions(), "Frame 6 is not in moving, whose frames are 0 to 5"),
        (clicks(0), RunOptions(start=-1), "The first frame -1 is not in moving"),
        (clicks(0), RunOptions(end=T), "The last frame 6 is not in moving"),
        (clicks(0), RunOptions(start=3, end=2), "No frame lies between the first, 3, and the last, 2, going forward"),
        (clicks(4), RunOptions(end=3), "No frame lies between"),
        (clicks(4), RunOptions("backward", start=1, end=2), "going backward"),
        (clicks(4), RunOptions("both", end=5), "can't be given for both directions"),
        (clicks(0), RunOptions(features=FeatureOptions(epsilon=0.0)), "epsilon 0 can't be used"),
        (clicks(0), RunOptions(features=FeatureOptions(epsilon=float("nan"))), "epsilon nan can't be used"),
        ([Prompt.from_mask(0, 65536, square_mask(0))], RunOptions(), "ids in a run are at most 65535"),
        ([Prompt.from_mask(0, 1, np.zeros((90, 160), bool))], RunOptions(), "is empty"),
    ],
)
def test_refused(source, tmp_path, prompts, options, sentence):
    with pytest.raises(InputError, match=sentence):
        check_job(source, prompts, tmp_path / "run", options)
    assert list(tmp_path.iterdir()) == []
