"""Data sets laid out as the published ones are open as they should."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import layout_trees
from helpers.scenarios import square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video import DavisDataset, find_annotations, open_video
from napari_sam2_probe.video.layout import list_splits

# Tree, split, sequence, annotated frames of both objects, where a video is opened.
CASES = [
    pytest.param(layout_trees.davis, "val", "crossing", [range(8)] * 2, "crossing", id="DAVIS"),
    pytest.param(layout_trees.mose, "train", "002b4dce", [range(8)] * 2, "train/002b4dce", id="MOSE"),
    pytest.param(layout_trees.mose, "valid", "0a97ec66", [range(1)] * 2, "valid/0a97ec66", id="MOSE valid"),
    pytest.param(layout_trees.youtube_vos, "train", "003234408d", [range(11)] * 2, "train/003234408d", id="YouTube"),
    pytest.param(layout_trees.youtube_vos, "valid", "003234408d", [(0, 3)] * 2, "valid/003234408d", id="YouTube valid"),
    pytest.param(
        layout_trees.youtube_vos,
        "train_all_frames",
        "003234408d",
        [range(0, 51, 5)] * 2,
        "train_all_frames/003234408d",
        id="YouTube all frames",
    ),
    pytest.param(layout_trees.lvos, "valid", "0tCWPOrc", [range(8)] * 2, "valid/0tCWPOrc", id="LVOS"),
    pytest.param(layout_trees.sav, "sav_val", "sav_000262", [range(0, 17, 4)] * 2, "sav_000262", id="SA-V"),
]


@pytest.mark.parametrize(("tree", "split", "name", "annotated", "video"), CASES)
def test_layouts(tmp_path, tree, split, name, annotated, video):
    root = tree(tmp_path / "root")
    dataset = DavisDataset(root, split)
    assert dataset.names == [name]
    sequence = dataset.sequence(name)
    assert sequence.object_ids() == [1, 2]
    for object_id, wanted in zip((1, 2), annotated, strict=True):
        assert sequence.annotated_frames(object_id) == list(wanted)
    first = sequence.object_mask(0, 1)
    np.testing.assert_array_equal(first, square_mask(0))
    source = open_video(root / video)
    assert source.num_frames == sequence.num_frames
    np.testing.assert_array_equal(source.read(2), sequence.frames.read(2))
    # What the window and figures look the masks up by.
    assert find_annotations(source.path) is not None


@pytest.mark.parametrize(
    ("tree", "splits", "must_choose"),
    [
        (layout_trees.davis, ["val"], False),
        (layout_trees.mose, ["train", "valid"], True),
        (layout_trees.youtube_vos, ["train", "train_all_frames", "valid"], True),
        (layout_trees.sav, ["sav_val"], False),
    ],
)
def test_splits(tmp_path, tree, splits, must_choose):
    assert list_splits(tree(tmp_path)) == (splits, must_choose)


def test_what_is_no_data_set_has_no_splits(tmp_path):
    assert list_splits(tmp_path) == list_splits(tmp_path / "nowhere") == ([], False)


def test_objects_with_folders_of_their_own_may_overlap(tmp_path):
    sequence = DavisDataset(layout_trees.sav(tmp_path)).sequence("sav_000262")
    assert sequence.masks_per_object
    one, two = (sequence.object_mask(8, object_id) for object_id in (1, 2))
    np.testing.assert_array_equal(one, square_mask(8))
    np.testing.assert_array_equal(two, layout_trees.second_mask(8))
    assert (one & two).any()
    np.testing.assert_array_equal(sequence.mask(8), np.where(two, 2, one))
    assert sequence.object_mask(9, 1) is None
    assert sequence.object_mask(8, 3) is None
    assert not sequence.has_mask(9)


def test_an_object_may_lack_the_mask_of_a_frame(tmp_path):
    root = layout_trees.sav(tmp_path)
    (root / "Annotations_6fps" / "sav_000262" / "001" / "00004.png").unlink()
    sequence = DavisDataset(root).sequence("sav_000262")
    assert (sequence.has_mask(4), sequence.has_mask(4, 1), sequence.has_mask(4, 2)) == (True, True, False)
    np.testing.assert_array_equal(sequence.mask(4), square_mask(4))


def test_masks_of_different_size_on_one_frame(tmp_path):
    from PIL import Image

    root = layout_trees.sav(tmp_path)
    Image.fromarray(np.ones((5, 5), bool)).save(root / "Annotations_6fps" / "sav_000262" / "001" / "00004.png")
    with pytest.raises(InputError, match=r"The masks of 00004 in .*sav_000262 differ in size"):
        DavisDataset(root).sequence("sav_000262").mask(4)


def test_a_fingerprint_changes_with_frames_and_masks(tmp_path):
    root = layout_trees.sav(tmp_path)

    def fingerprint():
        return DavisDataset(root).sequence("sav_000262").fingerprint_with_masks()

    before = fingerprint()
    assert fingerprint() == before
    mask = root / "Annotations_6fps" / "sav_000262" / "001" / "00004.png"
    mask.rename(mask.with_stem("00003"))
    with_another_mask = fingerprint()
    assert with_another_mask != before
    (root / "JPEGImages_24fps" / "sav_000262" / "00016.jpg").unlink()
    assert fingerprint() not in (before, with_another_mask)
