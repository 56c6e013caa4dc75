"""A video backwards is the video, the last frame first."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video import FrameSource
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.backwards import BackwardsSource, BackwardsVideo


class Film:
    def __init__(self, frames, masks):
        self.frames, self.masks = ArraySource(frames, name="film"), masks

    def mask(self, frame_idx):
        return self.masks[frame_idx]


@pytest.fixture
def film():
    frames = np.random.default_rng(0).integers(0, 255, (5, 8, 9, 3)).astype(np.uint8)
    masks = [np.full((8, 9), t, np.uint8) for t in range(4)]
    return Film(frames, [*masks, None])


def test_frames_and_masks_in_reverse(film):
    video = BackwardsVideo(film)
    assert isinstance(video.frames, FrameSource)
    assert (video.frames.name, video.frames.num_frames, video.frames.height, video.frames.width) == ("film", 5, 8, 9)
    for t in range(5):
        np.testing.assert_array_equal(video.frames.read(t), film.frames.read(4 - t))
    assert video.mask(0) is None
    assert video.mask(1).max() == 3


def test_is_another_video(film):
    backwards = BackwardsSource(film.frames)
    assert backwards.fingerprint() != film.frames.fingerprint()
    assert backwards.fingerprint() == BackwardsSource(film.frames).fingerprint()


@pytest.mark.parametrize("frame_idx", [-1, 5])
def test_no_such_frame(film, frame_idx):
    with pytest.raises(InputError):
        BackwardsSource(film.frames).read(frame_idx)
    with pytest.raises(InputError):
        BackwardsVideo(film).mask(frame_idx)
