"""Images from elsewhere start no other program, whatever they are called."""

from __future__ import annotations

import ast
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_sam2_probe
from napari_sam2_probe.cli import main
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video import FolderSource, read_mask
from napari_sam2_probe.video.images import IMAGE_SUFFIXES, read_header, read_image, read_intensities, read_rgb

POSTSCRIPT = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 16 16
%%EndComments
0 0 16 16 rectfill
showpage
%%EOF
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Put a Ghostscript before that of the system, which tells in a file that it was started."""
    programs, told = tmp_path / "programs", tmp_path / "started"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c"):
        (programs / name).write_text(f"#!/bin/sh\ntouch '{told}'\nexit 0\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    return told


@pytest.mark.skipif(os.name != "posix", reason="the pretended program is a shell script")
@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_postscript_starts_no_interpreter(suffix, told, tmp_path, capsys):
    folder = tmp_path / "video"
    folder.mkdir()
    path = folder / f"00000{suffix}"
    path.write_text(POSTSCRIPT)
    with pytest.raises(OSError, match=r"\S"), Image.open(path) as image:
        image.load()
    assert told.is_file(), "Pillow by itself starts it"
    told.unlink()
    for read in (read_header, read_rgb, read_image, read_intensities, read_mask):
        with pytest.raises(InputError, match=r"image|can't be read"):
            read(path)
    with pytest.raises(InputError, match="is not an image, whatever its name says"):
        FolderSource(folder)
    out = tmp_path / "run"
    assert main(["run", str(folder), "--out", str(out), "--checkpoint", "sample", "--point", "1,1"]) == 2
    assert "is not an image, whatever its name says" in capsys.readouterr().err
    assert not told.exists()
    assert not out.exists()


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_what_our_endings_promise_is_still_read(suffix, tmp_path):
    frame = np.full((16, 24, 3), (200, 100, 50), np.uint8)
    path = tmp_path / f"00000{suffix}"
    Image.fromarray(frame).save(path, quality=95)
    assert np.abs(read_rgb(path).astype(int) - frame).max() <= 4
    assert (read_header(path).width, read_header(path).height) == (24, 16)


def test_a_photograph_of_several_pictures_is_a_jpeg(tmp_path):
    """As cameras write them; Pillow calls the format MPO."""
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "0.mpo", save_all=True, append_images=frames[1:])
    shutil.move(tmp_path / "0.mpo", tmp_path / "0.jpg")
    assert read_rgb(tmp_path / "0.jpg")[8, 12].tolist() == [254, 0, 0]


def calls(name: str) -> list[str]:
    """Return the files of the package that call something of this name, with the function that does."""
    root = Path(napari_sam2_probe.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                said = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
                found += [f"{path.relative_to(root).as_posix()}:{function.name}"] * (name in said)
    return found


def test_images_are_opened_in_one_place():
    assert calls("Image.open") == ["video/images.py:open_image"]
    assert calls("imread") == []


def test_stores_are_opened_in_one_place():
    assert calls("zarr.open_group") == ["runs/zarr_store.py:open_store"]
    assert calls("zarr.create_group") == ["runs/zarr_store.py:make_store"]
    for name in ("zarr.open", "zarr.open_array", "zarr.group", "zarr.load", "zarr.open_consolidated", "pickle.load"):
        assert calls(name) == []
