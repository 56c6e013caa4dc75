from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from helpers.special_files import make_special
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.folder import FolderSource, list_frames
from napari_sam2_probe.video.source import FrameSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    SaveFrames = Callable[..., Path]


@pytest.mark.davis
def test_real_frames_equal_what_sam2s_loader_decodes(davis_root: Path) -> None:
    for folder in sorted((davis_root / "JPEGImages" / "480p").iterdir())[:3]:
        source = FolderSource(folder)
        files = sorted(folder.glob("*.jpg"))
        assert isinstance(source, FrameSource)
        assert (source.name, source.num_frames, source.scaling) == (folder.name, len(files), None)
        for i in (0, len(files) // 2, len(files) - 1):
            expected = np.array(Image.open(files[i]).convert("RGB"))
            np.testing.assert_array_equal(source.read(i), expected)
            assert expected.shape == (source.height, source.width, 3)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "1"])
def test_every_8_bit_mode_is_converted_as_pillow_does(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    file = tmp_path / ("0.jpg" if mode in ("L", "CMYK") else "0.png")
    Image.fromarray(pixels).convert(mode).save(file)
    source = FolderSource(tmp_path)
    assert source.scaling is None
    np.testing.assert_array_equal(source.read(0), np.array(Image.open(file).convert("RGB")))
    np.testing.assert_array_equal(np.asarray(source.read_image(0)), source.read(0))


@pytest.mark.parametrize("name", ["0.jpg", "0.png"])
def test_nothing_comes_with_the_pixels_of_an_image(tmp_path: Path, name: str) -> None:
    """Pillow would write it into the files of clips."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8))
    image.save(tmp_path / name, comment=b"made by hand", icc_profile=b"colours", dpi=(72, 72))
    read = FolderSource(tmp_path).read_image(0)
    plain = Image.fromarray(np.asarray(read))
    for suffix in ("jpg", "png"):
        for number, this in enumerate((read, read.copy(), plain)):
            this.save(tmp_path / f"{number}.{suffix}")
        assert len({(tmp_path / f"{number}.{suffix}").read_bytes() for number in range(3)}) == 1


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "2.jpg", "10.jpg", "100.jpg"],
        ["8.jpg", "009.jpg", "10.JPG", "0011.jpeg"],
        ["img2.png", "img10.png", "img100.png"],
        ["a1_frame9.png", "a1_frame10.png", "a2_frame1.png", "b.png"],
        ["00000.webp", "00005.webp", "00010.webp"],
        ["0.bmp", "1.tif", "2.TIFF"],
    ],
)
def test_order_is_natural(tmp_path: Path, save_frames: SaveFrames, names: list[str]) -> None:
    folder = save_frames(tmp_path / "frames", names)
    assert [file.name for file in list_frames(folder)] == names
    assert FolderSource(folder).num_frames == len(names)


def test_other_files_hidden_files_and_folders_are_left_alone(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path / "dog", ["0.jpg", "1.jpg"])
    (folder / "notes.txt").write_text("no image")
    (folder / "._0.jpg").write_bytes(b"what another system leaves behind")
    (folder / "2").mkdir()
    source = FolderSource(folder)
    assert source.num_frames == 2
    assert source.name == "dog"
    assert FolderSource(folder, name="cat").name == "cat"


def test_of_ten_thousand_images_only_headers_and_what_is_asked_for_are_read(
    tmp_path: Path, save_frames: SaveFrames
) -> None:
    whole = save_frames(tmp_path, ["whole.jpg"], size=(64, 48)) / "whole.jpg"
    # A file without pixels can only be listed, never decoded.
    header_only = tmp_path / "header.jpg"
    header_only.write_bytes(whole.read_bytes()[:640])
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(10_000):
        os.link(whole if i == 7000 else header_only, folder / f"{i:05d}.jpg")
    source = FolderSource(folder)
    assert (source.num_frames, source.width, source.height) == (10_000, 64, 48)
    np.testing.assert_array_equal(source.read(7000), np.array(Image.open(whole).convert("RGB")))
    with pytest.raises(InputError, match=r"00003\.jpg can't be read \(.*\): replace the file\.$"):
        source.read(3)


def _write_png_48_bit(file: Path, pixels: np.ndarray) -> None:
    with av.open(str(file), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "rgb48be"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


@pytest.mark.parametrize("kind", ["gray.png", "colour.png", "gray.tif", "colour.tif", "float.tif", "float colour.tif"])
def test_deep_images_are_scaled_once_by_percentiles(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    shape = (3, 16, 24, 3) if "colour" in kind else (3, 16, 24)
    video = rng.integers(1000, 60_000, shape).astype(np.float32 if "float" in kind else np.uint16)
    video[2] //= 2
    for i, frame in enumerate(video):
        file = tmp_path / f"{i}{kind[-4:]}"
        if kind == "colour.png":
            _write_png_48_bit(file, frame)
        elif kind == "gray.png":
            Image.fromarray(frame).save(file)
        else:
            tifffile.imwrite(file, frame, photometric="rgb" if "colour" in kind else "minisblack")
    source = FolderSource(tmp_path)
    assert source.scaling is not None
    low, high = source.scaling.low, source.scaling.high
    assert low == np.percentile(video, 0.1, method="nearest")
    assert high == np.percentile(video, 99.9, method="nearest")
    for i, frame in enumerate(video):
        expected = np.rint(np.clip((frame.astype(float) - low) / (high - low), 0, 1) * 255)
        if expected.ndim == 2:
            expected = np.stack([expected] * 3, axis=-1)
        np.testing.assert_array_equal(source.read(i), expected)
        np.testing.assert_array_equal(np.asarray(source.read_image(i)), expected)


def test_a_compressed_tiff_is_read_as_the_plain_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (16, 24), dtype=np.uint16)
    for name, compression in (("plain", None), ("lzw", "tiff_lzw")):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "0.tif", compression=compression)
    np.testing.assert_array_equal(FolderSource(tmp_path / "lzw").read(0), FolderSource(tmp_path / "plain").read(0))


def test_a_tiff_that_keeps_its_channels_apart(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (16, 24, 3), dtype=np.uint16)
    for name, planes in (("together", pixels), ("apart", np.moveaxis(pixels, 2, 0))):
        (tmp_path / name).mkdir()
        planarconfig = "contig" if name == "together" else "separate"
        tifffile.imwrite(tmp_path / name / "0.tif", planes, photometric="rgb", planarconfig=planarconfig)
    expected = FolderSource(tmp_path / "together").read(0)
    np.testing.assert_array_equal(FolderSource(tmp_path / "apart").read(0), expected)


def test_nan_names_the_frame(tmp_path: Path) -> None:
    for i in range(3):
        pixels = np.random.default_rng(i).normal(size=(16, 24)).astype(np.float32)
        pixels[0, 0] = np.nan if i == 1 else 0
        tifffile.imwrite(tmp_path / f"{i}.tif", pixels)
    source = FolderSource(tmp_path)
    source.read(0)
    with pytest.raises(InputError, match=r"^Frame 1 \(.*1\.tif\) holds NaN: fill the missing values"):
        source.read(1)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^There is no folder .*nothing: give the path of a folder of images\.$"):
        FolderSource(tmp_path / "nothing")


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images: give one with jpg, png, tif, bmp or webp files"):
        FolderSource(tmp_path)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif"])
def test_text_file_named_as_an_image(tmp_path: Path, save_frames: SaveFrames, name: str) -> None:
    folder = save_frames(tmp_path / "frames", ["0.jpg"])
    (folder / name).write_text("Dear diary, this is no picture.\n" * 50)
    with pytest.raises(InputError, match=rf"{name} is not an image, whatever its name says"):
        FolderSource(folder)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif", "1.webp", "1.bmp"])
def test_an_image_cut_off_anywhere_is_never_more_than_an_input_error(
    tmp_path: Path, save_frames: SaveFrames, name: str
) -> None:
    whole = (save_frames(tmp_path / "whole", [name]) / name).read_bytes()
    file = tmp_path / name
    for length in range(0, len(whole) * 3 // 4, max(1, len(whole) // 40)):
        file.write_bytes(whole[:length])
        folder = tmp_path / "frames"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        file.rename(folder / name)
        for read in ("read", "read_image"):
            with pytest.raises(InputError, match=name):
                getattr(FolderSource(folder), read)(0)


def test_sizes_that_differ_name_the_frame_and_both_sizes(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path, ["0.jpg", "1.jpg", "3.jpg"])
    save_frames(tmp_path, ["2.jpg"], size=(30, 20))
    with pytest.raises(
        InputError, match=r"^Frame 2 \(.*2\.jpg\) is 30x20 but the frames before it are 24x16: give frames of one size"
    ):
        FolderSource(folder)


def test_depths_that_differ(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path, ["0.png"])
    Image.fromarray(np.zeros((16, 24), dtype=np.uint16)).save(folder / "1.png")
    with pytest.raises(InputError, match=r"1\.png\) is 16-bit or float but the frames before it are 8-bit"):
        FolderSource(folder)


def test_two_images_for_one_frame(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path, ["0.jpg", "1.jpg", "1.png"])
    with pytest.raises(InputError, match=r"two images for one frame, 1\.jpg and 1\.png: keep one"):
        FolderSource(folder)


def test_an_image_that_changed_its_size_later(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path, ["0.jpg", "1.jpg"])
    source = FolderSource(folder)
    save_frames(tmp_path, ["1.jpg"], size=(30, 20))
    with pytest.raises(InputError, match=r"^Frame 1 \(.*1\.jpg\) is 30x20 but the video is 24x16"):
        source.read(1)


@pytest.mark.parametrize("frame_idx", [-1, 2])
def test_no_such_frame(tmp_path: Path, save_frames: SaveFrames, frame_idx: int) -> None:
    source = FolderSource(save_frames(tmp_path / "dog", ["0.jpg", "1.jpg"]))
    with pytest.raises(InputError, match=f"Frame {frame_idx} is not in dog: it has the frames 0 to 1"):
        source.read(frame_idx)


def test_fingerprint_follows_the_content_not_the_place(tmp_path: Path, save_frames: SaveFrames) -> None:
    names = [f"{i}.png" for i in range(5)]
    folder = save_frames(tmp_path / "a", names)
    original = FolderSource(folder).fingerprint()
    assert FolderSource(shutil.copytree(folder, tmp_path / "b")).fingerprint() == original
    copy = tmp_path / "b"
    pixels = np.array(Image.open(copy / "2.png"))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(copy / "2.png")
    changed = FolderSource(copy).fingerprint()
    (copy / "4.png").unlink()
    assert len({original, changed, FolderSource(copy).fingerprint()}) == 3


def test_closing_twice_is_harmless(tmp_path: Path, save_frames: SaveFrames) -> None:
    source = FolderSource(save_frames(tmp_path, ["0.jpg"]))
    source.close()
    source.close()


@pytest.mark.parametrize("kind", ["link", "circle", "folder", "pipe", "device"])
def test_what_is_called_an_image_and_is_none_does_not_shift_the_frames(
    tmp_path: Path, save_frames: SaveFrames, kind: str
) -> None:
    save_frames(tmp_path, ["00000.png", "00001.png", "00002.png"])
    make_special(tmp_path / "00001.png", kind)
    with pytest.raises(
        InputError, match=r"00001\.png is (a link to nothing|a folder|a pipe|a device or a socket), not an"
    ):
        FolderSource(tmp_path)


@pytest.mark.parametrize("name", ["stack.tif", "animation.webp", "animation.png"])
def test_a_file_of_several_pictures_is_no_frame(tmp_path: Path, name: str) -> None:
    pictures = [Image.fromarray(np.full((20, 30, 3), value, np.uint8)) for value in (10, 120, 250)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    with pytest.raises(InputError, match=rf"{name} holds 3 pictures, and a file in a folder is one frame: save"):
        FolderSource(tmp_path)


def test_a_deep_stack_is_none_either_and_a_thumbnail_beside_the_picture_is_no_page(tmp_path: Path) -> None:
    deep = np.arange(600, dtype=np.float32).reshape(20, 30)
    tifffile.imwrite(tmp_path / "0.tif", np.stack([deep, deep]), photometric="minisblack")
    with pytest.raises(InputError, match="holds 2 pictures"):
        FolderSource(tmp_path)
    with tifffile.TiffWriter(tmp_path / "0.tif") as writer:
        writer.write(np.full((20, 30), 99, np.uint8))
        writer.write(np.full((5, 7), 99, np.uint8), subfiletype=1)
    source = FolderSource(tmp_path)
    assert (source.width, source.height) == (30, 20)
    assert (source.read(0) == 99).all()


def test_what_systems_leave_behind_is_no_frame(tmp_path: Path, save_frames: SaveFrames) -> None:
    save_frames(tmp_path, ["00000.jpg", "00001.JPG"])
    for name in ("._00000.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    for name in (".ipynb_checkpoints", "@eaDir"):
        (tmp_path / name).mkdir()
    assert [file.name for file in FolderSource(tmp_path).files] == ["00000.jpg", "00001.JPG"]
