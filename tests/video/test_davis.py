from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.masks import VOID, read_mask, write_mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    SaveFrames = Callable[..., Path]

FRAMES = [f"{i:05d}.jpg" for i in range(3)]


def labels(*ids: int) -> np.ndarray:
    mask = np.zeros((16, 24), dtype=np.uint8)
    for place, object_id in enumerate(ids):
        mask[2:12, 3 * place : 3 * place + 3] = object_id
    return mask


@pytest.fixture
def davis(tmp_path: Path, save_frames: SaveFrames) -> Path:
    """A DAVIS root with both years' splits and two resolutions."""
    root = tmp_path / "DAVIS"
    for name in ("dog", "bear", "goat"):
        save_frames(root / "JPEGImages" / "480p" / name, FRAMES)
        for frame, ids in zip(FRAMES, [(1, 2), (1, VOID), (3,)], strict=True):
            write_mask(root / "Annotations" / "480p" / name / frame.replace("jpg", "png"), labels(*ids))
    save_frames(root / "JPEGImages" / "Full-Resolution" / "dog", FRAMES, size=(48, 32))
    write_mask(root / "Annotations" / "Full-Resolution" / "dog" / "00000.png", np.ones((32, 48), dtype=np.uint8))
    for path, lines in {
        "2017/val.txt": ["goat", "dog", ""],
        "2017/train.txt": ["bear"],
        "2016/val.txt": ["dog"],
        "480p/trainval.txt": [
            f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png"
            for name in ("dog", "bear")
            for i in range(3)
        ],
    }.items():
        file = root / "ImageSets" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines))
    return root


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (None, ["bear", "dog", "goat"]),
        ("val", ["goat", "dog"]),
        ("train", ["bear"]),
        ("2016/val", ["dog"]),
        ("trainval", ["dog", "bear"]),
    ],
)
def test_names_and_splits(davis: Path, split: str | None, names: list[str]) -> None:
    assert DavisDataset(davis, split).names == names


def test_a_sequence(davis: Path) -> None:
    sequence = DavisDataset(davis).sequence("dog")
    assert (sequence.name, sequence.num_frames, sequence.frames.name) == ("dog", 3, "dog")
    assert [sequence.has_mask(i) for i in range(3)] == [True] * 3
    for i, ids in enumerate([(1, 2), (1, VOID), (3,)]):
        np.testing.assert_array_equal(sequence.mask(i), labels(*ids))
    assert sequence.object_ids() == [1, 2, 3]


def test_resolutions(davis: Path) -> None:
    sequence = DavisDataset(davis, resolution="Full-Resolution").sequence("dog")
    assert (sequence.frames.width, sequence.frames.height) == (48, 32)
    assert sequence.mask(0) is not None
    assert DavisDataset(davis, resolution="Full-Resolution").names == ["dog"]
    with pytest.raises(InputError, match=r"has no resolution '1080p': choose from 480p, Full-Resolution\.$"):
        DavisDataset(davis, resolution="1080p")


def test_listing_reads_no_image(davis: Path) -> None:
    for file in [*davis.rglob("*.jpg"), *davis.rglob("*.png")]:
        file.write_bytes(b"")
    dataset = DavisDataset(davis, "val")
    assert dataset.names == ["goat", "dog"]
    with pytest.raises(InputError, match="is not an image"):
        dataset.sequence("dog")


@pytest.mark.parametrize("split_folder", ["", "train", "valid"])
def test_flat_layout_with_sparse_masks(tmp_path: Path, save_frames: SaveFrames, split_folder: str) -> None:
    root = tmp_path / "mose" / split_folder
    # Also a sequence with the name of a resolution.
    for name in ("0a1b", "480p"):
        save_frames(root / "JPEGImages" / name, ["00000.jpg", "00005.jpg", "00010.jpg"])
    write_mask(root / "Annotations" / "0a1b" / "00005.png", labels(4, 7))
    dataset = DavisDataset(tmp_path / "mose", split_folder or None)
    assert dataset.names == ["0a1b", "480p"]
    sequence = dataset.sequence("0a1b")
    assert [sequence.has_mask(i) for i in range(3)] == [False, True, False]
    assert sequence.mask(0) is None
    np.testing.assert_array_equal(sequence.mask(1), labels(4, 7))
    assert sequence.object_ids() == [4, 7]
    without_masks = dataset.sequence("480p")
    assert not without_masks.has_mask(0)
    assert without_masks.mask(0) is None
    assert without_masks.object_ids() == []


def test_a_single_split_folder_needs_no_choice_and_two_do(tmp_path: Path, save_frames: SaveFrames) -> None:
    save_frames(tmp_path / "train" / "JPEGImages" / "a", FRAMES)
    assert DavisDataset(tmp_path).names == ["a"]
    save_frames(tmp_path / "valid" / "JPEGImages" / "b", FRAMES)
    assert DavisDataset(tmp_path, "valid").names == ["b"]
    with pytest.raises(InputError, match="holds the splits train, valid: choose one of them"):
        DavisDataset(tmp_path)


def test_one_folder_of_masks_for_each_object(tmp_path: Path, save_frames: SaveFrames) -> None:
    save_frames(tmp_path / "JPEGImages_24fps" / "sav_1", FRAMES)
    masks = {"000": np.zeros((16, 24), bool), "001": np.zeros((16, 24), bool)}
    masks["000"][2:8, 2:8] = True
    masks["001"][6:12, 6:12] = True
    for object_folder, mask in masks.items():
        file = tmp_path / "Annotations_6fps" / "sav_1" / object_folder / "00000.png"
        file.parent.mkdir(parents=True)
        Image.fromarray(mask).save(file)
    sequence = DavisDataset(tmp_path).sequence("sav_1")
    expected = np.where(masks["001"], 2, np.where(masks["000"], 1, 0))
    np.testing.assert_array_equal(sequence.mask(0), expected)
    assert sequence.mask(1) is None
    assert sequence.object_ids() == [1, 2]


@pytest.mark.davis
def test_every_real_sequence(davis_root: Path) -> None:
    dataset = DavisDataset(davis_root, "val")
    assert sorted(dataset.names) == DavisDataset(davis_root).names
    for name in dataset.names:
        sequence = dataset.sequence(name)
        assert (sequence.frames.width, sequence.frames.height) == (854, 480)
        assert all(sequence.has_mask(i) for i in range(sequence.num_frames))
        mask = sequence.mask(sequence.num_frames - 1)
        assert mask is not None
        assert set(np.unique(mask)) == {0, 1}
        file = davis_root / "Annotations" / "480p" / name / f"{sequence.num_frames - 1:05d}.png"
        np.testing.assert_array_equal(mask, read_mask(file))
        assert sequence.frames.read(0).shape == (480, 854, 3)
    assert dataset.sequence("dog").object_ids() == [1]


def test_a_mask_of_another_size(davis: Path) -> None:
    write_mask(davis / "Annotations" / "480p" / "dog" / "00001.png", np.ones((20, 30), dtype=np.uint8))
    with pytest.raises(InputError, match=r"^The mask .*00001\.png is 30x20 but the video is 24x16"):
        DavisDataset(davis).sequence("dog").mask(1)


def test_no_such_frame(davis: Path) -> None:
    sequence = DavisDataset(davis).sequence("dog")
    for ask in (sequence.mask, sequence.has_mask):
        with pytest.raises(InputError, match="Frame 3 is not in dog"):
            ask(3)


def test_no_such_sequence(davis: Path) -> None:
    with pytest.raises(InputError, match=r"DAVIS has no sequence 'cat': it has bear, dog, goat\.$"):
        DavisDataset(davis).sequence("cat")
    with pytest.raises(InputError, match="no sequence 'bear': it has goat, dog"):
        DavisDataset(davis, "val").sequence("bear")


def test_no_such_split(davis: Path) -> None:
    with pytest.raises(InputError, match=r"DAVIS has no split 'test': there is no test\.txt in its ImageSets"):
        DavisDataset(davis, "test")


def test_a_split_that_lists_what_is_missing(davis: Path) -> None:
    (davis / "ImageSets" / "2017" / "train.txt").write_text("bear\ncamel\n")
    with pytest.raises(InputError, match=r"The split train lists camel, which is not in .*480p: complete the data set"):
        DavisDataset(davis, "train")


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*nowhere: give the root of a data set"):
        DavisDataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no JPEGImages folder"):
        DavisDataset(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(InputError, match="JPEGImages holds no sequences"):
        DavisDataset(tmp_path)


def test_a_sequence_with_two_thousand_frames_is_listed_by_headers_alone(
    tmp_path: Path, save_frames: SaveFrames
) -> None:
    whole = save_frames(tmp_path / "one", ["0.jpg"], size=(64, 48)) / "0.jpg"
    header_only = tmp_path / "header.jpg"
    header_only.write_bytes(whole.read_bytes()[:640])
    folder = tmp_path / "lvos" / "JPEGImages" / "long"
    folder.mkdir(parents=True)
    for i in range(2000):
        os.link(header_only, folder / f"{i:08d}.jpg")
    assert DavisDataset(tmp_path / "lvos").sequence("long").num_frames == 2000
