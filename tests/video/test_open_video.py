from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video import (
    ArraySource,
    FolderSource,
    VideoFileSource,
    find_annotations,
    open_video,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    SaveFrames = Callable[..., Path]

FRAMES = ["00000.jpg", "00001.jpg"]


def test_a_folder_of_images(tmp_path: Path, save_frames: SaveFrames) -> None:
    folder = save_frames(tmp_path / "dog", FRAMES)
    for given in (folder, str(folder), f"{folder}/"):
        source = open_video(given)
        assert isinstance(source.frames, FolderSource)
        assert (source.name, source.num_frames, source.path) == ("dog", 2, str(folder))
    assert open_video(folder, name="cat").name == "cat"


def test_the_working_folder_has_its_own_name(
    tmp_path: Path, save_frames: SaveFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(save_frames(tmp_path / "dog", FRAMES))
    assert open_video(".").name == "dog"


def test_a_root_followed_by_a_sequence(tmp_path: Path, save_frames: SaveFrames) -> None:
    davis = save_frames(tmp_path / "davis" / "JPEGImages" / "480p" / "dog", FRAMES)
    flat = save_frames(tmp_path / "mose" / "JPEGImages" / "0a1b", FRAMES)
    assert open_video(tmp_path / "davis" / "dog").path == str(davis)
    assert open_video(tmp_path / "mose" / "0a1b").path == str(flat)
    assert open_video(davis).path == str(davis)


def test_a_file(real_clip: Path) -> None:
    source = open_video(real_clip)
    assert isinstance(source.frames, VideoFileSource)
    assert source.name == "01_dog"
    source.close()


def test_an_array() -> None:
    source = open_video(np.zeros((3, 4, 5), dtype=np.uint8), name="layer")
    assert isinstance(source.frames, ArraySource)
    assert source.name == "layer"


@pytest.mark.davis
def test_the_same_real_video_as_folder_and_as_array(davis_root: Path) -> None:
    folder = open_video(davis_root / "dog")
    array = open_video(np.stack([folder.read(i) for i in range(3)]))
    for i in range(3):
        np.testing.assert_array_equal(array.read(i), folder.read(i))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^There is no video .*gone: give a folder of images, a video file, or DAVIS"):
        open_video(tmp_path / "gone")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(InputError, match=r"notes\.txt is not a video file: give one of avi, m4v, mkv, mov, mp4, webm"):
        open_video(tmp_path / "notes.txt")


def test_the_root_of_a_data_set_is_no_video(tmp_path: Path, save_frames: SaveFrames) -> None:
    save_frames(tmp_path / "JPEGImages" / "480p" / "dog", FRAMES)
    with pytest.raises(InputError, match=r"is the root of a data set, not a video: give .*/SEQUENCE\.$"):
        open_video(tmp_path)


@pytest.mark.parametrize("nothing", [None, 5, b"clip.mp4", [1, 2]])
def test_what_is_neither_path_nor_array(nothing: object) -> None:
    with pytest.raises(InputError, match="not a video: give an array with a shape and a NumPy dtype"):
        open_video(nothing)


def test_find_annotations(tmp_path: Path) -> None:
    for folder in ("JPEGImages/480p/dog", "Annotations/480p/dog", "JPEGImages/480p/cat"):
        (tmp_path / folder).mkdir(parents=True)
    frames = tmp_path / "JPEGImages" / "480p"
    assert find_annotations(frames / "dog") == tmp_path / "Annotations" / "480p" / "dog"
    assert find_annotations(str(frames)) == tmp_path / "Annotations" / "480p"
    assert find_annotations(frames / "cat") is None
    assert find_annotations(tmp_path) is None


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, napari_sam2_probe.video; print(*{'av', 'tifffile', 'torch', 'scipy', 'zarr'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
