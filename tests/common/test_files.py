"""Files take their place whole, over ordinary files alone, and what a kill leaves is known as ours."""

from __future__ import annotations

import os
import stat

import pytest

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.files import LOCK, atomic_path, atomic_write_text, is_empty, remove_leftovers
from napari_sam2_probe.common.lock import exclusive_lock


def write_half(target):
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target)
    assert target.read_text() == "old"
    atomic_write_text(target, "new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_longest_name_that_a_file_may_have_can_be_written(tmp_path):
    target = tmp_path / f"{'x' * 251}.csv"
    atomic_write_text(target, "new")
    assert target.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="Windows has neither pipes nor devices in folders")
@pytest.mark.parametrize("what", ["device", "link to a device", "pipe", "folder"])
def test_what_is_no_ordinary_file_is_never_replaced(what, tmp_path):
    target = tmp_path / "out.csv"
    if what == "device":
        try:
            os.mknod(target, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        except PermissionError:
            pytest.skip("only the administrator makes devices")
    elif what == "link to a device":
        target.symlink_to("/dev/full")
    elif what == "pipe":
        os.mkfifo(target)
    else:
        target.mkdir()
    before = target.lstat()
    with pytest.raises(InputError, match="choose another name"):
        atomic_write_text(target, "text")
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_kill_leaves_is_told_from_what_is_not_ours(tmp_path):
    (tmp_path / LOCK).touch()
    assert is_empty(tmp_path)
    generator = atomic_path(tmp_path / "dataset.json")
    generator.__enter__()
    assert is_empty(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    for name in (".bashrc", ".dataset-notes.json", "notes.txt"):
        (tmp_path / name).touch()
        assert not is_empty(tmp_path)
        remove_leftovers(tmp_path)
        assert (tmp_path / name).is_file()
        (tmp_path / name).unlink()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_leftovers_are_not_looked_for_behind_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".sam2-probe-tmp-other").touch()
    (tmp_path / "parts").symlink_to(elsewhere)
    remove_leftovers(tmp_path / "parts")
    assert (elsewhere / ".sam2-probe-tmp-other").is_file()


def test_one_at_a_time_and_the_lock_is_gone_afterwards(tmp_path):
    for _ in range(2):
        with (
            exclusive_lock(tmp_path, "the clips in"),
            pytest.raises(InputError, match=f"working on the clips in {tmp_path}: wait for it"),
            exclusive_lock(tmp_path, "the clips in"),
        ):
            pass
        assert not list(tmp_path.iterdir())


def test_a_lock_that_a_killed_process_left_holds_nobody_up(tmp_path):
    (tmp_path / LOCK).touch()
    with exclusive_lock(tmp_path, "the clips in"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_lock_is_not_made_through_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResourceError, match="can't be written"), exclusive_lock(tmp_path / "folder", "it"):
        pass
    assert not (tmp_path / "elsewhere").exists()
