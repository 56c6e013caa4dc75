"""A video with all that is known of it, whatever it comes from."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.video import ArraySource, DavisDataset, FrameSource, Video, open_video
from napari_sam2_probe.video.davis import dataset_of
from napari_sam2_probe.video.layer import METADATA_KEY

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 8, 9, 3), np.uint8)
MASKS = np.zeros((4, 8, 9), np.int64)
MASKS[:, 2:5, 3:6] = 7
MASKS[3, 5:, :] = 300


def test_it_is_its_frames_and_their_masks():
    video = open_video(FRAMES, name="film", masks=MASKS)
    assert isinstance(video, FrameSource)
    assert repr(video) == "<Video film: 4 frames of 9x8, with true masks>"
    assert (len(video), video.path, video.folder, video.fps, video.scaling) == (4, None, None, None, None)
    assert (video.frame_names, video.frame_times) == (("00000", "00001", "00002", "00003"), None)
    np.testing.assert_array_equal(video.read(2), FRAMES[2])
    np.testing.assert_array_equal(np.asarray(video.read_image(2)), FRAMES[2])
    for t in range(4):
        np.testing.assert_array_equal(video.mask(t), MASKS[t])
        np.testing.assert_array_equal(video.object_mask(t, 7), MASKS[t] == 7)
    assert [video.mask(t).dtype for t in (0, 3)] == [np.uint8, np.uint16]
    assert (video.object_ids(), video.annotated_frames(), video.has_mask(1)) == ([7, 300], [0, 1, 2, 3], True)
    assert video.fingerprint() == ArraySource(FRAMES).fingerprint()
    assert video.fingerprint_with_masks() != open_video(FRAMES, masks=MASKS == 7).fingerprint_with_masks()
    assert open_video(video) is video


def test_without_masks_nothing_is_known():
    video = open_video(ArraySource(FRAMES))
    assert (video.has_masks, video.mask(0), video.object_mask(0, 1), video.has_mask(0)) == (False, None, None, False)
    assert (video.object_ids(), video.annotated_frames(), video.truth) == ([], [], None)
    assert repr(video) == "<Video array: 4 frames of 9x8>"


@pytest.mark.parametrize(
    ("masks", "says"),
    [
        (MASKS[:3], r"have the shape \(3, 8, 9\) but its frames are \(4, 8, 9\)"),
        (MASKS.astype(float), "have the dtype float64: give bool or integer ids"),
        (5, r"have the shape \(\) but"),
    ],
)
def test_masks_that_dont_fit_are_refused(masks, says):
    with pytest.raises(InputError, match=says):
        open_video(FRAMES, masks=masks)


@pytest.mark.parametrize("value", [-1, 70_000])
def test_ids_that_no_file_can_hold_are_refused_when_they_are_read(value):
    video = open_video(FRAMES, masks=np.full((4, 8, 9), value))
    with pytest.raises(InputError, match="holds ids that are not in 0 to 65535"):
        video.mask(0)


def test_a_data_set_is_a_mapping_of_videos():
    dataset = DavisDataset(sample_data_folder())
    assert "horse" in dataset
    assert list(dataset) == dataset.names
    assert len(dataset) == len(dataset.names)
    assert dataset["horse"].object_ids() == open_video(sample_data_folder() / "horse").object_ids()
    assert dataset.get("zebra") is None
    with pytest.raises(InputError, match="has no sequence 'zebra'"):
        dataset["zebra"]
    with pytest.raises(InputError, match="holds several videos: choose one of astronaut"):
        open_video(dataset)
    assert repr(dataset) == f"<DavisDataset {sample_data_folder()}: {len(dataset)} videos>"
    assert dataset == dataset
    assert len({dataset, DavisDataset(sample_data_folder())}) == 2


def test_a_video_finds_its_data_set():
    assert dataset_of(open_video(sample_data_folder() / "horse")).root == sample_data_folder()
    with pytest.raises(InputError, match="film is not part of a data set"):
        dataset_of(open_video(FRAMES, name="film"))


def layer(**attributes):
    """Stand in for an image layer of napari."""
    common = {
        "data": FRAMES[..., 0].astype(np.float32),
        "ndim": 3,
        "name": "cells",
        "metadata": {},
        "rgb": False,
        "multiscale": False,
        "contrast_limits": (0, 510),
        "source": SimpleNamespace(path=None),
    }
    return SimpleNamespace(**common | attributes)


def test_a_layer_is_a_video():
    video = open_video(layer())
    assert (video.name, video.scaling.origin) == ("cells", "contrast limits")
    np.testing.assert_allclose(video.read(1)[..., 0], FRAMES[1, ..., 0] / 2, atol=0.51)
    assert open_video(layer(), name="mine").name == "mine"
    colour = open_video(layer(data=[FRAMES, FRAMES[:, ::2, ::2]], rgb=True, multiscale=True))
    np.testing.assert_array_equal(colour.read(3), FRAMES[3])
    known = open_video(FRAMES, masks=MASKS)
    assert open_video(layer(metadata={METADATA_KEY: {"source": known}})) is known
    for ndim, says in ((2, "it is a single picture"), (4, "choose one time series of it")):
        with pytest.raises(InputError, match=says):
            open_video(layer(ndim=ndim))


def test_closing_closes_the_frames():
    class Frames(ArraySource):
        closed = 0

        def close(self):
            self.closed += 1

    frames = Frames(FRAMES)
    with Video(frames).reversed() as video:
        np.testing.assert_array_equal(video.read(0), FRAMES[3])
    assert frames.closed == 1
