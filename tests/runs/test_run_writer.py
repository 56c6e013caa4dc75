"""The writer alone, on frames made up here: whenever it dies, what is on disk is complete and tells what it is."""

from __future__ import annotations

import errno
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import zarr
from zarr.storage import LocalStore

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.probe.recorder import FrameRecord
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs import tables, writer
from napari_sam2_probe.runs.place import check_new_path
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.writer import RunWriter

T, H, W, C = 5, 6, 8, 4
KEY = "memory_attention"


def numbers(*shape: int, frame: int) -> np.ndarray:
    return np.random.default_rng([frame, *shape]).normal(size=shape).astype(np.float32)


def masks_of(frame: int) -> np.ndarray:
    return numbers(2, H, W, frame=frame) > 0


def labels_of(frame: int) -> np.ndarray:
    masks = masks_of(frame)
    return np.where(masks[1], 9, np.where(masks[0], 4, 0)).astype(np.uint16)


def new_writer(path) -> RunWriter:
    return RunWriter(path, (4, 9), (T, H, W), C, {"objects": [4, 9]})


def write(run: RunWriter, frame: int) -> None:
    run.write_records(
        FrameRecord(
            frame,
            obj_id,
            PassKind.TRACKED,
            {KEY: numbers(2, 3, 3, frame=frame) + obj_id},
            {"object_pointer": numbers(C, frame=frame) + obj_id},
        )
        for obj_id in (4, 9)
    )
    scores = numbers(2, frame=frame)
    run.write_frame(
        frame,
        labels_of(frame),
        masks_of(frame),
        object_scores=scores,
        predicted_iou=scores,
        prompted=[frame == 0] * 2,
        object_present=scores > 0,
    )


def assert_whole(run, frame: int) -> None:
    np.testing.assert_array_equal(run.masks[frame], labels_of(frame))
    np.testing.assert_array_equal(run.masks_per_object[:, frame], masks_of(frame))
    scores = numbers(2, frame=frame)
    np.testing.assert_array_equal(run.object_scores[:, frame], scores)
    np.testing.assert_array_equal(run.object_present[:, frame], scores > 0)
    assert (run.prompted[:, frame] == (frame == 0)).all()
    assert (run.status(KEY)[:, frame] == PassKind.TRACKED).all()
    for index, obj_id in enumerate((4, 9)):
        mean, variance = numbers(2, 3, 3, frame=frame) + obj_id
        np.testing.assert_array_equal(run.maps(KEY, "mean")[index, frame], mean)
        np.testing.assert_array_equal(run.maps(KEY, "variance")[index, frame], variance)
        np.testing.assert_array_equal(run.object_pointers[index, frame], numbers(C, frame=frame) + obj_id)


class Killed(BaseException):
    """The process is gone: from now on nothing is written."""


@pytest.fixture
def writes(monkeypatch):
    """Count the store's writes; from number ``limit`` on they raise ``error``."""

    class Writes:
        done = 0
        limit = None
        error: BaseException = Killed()

        def one(self) -> None:
            if self.limit is not None and self.done >= self.limit:
                raise self.error
            self.done += 1

    counted = Writes()
    for name in ("set", "set_if_not_exists", "delete"):
        original = getattr(LocalStore, name)

        async def counting(self, *arguments, original=original, **keywords):
            counted.one()
            return await original(self, *arguments, **keywords)

        monkeypatch.setattr(LocalStore, name, counting)
    return counted


@pytest.mark.slow
def test_whenever_it_dies_no_frame_looks_whole_that_is_not(tmp_path, writes, monkeypatch):
    monkeypatch.setattr(writer, "_FLUSH_SECONDS", -1.0)
    monkeypatch.setattr(tables, "SPAN", 2)
    run = new_writer(tmp_path / "all")
    begun = writes.done
    for frame in range(T):
        write(run, frame)
    whole_after = []
    for limit in range(begun, writes.done, 7):
        path = tmp_path / str(limit)
        writes.done, writes.limit = 0, None
        run = new_writer(path)
        writes.limit = limit
        with suppress(Killed):
            for frame in range(T):
                write(run, frame)
        assert writes.done == limit
        left = open_run(path)
        assert not left.finished
        for frame in np.flatnonzero(left.tracked.any(axis=0)):
            assert left.tracked[:, frame].all()
            assert_whole(left, frame)
        whole_after.append(int(left.tracked.any(axis=0).sum()))
    assert whole_after[0] == 0
    assert whole_after[-1] == T - 1
    assert whole_after == sorted(whole_after)


def test_frames_beyond_one_stretch_arrive(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "SPAN", 2)
    monkeypatch.setattr(writer, "_FLUSH_SECONDS", -1.0)
    run = new_writer(tmp_path / "run")
    for frame in (4, 0, 3, 1):
        write(run, frame)
    run.finish()
    assert zarr.open_array(run.path / "probe.zarr" / "object_pointers").chunks == (2, 2, C)
    left = open_run(run.path)
    assert left.tracked.all(axis=0).tolist() == [True, True, False, True, True]
    for frame in (0, 1, 3, 4):
        assert_whole(left, frame)


def test_a_frame_that_is_written_again_is_replaced(tmp_path):
    run = new_writer(tmp_path / "run")
    nothing = np.zeros((H, W), np.uint16)
    zeros = np.zeros(2, np.float32)
    write(run, 1)
    run.write_frame(
        1,
        nothing,
        np.zeros((2, H, W), bool),
        object_scores=zeros,
        predicted_iou=zeros,
        prompted=[False] * 2,
        object_present=[False] * 2,
    )
    run.finish()
    left = open_run(run.path)
    assert not left.masks[1].any()
    assert not left.masks_per_object[:, 1].any()
    assert left.object_scores[0, 1] == 0


def test_stale_features_are_marked(tmp_path):
    run = new_writer(tmp_path / "run")
    write(run, 0)
    stale = np.zeros((2, T), bool)
    stale[1, 3] = True
    features = {"short_term_l2": 1.0, "long_term_l2": 2.0, "short_term_ratio": 0.5}
    run.write_features(pd.DataFrame([{"object_id": 4, "position": "5", "frame": 0} | features]), stale)
    run.finish()
    left = open_run(run.path)
    assert np.argwhere(left.status("features") == writer.STALE).tolist() == [[1, 3]]
    assert left.features["position"].tolist() == ["5"]


@pytest.mark.parametrize(
    ("number", "sentence"), [(errno.ENOSPC, "disk is full"), (errno.EFBIG, "can't be written"), (errno.EROFS, "may")]
)
def test_what_the_system_refuses_is_said(tmp_path, writes, number, sentence):
    run = new_writer(tmp_path / "run")
    write(run, 0)
    writes.limit, writes.error = writes.done + 3, OSError(number, "refused")
    with pytest.raises(ResourceError, match=sentence):
        write(run, 1)
    with pytest.raises(ResourceError, match=sentence):
        run.flush()


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path, writes):
    writes.limit, writes.error = 6, OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ResourceError, match="disk is full"):
        new_writer(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "."):
        with pytest.raises(InputError, match="exists already"):
            check_new_path(tmp_path / name)
    with pytest.raises(InputError, match=r"because .*file is a file"):
        check_new_path(tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "mine"
    check_new_path(tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
