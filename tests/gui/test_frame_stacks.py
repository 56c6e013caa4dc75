"""Arrays that are read frame by frame give what the whole array would, in every way they are indexed."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_sam2_probe.gui.lazy import RunStack
from napari_sam2_probe.gui.tracking.mask_stack import MaskStack

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
