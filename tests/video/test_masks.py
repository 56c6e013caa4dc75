from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage.measure import regionprops

from helpers.special_files import make_special
from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.mask_folder import MaskFolder
from napari_sam2_probe.video.masks import (
    VOID,
    bounding_box,
    check_mask_size,
    davis_palette,
    is_void,
    object_ids,
    one_object_file,
    read_mask,
    write_mask,
)
from napari_sam2_probe.video.true_masks import ArrayMasks

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
# Ids near the borders of the formats are more telling than any others.
IDS = st.sampled_from([0, 1, 2, 3, 15, 16, 127, 128, 254, 255, 256, 257, 1000, 65535])


@given(hnp.arrays(bool, SHAPES).filter(np.any))
def test_the_box_of_a_mask_is_that_of_scikit_image(mask: np.ndarray) -> None:
    top, left, bottom, right = regionprops(mask.astype(np.uint8))[0].bbox
    assert bounding_box(mask) == (left, top, right, bottom)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=hnp.arrays(np.uint16, SHAPES, elements=IDS))
def test_any_label_image_is_read_as_it_was_written(tmp_path: Path, labels: np.ndarray) -> None:
    file = tmp_path / "mask.png"
    write_mask(file, labels)
    if object_ids(labels) or not is_void(labels).any():
        read = read_mask(file)
        np.testing.assert_array_equal(read, labels)
        assert read.dtype == (np.uint16 if labels.max() > 255 else np.uint8)
    else:
        np.testing.assert_array_equal(read_mask(file), labels == VOID)
    np.testing.assert_array_equal(read_mask(file, several_objects=True), labels)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 40))), dtype=st.sampled_from("?BHl"))
def test_one_object_at_one_bit_a_pixel_reads_like_any_mask(tmp_path: Path, mask: np.ndarray, dtype: str) -> None:
    file = tmp_path / "mask.png"
    file.write_bytes(one_object_file(mask.astype(dtype)))
    np.testing.assert_array_equal(read_mask(file), mask)
    with Image.open(file) as image:
        assert image.mode == "P"
        assert image.getpalette() == davis_palette()[:2].ravel().tolist()
    with Image.open(file) as image:
        image.verify()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint32])
def test_every_integer_dtype_can_be_written(tmp_path: Path, dtype: Any) -> None:
    labels = np.eye(5, dtype=dtype)
    write_mask(tmp_path / "new" / "mask.png", labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "new" / "mask.png"), np.eye(5))


def test_the_palette_is_the_one_of_the_data_sets() -> None:
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for label, colour in known.items():
        assert tuple(palette[label].tolist()) == colour
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


@pytest.mark.davis
def test_real_masks_keep_indices_and_palette(davis_root: Path, tmp_path: Path) -> None:
    for folder in sorted((davis_root / "Annotations" / "480p").iterdir()):
        file = sorted(folder.glob("*.png"))[0]
        with Image.open(file) as image:
            indices, palette = np.array(image), image.getpalette()
        labels = read_mask(file)
        np.testing.assert_array_equal(labels, indices)
        assert object_ids(labels) == [1]
        copy = tmp_path / f"{folder.name}.png"
        write_mask(copy, labels)
        with Image.open(copy) as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.array(image), indices)
            assert palette is not None
            assert (image.getpalette() or [])[: len(palette)] == palette


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (30, 40), dtype=np.uint8)
    write_mask(tmp_path / "a.png", labels)
    write_mask(tmp_path / "b.png", np.asfortranarray(labels.astype(np.int64)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_file_of_0_and_255_is_one_object(tmp_path: Path) -> None:
    mask = np.eye(6, dtype=np.uint8) * 255
    Image.fromarray(mask).save(tmp_path / "davis2016.png")
    labels = read_mask(tmp_path / "davis2016.png")
    np.testing.assert_array_equal(labels, np.eye(6))
    assert object_ids(labels) == [1]
    assert not is_void(labels).any()


def test_beside_other_ids_255_is_void(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 255], [2, 255, 0]], dtype=np.uint8)
    Image.fromarray(mask).save(tmp_path / "davis2017.png")
    labels = read_mask(tmp_path / "davis2017.png")
    np.testing.assert_array_equal(labels, mask)
    assert VOID == 255
    assert object_ids(labels) == [1, 2]
    np.testing.assert_array_equal(is_void(labels), mask == 255)


def test_an_empty_mask_has_no_object(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.png", np.zeros((4, 5), dtype=np.uint8))
    labels = read_mask(tmp_path / "mask.png")
    assert not labels.any()
    assert object_ids(labels) == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
def test_other_forms_of_a_mask(tmp_path: Path, mode: str) -> None:
    labels = np.random.default_rng(0).integers(0, 2 if mode == "1" else 5, (8, 9), dtype=np.uint8)
    if mode == "1":
        image = Image.fromarray(labels.astype(bool))
    elif mode.startswith("L"):
        image = Image.fromarray(labels).convert(mode)
    else:
        image = Image.fromarray(davis_palette()[labels]).convert(mode)
    image.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), labels)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_colours_of_the_palette_are_ids(tmp_path: Path, ids: list[int]) -> None:
    if set(ids) <= {0, 255}:
        return
    labels = np.array([ids], dtype=np.uint8)
    Image.fromarray(davis_palette()[labels]).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), labels)


def test_a_colour_that_is_no_id(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5, 3), (10, 20, 30), dtype=np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask\.png holds the colour \(10, 20, 30\), which is no id"):
        read_mask(tmp_path / "mask.png")


def test_no_mask_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^There is no mask file .*mask\.png: give the path of a PNG with object ids"):
        read_mask(tmp_path / "mask.png")


def test_a_text_file_is_no_mask(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(InputError, match=r"^The mask .*mask\.png can't be read as an image: give a PNG"):
        read_mask(tmp_path / "mask.png")


def test_a_mask_that_is_cut_off(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.png", np.random.default_rng(0).integers(0, 99, (40, 50)))
    (tmp_path / "mask.png").write_bytes((tmp_path / "mask.png").read_bytes()[:1500])
    with pytest.raises(InputError, match=r"mask\.png can't be read"):
        read_mask(tmp_path / "mask.png")


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5), dtype=np.uint8)).save(tmp_path / "mask.jpg")
    with pytest.raises(InputError, match="is a JPEG, which changes object ids: save masks as PNG"):
        read_mask(tmp_path / "mask.jpg")


def test_fractions_are_no_ids(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5), dtype=np.float32)).save(tmp_path / "mask.tif")
    with pytest.raises(InputError, match="has the image mode F, which holds no ids: save it as a palette PNG"):
        read_mask(tmp_path / "mask.tif")


def test_ids_beyond_16_bits(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5), 70_000, dtype=np.int32)).save(tmp_path / "mask.tif")
    with pytest.raises(InputError, match="holds ids outside 0 to 65535"):
        read_mask(tmp_path / "mask.tif")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros((2, 3, 4), dtype=np.uint8), r"shape \(2, 3, 4\) and dtype uint8 instead of \(H, W\) object ids"),
        (np.zeros((3, 4)), "dtype float64 instead of"),
        (np.zeros((0, 4), dtype=np.uint8), "instead of"),
        (np.full((3, 4), -1), "its ids -1 to -1 are not in 0 to 65535"),
        (np.full((3, 4), 65_536), "its ids 65536 to 65536 are not"),
    ],
)
def test_what_can_not_be_written_leaves_no_file(tmp_path: Path, labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        write_mask(tmp_path / "mask.png", labels)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_old_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mask.png"
    write_mask(file, np.eye(4, dtype=np.uint8))
    before = file.read_bytes()

    def fill_up(_image: Image.Image, path: Path, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fill_up)
    with pytest.raises(ResourceError, match="disk is full"):
        write_mask(file, np.zeros((4, 4), dtype=np.uint8))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_mask_of_another_size_than_the_video() -> None:
    source = ArraySource(np.zeros((2, 6, 8), dtype=np.uint8))
    check_mask_size(np.zeros((6, 8), dtype=np.uint8), source)
    with pytest.raises(InputError, match=r"^The mask is 6x8 but the video is 8x6: give a mask of the video's size\.$"):
        check_mask_size(np.zeros((8, 6), dtype=np.uint8), source)
    with pytest.raises(InputError, match=r"^The mask a/b\.png is 8x7 but"):
        check_mask_size(np.zeros((7, 8), dtype=np.uint8), source, where=Path("a/b.png"))


def _soft_disk(size: int = 60, radius: float = 18, width: float = 3) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    distance = np.hypot(x, y) - radius
    return np.clip(255 * (0.5 - distance / (2 * width)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("width", [0.7, 3, 8])
def test_a_soft_edge_is_no_list_of_objects(tmp_path: Path, mode: str, width: float) -> None:
    soft = _soft_disk(width=width)
    image = Image.fromarray(soft.astype(np.uint16)) if mode == "I;16" else Image.fromarray(soft).convert(mode)
    image.save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask\.png has \d+ values? between 0 and 255, which looks like one mask w"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("scale", [100, 200])
def test_neither_is_one_that_does_not_reach_255(tmp_path: Path, scale: int) -> None:
    Image.fromarray((_soft_disk(width=8) * (scale / 255)).astype(np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="soft edge"):
        read_mask(tmp_path / "mask.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_gray_ids_are_not_taken_for_a_soft_edge(tmp_path: Path, data: st.DataObject) -> None:
    """Up to forty objects of 4x4 pixels and more, with any void between them up to as much as there is of them."""
    count = data.draw(st.integers(1, 40))
    ids = data.draw(st.permutations(range(1, 41)))[:count]
    labels = np.zeros((64, 64), np.uint8)
    for place, label in enumerate(ids):
        y, x = 8 * (place // 8), 8 * (place % 8)
        labels[y : y + 4, x : x + 6] = label
        if data.draw(st.booleans()):
            labels[y + 4, x : x + 6] = VOID
    Image.fromarray(labels).save(tmp_path / "mask.png")
    expected = labels if object_ids(labels) else labels == VOID
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), expected)


def test_black_and_white_in_any_colours_and_what_is_not_transparent_are_one_object(tmp_path: Path) -> None:
    mask = _soft_disk() > 127
    white = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, 2)
    alpha = (mask * 255).astype(np.uint8)
    photograph = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    images = {
        "rgb": white,
        "opaque": np.dstack([white, np.full_like(alpha, 255)]),
        "white, cut out": np.dstack([np.full_like(white, 255), alpha]),
        "black, cut out": np.dstack([np.zeros_like(white), alpha]),
        "photograph, cut out": np.dstack([photograph, alpha]),
        "white with alpha": np.dstack([white, alpha]),
    }
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / "mask.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), mask, err_msg=name)
    Image.fromarray(np.dstack([photograph, _soft_disk()])).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="soft edge"):
        read_mask(tmp_path / "mask.png")


def test_a_mask_of_several_pages_is_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.eye(6, dtype=np.uint8) * k) for k in (1, 2)]
    pages[0].save(tmp_path / "mask.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_mask(tmp_path / "mask.tif")


def _write_gray(folder: Path, masks: list[np.ndarray], suffix: str = ".png") -> MaskFolder:
    folder.mkdir(parents=True, exist_ok=True)
    for t, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"{t:05d}{suffix}")
    return MaskFolder(folder)


def test_whether_255_is_void_is_a_matter_of_the_sequence(tmp_path: Path) -> None:
    void, both, empty = np.zeros((3, 6, 6), np.uint8)
    void[2:4] = 255
    both[:2], both[4] = 1, 255
    # The frame with void alone comes first, where nothing else tells.
    ids = _write_gray(tmp_path / "ids", [void, both, empty])
    for t, mask in enumerate((void, both, empty)):
        np.testing.assert_array_equal(ids.labels(f"{t:05d}"), mask)
    assert ids.object_ids() == [1]
    assert not ids.object_mask("00000", 1).any()
    one = _write_gray(tmp_path / "one", [empty, void, void])
    assert one.object_ids() == [1]
    np.testing.assert_array_equal(one.labels("00001"), void == 255)
    np.testing.assert_array_equal(one.object_mask("00002", 1), void == 255)


def test_so_it_is_in_arrays(tmp_path: Path) -> None:
    frames = ArraySource(np.zeros((3, 6, 6), np.uint8))
    void, both, empty = np.zeros((3, 6, 6), np.uint8)
    void[2:4] = 255
    both[:2], both[4] = 1, 255
    ids, one = ArrayMasks(np.stack([void, both, empty]), frames), ArrayMasks(np.stack([empty, void, void]), frames)
    assert (ids.object_ids(), one.object_ids()) == ([1], [1])
    np.testing.assert_array_equal(ids.labels(0), void)
    np.testing.assert_array_equal(one.labels(1), void == 255)


def test_masks_in_capitals_count_and_what_systems_leave_does_not(tmp_path: Path) -> None:
    mask = np.eye(6, dtype=np.uint8)
    folder = _write_gray(tmp_path / "dog", [mask, mask * 2], ".PNG").path
    for name in ("._00000.png", ".hidden.png"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "00000-checkpoint.png").write_bytes(b"")
    masks = MaskFolder(folder)
    assert (masks.stems, masks.object_ids()) == (("00000", "00001"), [1, 2])


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_called_a_mask_and_is_none(tmp_path: Path, kind: str) -> None:
    folder = _write_gray(tmp_path / "dog", [np.eye(6, dtype=np.uint8)]).path
    make_special(folder / "00001.png", kind)
    with pytest.raises(InputError, match=r"00001\.png is (a link to nothing|a folder|a pipe), not a mask"):
        MaskFolder(folder)


def test_two_masks_for_one_frame(tmp_path: Path) -> None:
    folder = _write_gray(tmp_path / "dog", [np.eye(6, dtype=np.uint8)]).path
    (folder / "00000.PNG").write_bytes((folder / "00000.png").read_bytes())
    with pytest.raises(InputError, match="two masks for one frame"):
        MaskFolder(folder)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "alpha"])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 1.0])
def test_a_soft_edge_is_cut_where_that_is_asked_for(tmp_path: Path, mode: str, threshold: float) -> None:
    soft = _soft_disk(width=6)
    images = {
        "L": lambda: Image.fromarray(soft),
        "RGB": lambda: Image.fromarray(soft).convert("RGB"),
        "I;16": lambda: Image.fromarray(soft.astype(np.uint16) * 257),
        "alpha": lambda: Image.fromarray(np.dstack([np.full_like(soft, 9)] * 3 + [soft])),
    }
    images[mode]().save(tmp_path / "mask.png")
    cut = read_mask(tmp_path / "mask.png", threshold=threshold)
    np.testing.assert_array_equal(cut, soft >= threshold * 255)
    assert 0 < cut.sum() < cut.size
    folder = MaskFolder(tmp_path, threshold)
    np.testing.assert_array_equal(folder.labels("mask"), cut)
    assert folder.object_ids() == [1]


def test_thresholds_that_mean_nothing(tmp_path: Path) -> None:
    Image.fromarray(_soft_disk()).save(tmp_path / "soft.png")
    write_mask(tmp_path / "ids.png", np.eye(9, dtype=np.uint8) * 3)
    for threshold in (0, -1, 1.1, float("nan")):
        with pytest.raises(InputError, match="share above 0"):
            read_mask(tmp_path / "soft.png", threshold=threshold)
    with pytest.raises(InputError, match="holds ids and not brightness"):
        read_mask(tmp_path / "ids.png", threshold=0.5)
