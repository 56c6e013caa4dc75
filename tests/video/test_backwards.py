"""A video backwards is the video, the last frame first."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video import FrameSource, open_video
from napari_sam2_probe.video.backwards import BackwardsSource


@pytest.fixture
def film():
    frames = np.random.default_rng(0).integers(0, 255, (5, 8, 9, 3)).astype(np.uint8)
    masks = np.stack([np.full((8, 9), t, np.uint8) for t in range(5)])
    return open_video(frames, name="film", masks=masks)


def test_frames_and_masks_in_reverse(film):
    video = film.reversed()
    assert isinstance(video.frames, FrameSource)
    assert (video.frames.name, video.frames.num_frames, video.frames.height, video.frames.width) == ("film", 5, 8, 9)
    for t in range(5):
        np.testing.assert_array_equal(video.frames.read(t), film.frames.read(4 - t))
        np.testing.assert_array_equal(video.read(t), film.read(4 - t))
        np.testing.assert_array_equal(video.mask(t), film.mask(4 - t))
        np.testing.assert_array_equal(video.object_mask(t, 3), film.object_mask(4 - t, 3))
    assert (video.name, video.object_ids(), video.truth) == ("film", [1, 2, 3, 4], None)
    assert video.fingerprint_with_masks() != film.fingerprint_with_masks()
    np.testing.assert_array_equal(video.reversed().read(1), film.read(1))


def test_is_another_video(film):
    backwards = BackwardsSource(film.frames)
    assert backwards.fingerprint() != film.frames.fingerprint()
    assert backwards.fingerprint() == BackwardsSource(film.frames).fingerprint()


@pytest.mark.parametrize("frame_idx", [-1, 5])
def test_no_such_frame(film, frame_idx):
    with pytest.raises(InputError):
        BackwardsSource(film.frames).read(frame_idx)
    with pytest.raises(InputError):
        film.reversed().mask(frame_idx)
