"""A run that objects join and leave while it is written."""

import numpy as np
import pytest

from napari_sam2_probe.probe.recorder import FrameRecord
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.writer import RunWriter

SHAPE = (4, 6, 8)


@pytest.fixture
def writer(tmp_path):
    return RunWriter(tmp_path / "run", (3,), SHAPE, 5, {})


def square(at):
    mask = np.zeros(SHAPE[1:], bool)
    mask[at : at + 3, at : at + 3] = True
    return mask


def write(writer, frame_idx, masks, kind=PassKind.TRACKED):
    """Objects in the order of `masks`; where they overlap, the last one is on top."""
    labels = np.zeros(SHAPE[1:], np.uint16)
    for obj_id, mask in masks.items():
        labels[mask] = obj_id
        maps = {"memory_attention": np.full((2, 4, 4), obj_id, np.float32)}
        pointers = {"object_pointer": np.full(5, obj_id, np.float32)}
        writer.write_records([FrameRecord(frame_idx, obj_id, kind, maps, pointers)])
    numbers = np.array(list(masks), np.float32)
    writer.write_frame(
        frame_idx,
        labels,
        np.stack(list(masks.values())),
        object_scores=numbers,
        predicted_iou=numbers / 10,
        prompted=[False] * len(masks),
        object_present=[True] * len(masks),
        obj_ids=list(masks),
    )


def test_an_object_that_joins_leaves_what_was_written(writer):
    write(writer, 0, {3: square(0)})
    writer.add_object(7)
    writer.add_object(3)
    # In another order than the run's, as a session may have it.
    write(writer, 1, {7: square(2), 3: square(0)})
    writer.flush()
    run = open_run(writer.path)
    assert run.object_ids.tolist() == [3, 7]
    assert run.tracked.tolist() == [[True, True, False, False], [False, True, False, False]]
    np.testing.assert_array_equal(run.object_scores[:, :2], [[3, 3], [np.nan, 7]])
    np.testing.assert_array_equal(run.masks_per_object[:, 1], [square(0), square(2)])
    np.testing.assert_array_equal(run.masks_per_object[0, 0], square(0))
    maps = run.maps("memory_attention", "mean")
    assert maps.shape == (2, 4, 4, 4)
    assert (maps[0, 0] == 3).all()
    assert np.isnan(maps[1, 0]).all()
    assert (maps[1, 1] == 7).all()
    assert run.status("memory_attention")[:, :2].tolist() == [[1, 1], [0, 1]]
    np.testing.assert_array_equal(run.object_pointers[:, 1, 0], [3, 7])


def test_a_cleared_object_gives_back_what_it_hid(writer):
    writer.add_object(7)
    write(writer, 0, {3: square(0), 7: square(1)})
    write(writer, 2, {7: square(1)})
    writer.clear_object(7)
    run = open_run(writer.path)
    np.testing.assert_array_equal(run.masks[0], np.where(square(0), 3, 0))
    assert not run.masks[2].any()
    assert run.tracked.tolist() == [[True, False, False, False], [False] * 4]
    assert np.isnan(run.object_scores[1]).all()
    assert np.isnan(run.object_pointers[1]).all()
    assert not run.status("memory_attention")[1].any()
    assert (run.object_scores[0, 0], run.status("memory_attention")[0, 0]) == (3, 1)
