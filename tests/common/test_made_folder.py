"""A demo or report takes the place of an earlier one, whole, and of nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.made_folder import made_folder

MARKER = ".sam2-probe-demo"


def make(out, files):
    with made_folder(out, "demo") as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def contents(out):
    names = (path for path in out.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(out).as_posix(): path.read_text() for path in names}


FIRST = {"index.html": "1", "runs/a/run.json": "1", "runs/a/probe.zarr/c/0": "1", "clips/a/0.jpg": "1"}
SECOND = {"index.html": "2", "runs/a/run.json": "2", "runs/b/run.json": "2"}


def test_what_was_made_goes_and_what_was_not_stays(tmp_path):
    out = tmp_path / "deep" / "out"
    make(out, FIRST)
    assert contents(out) == FIRST
    mine = {"notes.txt": "mine", "runs/a/features.xlsx": "mine", "runs/my run/run.json": "mine"}
    for name, text in mine.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text)
    for _ in range(2):
        make(out, SECOND)
        assert contents(out) == SECOND | mine
    assert not (out / "clips").exists()
    assert sorted(path.name for path in out.iterdir()) == [MARKER, "index.html", "notes.txt", "runs"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_stop_leaves_what_was_there(error, tmp_path):
    def stop(out):
        with made_folder(out, "demo") as folder:
            (folder / "index.html").write_text("half")
            raise error

    with pytest.raises(error):
        stop(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    make(tmp_path / "out", FIRST)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error):
        stop(tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before
    assert contents(tmp_path / "out") == FIRST


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize("renames", [None, 0, 2, 5])
def test_a_kill_leaves_what_was_there_or_is_made_good(renames, tmp_path):
    """Killed while the files are made (None), or after so many were moved."""
    out = tmp_path / "out"
    make(out, FIRST)
    (out / "notes.txt").write_text("mine")
    script = f"""
import os, pathlib, signal
from napari_sam2_probe.common.made_folder import made_folder
rename, left = pathlib.Path.rename, {renames!r}

def counted(path, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(path, target)

pathlib.Path.rename = counted
with made_folder(pathlib.Path({str(out)!r}), "demo") as folder:
    for name, text in {SECOND!r}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if left is None:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    if not renames:
        assert {name: text for name, text in contents(out).items() if "sam2-probe-tmp" not in name} == FIRST | {
            "notes.txt": "mine",
            ".lock": "",
        }
    make(out, SECOND)
    assert contents(out) == SECOND | {"notes.txt": "mine"}


@pytest.mark.parametrize("name", ["runs/b/run.json", "runs/b"])
def test_a_file_of_the_user_is_not_written_over(name, tmp_path):
    out = tmp_path / "out"
    make(out, FIRST)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    with pytest.raises(InputError, match="is not of the demo that was made there"):
        make(out, SECOND)
    assert contents(out) == FIRST | {name: "mine"}


def test_what_is_no_demo_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "folder"):
        with pytest.raises(InputError, match="not a demo: name another folder"):
            make(out, FIRST)
    assert contents(tmp_path) == {"file": "mine", "folder/notes.txt": "mine"}
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty", FIRST)
    assert contents(tmp_path / "empty") == FIRST


def test_a_demo_of_an_earlier_version_lists_nothing(tmp_path):
    out = tmp_path / "out"
    make(out, FIRST)
    (out / MARKER).write_text("This folder is made by 'sam2-probe demo', which replaces it.\n")
    (out / "runs/a/probe.zarr/c/1").write_text("of more frames")
    (out / "notes.txt").write_text("mine")
    make(out, FIRST | {"index.html": "2"})
    assert contents(out) == FIRST | {"index.html": "2", "notes.txt": "mine"}


@pytest.mark.parametrize("name", ["../precious.txt", "{tmp}/precious.txt", "away/precious.txt", "", "a\0b"])
def test_a_marker_from_elsewhere_removes_nothing_elsewhere(name, tmp_path):
    out = tmp_path / "out"
    make(out, FIRST)
    (tmp_path / "precious.txt").write_text("mine")
    (out / "away").symlink_to(tmp_path)
    with (out / MARKER).open("a") as file:
        file.write(f"{name.format(tmp=tmp_path)}\n")
    make(out, SECOND)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_links_are_not_followed_out_of_the_folder(tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    make(out, {"index.html": "1"})
    elsewhere.mkdir()
    (out / "runs").symlink_to(elsewhere)
    with pytest.raises(InputError, match="a link that leads out of"):
        make(out, SECOND)
    assert not list(elsewhere.iterdir())
    assert contents(out) == {"index.html": "1"}


def test_two_at_once(tmp_path):
    make(tmp_path, FIRST)
    with exclusive_lock(tmp_path, "it"), pytest.raises(InputError, match="Another process is working on the demo in"):
        make(tmp_path, SECOND)
    assert contents(tmp_path) == FIRST
