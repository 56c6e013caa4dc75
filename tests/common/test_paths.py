"""Whatever a person names, there is an answer or one sentence, on every version of Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.paths import NO_NAMES
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import check_name, exists, expanded, is_dir, is_file


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("here")
    Path("folder").mkdir()
    Path("round").symlink_to("round")
    Path("gone").symlink_to("nowhere")
    return tmp_path


def test_what_is_there(place):
    assert (is_file("file"), is_dir("file"), exists("file")) == (True, False, True)
    assert (is_file("folder"), is_dir(Path("folder")), exists("folder")) == (False, True, True)
    assert (is_file("/dev/null"), is_dir("/dev/null"), exists("/dev/null")) == (False, False, True)


@pytest.mark.parametrize(
    "name", ["none", "none/none", "file/none", "round", "round/none", "gone", "gone/none", *NO_NAMES]
)
def test_what_is_not(place, name):
    assert not is_file(name)
    assert not is_dir(name)
    assert not exists(name)


# Half characters too, which are in no text that was read from a file.
@given(st.text(st.characters(exclude_categories=())))
@example("n" * 256)
@example("ß" * 128)
@example("\ud800")
@example("\0")
def test_any_name_has_an_answer(name):
    path = Path(name)
    # os.path knows that there is no such thing; pathlib raises.
    assert exists(name) == os.path.exists(path)  # noqa: PTH110
    assert is_file(name) == os.path.isfile(path)  # noqa: PTH113
    assert is_dir(name) == os.path.isdir(path)  # noqa: PTH112


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_may_not_be_looked_into(place):
    Path("folder").chmod(0)
    with pytest.raises(InputError, match=r"folder/none can't be read \(Permission denied\): name something"):
        is_file("folder/none")
    Path("folder").chmod(0o700)


def test_names_that_can_be_given(place):
    for name in ("new", "new/newer", "folder/new", "folder", "file", "n" * 255, "ß" * 127, " ", "gone"):
        check_name(name)
    assert sorted(entry.name for entry in place.iterdir()) == ["file", "folder", "gone", "round"]


@pytest.mark.parametrize("before", ["", "new/", "folder/"])
@pytest.mark.parametrize("name", NO_NAMES)
def test_names_that_nothing_can_have(place, before, name):
    with pytest.raises(InputError, match=r"(name too long.*|no name may have): choose another name\.$"):
        check_name(before + name)


@pytest.mark.parametrize(("above", "what"), [("file", "a file"), ("round", "a link to nothing"), ("gone", "a link to")])
def test_names_below_what_is_no_folder(place, above, what):
    with pytest.raises(InputError, match=f"{above}/new can't be made because .*/{above} is {what}"):
        check_name(f"{above}/new")


def test_home_is_a_place_and_nobodys_home_is_a_name():
    assert expanded("~/weights") == Path.home() / "weights"
    assert expanded("~nobody-is-called-so/weights") == Path("~nobody-is-called-so/weights")
