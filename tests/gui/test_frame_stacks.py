"""Arrays that are read frame by frame give what the whole array would, in every way they are indexed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from napari.utils.notifications import notification_manager
from PIL import Image

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.lazy import RunStack, VideoStack
from napari_sam2_probe.gui.videos import add_video, read_video
from napari_sam2_probe.live.mask_stack import MaskStack

INDICES = [
    3,
    -1,
    slice(1, 4),
    slice(None, None, 2),
    ...,
    (2, slice(0, 3), slice(1, 5)),
    (slice(1, 3), 2),
    (np.array([4, 0, 2]),),
    (slice(0, 0), slice(None)),
    (..., 1),
    (np.int64(2), ..., slice(None, None, 2)),
    np.array([True, False, False, True, True]),
]


def labels(t):
    return (np.arange(42).reshape(6, 7) * (t + 1) % 5).astype(np.uint16)


@pytest.fixture(params=["masks of a live run", "a run on disk", "in another way"])
def stack(request, tmp_path):
    """A stack of five frames, the fourth of which was never put in, and the same as an array."""
    whole = np.stack([labels(t) * (t != 3) for t in range(5)])
    if request.param == "masks of a live run":
        stack = MaskStack((5, 6, 7))
        for t in (0, 1, 2, 4):
            stack[t] = labels(t)
        return stack, whole
    codecs = {} if request.param == "a run on disk" else {"compressors": None}
    array = zarr.open_group(tmp_path / "run").create_array(
        "maps/x", shape=(2, 5, 6, 7), chunks=(1, 1, 6, 7), dtype=np.uint16, **codecs
    )
    for t in (0, 1, 2, 4):
        array[1, t] = labels(t)
    stack = RunStack(array, 1)
    assert (stack._folder is not None) == (request.param == "a run on disk")
    return stack, whole


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(stack, index):
    stack, whole = stack
    got = stack[index]
    assert isinstance(got, np.ndarray)
    assert got.dtype == whole.dtype
    np.testing.assert_array_equal(got, whole[index])


def test_as_an_array(stack):
    stack, whole = stack
    np.testing.assert_array_equal(np.asarray(stack), whole)
    assert np.asarray(stack, np.float32).dtype == np.float32
    assert (stack.shape, stack.ndim, stack.size, len(stack)) == (whole.shape, 3, whole.size, 5)
    with pytest.raises(IndexError):
        stack[5]


def test_a_damaged_file_is_left_to_zarr(tmp_path):
    array = zarr.open_group(tmp_path).create_array("m", shape=(1, 2, 4, 4), chunks=(1, 1, 4, 4), dtype=np.float32)
    array[0, 1] = 1
    stack = RunStack(array, 0)
    file = stack._folder / "0" / "1" / "0" / "0"
    file.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"(?i)zstd"):
        stack[1]


def test_a_frame_that_cannot_be_read_is_empty_and_told_but_no_error():
    def refuse(frame_idx):
        if frame_idx:
            raise InputError(f"Frame {frame_idx} is damaged.")
        return np.full((3, 4, 3), 7, np.uint8)

    stack = VideoStack(SimpleNamespace(num_frames=6, height=3, width=4, read=refuse))
    notification_manager.records.clear()
    assert (stack[0] == 7).all()
    for frame_idx in (2, 2, 1, 3, 4, 5):
        assert not stack[frame_idx].any()
    assert [str(record.message) for record in notification_manager.records] == [
        f"Frame {frame_idx} is damaged." for frame_idx in (2, 1, 3)
    ]
    notification_manager.records.clear()


def test_a_true_mask_of_another_size_is_left_out_and_told(make_napari_viewer, qtbot, tmp_path):
    frames, masks = tmp_path / "JPEGImages" / "480p" / "seq", tmp_path / "Annotations" / "480p" / "seq"
    for folder, size in ((frames, (12, 10)), (masks, (6, 5))):
        folder.mkdir(parents=True)
        for frame_idx in range(3):
            Image.new("L", size, 1).save(folder / f"{frame_idx:05d}.png")
    viewer = make_napari_viewer()
    notification_manager.records.clear()
    add_video(viewer, read_video(frames))
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    (said,) = {str(record.message) for record in notification_manager.records}
    assert "is 6x5 but the video is 12x10" in said
    assert not viewer.layers[1].data[0].any()
    notification_manager.records.clear()
