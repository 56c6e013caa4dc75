from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.source import FrameSource, IntensityScaling
from napari_sam2_probe.video.true_masks import ArrayMasks


class CountingArray:
    """A long array that is never whole in memory and notes which frames were asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.reads: list[int] = []

    def __getitem__(self, frame_idx: int) -> np.ndarray:
        self.reads.append(frame_idx)
        return np.full(self.shape[1:], frame_idx % 200, dtype=self.dtype)


def video(dtype: Any = np.uint8, channels: int | None = None, num_frames: int = 5) -> np.ndarray:
    shape = (num_frames, 6, 8) if channels is None else (num_frames, 6, 8, channels)
    values = np.random.default_rng(0).integers(0, 256, shape)
    return values.astype(dtype)


def test_is_a_frame_source() -> None:
    source = ArraySource(video(), name="layer")
    assert isinstance(source, FrameSource)
    assert (source.name, source.path, source.fps, source.scaling) == ("layer", None, None, None)
    assert (source.num_frames, source.height, source.width) == (5, 6, 8)


@pytest.mark.parametrize("channels", [3, 4])
def test_uint8_colour_is_taken_as_it_is(channels: int) -> None:
    array = video(channels=channels)
    source = ArraySource(array, contrast_limits=(10, 20))
    np.testing.assert_array_equal(source.read(3), array[3, ..., :3])


def test_uint8_gray_is_repeated_and_the_array_can_not_be_changed_through_a_frame() -> None:
    array = video()
    before = array.copy()
    frame = ArraySource(array).read(2)
    np.testing.assert_array_equal(frame, np.stack([array[2]] * 3, axis=-1))
    frame[:] = 0
    np.testing.assert_array_equal(array, before)


def test_bool() -> None:
    array = video() > 100
    source = ArraySource(array)
    assert source.scaling == IntensityScaling(0.0, 1.0, "boolean")
    np.testing.assert_array_equal(source.read(1)[..., 0], np.where(array[1], 255, 0))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_contrast_limits(dtype: Any) -> None:
    array = video(dtype) * 4
    source = ArraySource(array, contrast_limits=(100, 900))
    assert source.scaling == IntensityScaling(100.0, 900.0, "contrast limits")
    expected = np.rint(np.clip((array[0].astype(float) - 100) / 800, 0, 1) * 255)
    np.testing.assert_array_equal(source.read(0)[..., 1], expected)


def test_percentiles_are_taken_once_for_the_video() -> None:
    array = np.arange(20, dtype=np.uint16)[:, None, None] * np.ones((1, 50, 60), dtype=np.uint16)
    source = ArraySource(array)
    assert source.scaling == IntensityScaling(0.0, 19.0, "percentiles 0.1-99.9")
    assert [int(source.read(i).max()) for i in (0, 10, 19)] == [0, round(10 / 19 * 255), 255]


def test_alpha_has_no_part_in_the_percentiles() -> None:
    array = video(np.float32, channels=4)
    array[..., 3] = 1e6
    scaling = ArraySource(array).scaling
    assert scaling is not None
    assert scaling.high <= 255


@pytest.mark.parametrize("kind", ["dask", "zarr"])
def test_lazy_arrays_give_the_same_frames(kind: str) -> None:
    array = video(np.uint16, channels=3)
    if kind == "dask":
        lazy = pytest.importorskip("dask.array").from_array(array, chunks=(1, 6, 8, 3))
    else:
        import zarr

        lazy = zarr.create_array(zarr.storage.MemoryStore(), data=array, chunks=(1, 6, 8, 3))
    source, expected = ArraySource(lazy), ArraySource(array)
    assert source.scaling == expected.scaling
    assert source.fingerprint() == expected.fingerprint()
    for i in range(5):
        np.testing.assert_array_equal(source.read(i), expected.read(i))


@pytest.mark.parametrize(("dtype", "most_samples"), [(np.uint8, 0), (np.float32, 16)])
def test_of_ten_thousand_frames_only_those_asked_for_are_read(dtype: Any, most_samples: int) -> None:
    array = CountingArray((10_000, 8, 8), dtype)
    source = ArraySource(array)
    assert len(array.reads) == most_samples
    array.reads.clear()
    source.read(7000)
    source.read(3)
    assert array.reads == [7000, 3]


def test_nan_names_the_frame() -> None:
    array = video(np.float32)
    array[3, 2, 2] = np.nan
    source = ArraySource(array, name="embryo")
    source.read(2)
    with pytest.raises(InputError, match=r"^Frame 3 of embryo holds NaN: fill the missing values .* first\.$"):
        source.read(3)


@pytest.mark.parametrize("frame_idx", [-1, 5, 100])
def test_no_such_frame(frame_idx: int) -> None:
    with pytest.raises(InputError, match=f"^Frame {frame_idx} is not in array: it has the frames 0 to 4"):
        ArraySource(video()).read(frame_idx)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 5)), r"shape \(4, 5\): a video is \(T, Y, X\)"),
        (np.zeros((2, 4, 5, 2)), r"shape \(2, 4, 5, 2\): a video is"),
        (np.zeros((1, 2, 4, 5, 3)), "a video is"),
        (np.zeros((0, 4, 5)), "no pixels: give a video with at least one frame"),
        (np.zeros((2, 4, 5), dtype=complex), "dtype complex128: a video is bool, integer or float"),
        (np.zeros((2, 4, 5), dtype=object), "dtype object"),
        ([[[0]]], "not a video: give an array with a shape and a NumPy dtype, not list"),
    ],
)
def test_what_is_no_video(array: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ArraySource(array)


def test_an_array_that_fails_to_read_names_the_frame() -> None:
    class Broken(CountingArray):
        def __getitem__(self, frame_idx: int) -> np.ndarray:
            raise OSError("chunk missing")

    with pytest.raises(InputError, match=r"array: frame 1 can't be read \(OSError: chunk missing\)"):
        ArraySource(Broken((3, 4, 5), np.uint8)).read(1)


def test_fingerprint_changes_with_pixels_shape_dtype_and_scaling() -> None:
    array = video(np.uint16)
    changed = array.copy()
    changed[2, 0, 0] += 1
    prints = {
        ArraySource(a, contrast_limits=limits).fingerprint()
        for a, limits in [
            (array, (0, 9)),
            (changed, (0, 9)),
            (array[:4], (0, 9)),
            (array.astype(np.float32), (0, 9)),
            (array, (0, 8)),
        ]
    }
    assert len(prints) == 5
    assert ArraySource(array, name="a").fingerprint() == ArraySource(array.copy(), name="b").fingerprint()
    assert len(ArraySource(array).fingerprint()) == 64


def test_closing_twice_is_harmless() -> None:
    source = ArraySource(video())
    source.close()
    source.close()


class Misbehaving:
    """An array whose frame 2 is not what the array promises."""

    def __init__(self, what: Any, dtype: str = "uint8") -> None:
        self.shape, self.dtype, self._what = (5, 6, 8), np.dtype(dtype), what

    def __getitem__(self, index: int) -> Any:
        if index != 2:
            return np.full((6, 8), index, self.dtype)
        if isinstance(self._what, type) and issubclass(self._what, BaseException):
            raise self._what
        return self._what


@pytest.mark.parametrize(
    "what",
    [
        *(OSError, ZeroDivisionError, KeyError, StopIteration, AssertionError, MemoryError, RecursionError),
        np.zeros((6, 9), np.uint8),
        np.zeros((6, 8, 3), np.uint8),
        np.zeros((6, 8), np.uint16),
        np.zeros((6, 8), object),
        None,
        "no frame",
    ],
    ids=str,
)
def test_a_frame_that_is_not_as_promised_is_named_and_the_others_work(what: Any) -> None:
    source = ArraySource(Misbehaving(what), name="lazy")
    with pytest.raises(InputError, match=r"^lazy: frame 2 "):
        source.read(2)
    assert [int(source.read(t)[0, 0, 0]) for t in (0, 1, 3, 4)] == [0, 1, 3, 4]
    masks = ArrayMasks(Misbehaving(what), source)
    with pytest.raises(InputError, match=r"^The masks of lazy: frame 2 "):
        masks.labels(2)
    assert int(masks.labels(3)[0, 0]) == 3
