"""Clips of data sets beside DAVIS: from those whose frames all have masks; from others one sentence."""

from __future__ import annotations

import pytest

from helpers import layout_trees
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.dataset import make_dataset
from napari_sam2_probe.transforms.plan import ClipSpec
from napari_sam2_probe.video import DavisDataset


def make(root, split, out, length=6):
    make_dataset(DavisDataset(root, split), out, ClipSpec("clean", lengths=(length, 0, 0)), samples=2, workers=1)


@pytest.mark.parametrize(
    ("tree", "split"),
    [(layout_trees.mose, "train"), (layout_trees.youtube_vos, "train"), (layout_trees.lvos, "valid")],
)
def test_clips_of_densely_annotated_data(tmp_path, tree, split):
    make(tree(tmp_path / "data"), split, tmp_path / "clips")
    clips = DavisDataset(tmp_path / "clips")
    for name in clips.names:
        clip = clips.sequence(name)
        assert clip.annotated_frames() == list(range(6))
        assert all(clip.mask(t).any() for t in range(6))


@pytest.mark.parametrize(
    ("tree", "split"),
    [
        (layout_trees.mose, "valid"),
        (layout_trees.youtube_vos, "valid"),
        (layout_trees.youtube_vos, "train_all_frames"),
        (layout_trees.sav, None),
    ],
)
def test_sparse_masks_give_no_clips_and_the_reason(tmp_path, tree, split):
    with pytest.raises(InputError, match="not every frame has a mask: clips can only be made where all frames have"):
        make(tree(tmp_path / "data"), split, tmp_path / "clips")
    assert not (tmp_path / "clips").exists()


def test_dense_masks_that_are_too_few_have_another_reason(tmp_path):
    with pytest.raises(InputError, match="choose shorter lengths, or add longer sequences"):
        make(layout_trees.mose(tmp_path / "data"), "train", tmp_path / "clips", length=9)
