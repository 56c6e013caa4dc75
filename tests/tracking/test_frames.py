"""Frames reach SAM 2 as the stock loader would bring them, and a little ahead of time."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from sam2.utils.misc import load_video_frames

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.frames import FeatureCache, FrameReader, ImageFeatures, prepare_frame
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.folder import FolderSource


@pytest.mark.parametrize("size", [(90, 160), (480, 854), (64, 64), (31, 17), (300, 200)])
@pytest.mark.parametrize("image_size", [64, 256])
def test_a_frame_is_the_stock_loaders_bit_for_bit(size, image_size, tmp_path, capfd):
    rng = np.random.default_rng(0)
    for t in range(2):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{t:05d}.jpg")
    stock, height, width = load_video_frames(str(tmp_path), image_size, False, compute_device=torch.device("cpu"))
    source = FolderSource(tmp_path)
    assert (source.height, source.width) == (height, width)
    for t in range(2):
        frame = prepare_frame(source.read(t), image_size)
        assert frame.dtype is torch.float32
        assert torch.equal(frame, stock[t])


class CountingSource(ArraySource):
    """A video that notes what is read from which thread, and can't read some frames."""

    def __init__(self, broken=()):
        super().__init__(np.stack([np.full((4, 4, 3), t, np.uint8) for t in range(10)]))
        self.reads: list[int] = []
        self.threads: set[str] = set()
        self._broken = broken

    def read(self, frame_idx):
        self.reads.append(frame_idx)
        self.threads.add(threading.current_thread().name)
        if frame_idx in self._broken:
            raise InputError(f"Frame {frame_idx} can't be read.")
        return super().read(frame_idx)


@pytest.fixture
def reader_of():
    readers = []

    def make(source, **arguments):
        readers.append(FrameReader(source, 4, **arguments))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def number(image: torch.Tensor) -> int:
    return round(float(image[0, 0, 0] * 0.229 + 0.485) * 255)


def wait(reader):
    """Until all that was asked for is read."""
    reader._pool.submit(lambda: None).result()


@pytest.mark.parametrize("step", [1, -1])
def test_the_next_frames_of_the_direction_are_read_ahead(step, reader_of):
    source = CountingSource()
    reader = reader_of(source)
    assert number(reader.read(5, step)) == 5
    wait(reader)
    assert source.reads == [5, 5 + step, 5 + 2 * step]
    assert number(reader.read(5 + step, step)) == 5 + step
    wait(reader)
    assert source.reads == [5, 5 + step, 5 + 2 * step, 5 + 3 * step]
    assert all(name.startswith("sam2-probe-frames") for name in source.threads)


@pytest.mark.parametrize(("last", "step"), [(9, 1), (0, -1)])
def test_nothing_beyond_the_ends_is_read(last, step, reader_of):
    source = CountingSource()
    reader = reader_of(source)
    reader.read(last - step, step)
    reader.read(last, step)
    wait(reader)
    assert sorted(source.reads) == sorted([last - step, last])


def test_without_a_direction_one_frame_is_read(reader_of):
    source = CountingSource()
    reader = reader_of(source)
    assert number(reader.read(3)) == 3
    wait(reader)
    assert source.reads == [3]


def test_turning_round_lets_go_of_what_is_not_wanted(reader_of):
    reader = reader_of(CountingSource(), depth=3)
    reader.read(4, 1)
    reader.read(3, -1)
    assert set(reader._ahead) == {0, 1, 2}
    assert [number(reader.read(t, -1)) for t in (2, 1, 0)] == [2, 1, 0]


def test_an_error_comes_at_the_frame_it_belongs_to_and_only_there(reader_of):
    source = CountingSource(broken={6})
    reader = reader_of(source)
    assert [number(reader.read(t, 1)) for t in (4, 5)] == [4, 5]
    wait(reader)
    assert 6 in source.reads
    with pytest.raises(InputError, match=r"^Frame 6 can't be read\.$"):
        reader.read(6, 1)
    assert number(reader.read(7, 1)) == 7


def test_the_thread_ends_with_close():
    reader = FrameReader(CountingSource(), 4)
    reader.read(0, 1)
    names = {t.name for t in threading.enumerate()}
    mine = {t.name for t in reader._pool._threads}
    assert mine <= names
    reader.close()
    reader.close()
    assert not any(t.is_alive() for t in reader._pool._threads)


def features(elements: int) -> ImageFeatures:
    return ImageFeatures((torch.zeros(elements),))


def test_the_cache_keeps_what_was_used_last_within_its_budget():
    cache = FeatureCache(8 * 4)
    for t in range(3):
        cache.put(t, features(3))
    assert cache.get(0) is None
    assert cache.get(1) is not None
    cache.put(3, features(3))
    assert [t for t in range(4) if cache.get(t) is not None] == [1, 3]
    cache.put(4, features(1000))
    assert [t for t in range(5) if cache.get(t) is not None] == [4]
    cache.clear()
    assert cache.get(4) is None
