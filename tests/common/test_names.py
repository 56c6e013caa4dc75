"""Names from files become paths in their folder, or are refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import check_inside, inside, is_plain_name

BAD = ["", ".", "..", "/", "a/b", "../a", "/a", "a\\b", "C:", "C:a"]
BAD += ["a\0", "a\n", "\x7f", "\ud800", "x" * 241, "ä" * 121]
GOOD = ["a", "...", "..a", "00000", ".hidden", "bmx bumps", "Käse", "猫", "a.b", "-", "x" * 240]


@pytest.mark.parametrize("name", [*BAD, None, 3, ["a"]])
def test_what_is_no_name(name):
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_one(name, tmp_path):
    assert is_plain_name(name)
    path = inside(tmp_path, "parts", name)
    path.parent.mkdir()
    path.touch()
    assert [entry.name for entry in (tmp_path / "parts").iterdir()] == [name]


@given(st.text() | st.lists(st.sampled_from(["..", ".", "/", "a", "\\"])).map("".join))
def test_no_name_leads_elsewhere(name):
    if is_plain_name(name):
        assert os.path.normpath(f"/folder/{name}").split("/") == ["", "folder", name]


def test_a_name_that_leads_out_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"'\.\.' can't be a name in"):
        inside(tmp_path, "parts", "..", "x")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_may_lead_around_in_the_folder_but_not_out(tmp_path):
    folder, out = tmp_path / "folder", tmp_path / "out"
    (folder / "real").mkdir(parents=True)
    out.mkdir()
    (folder / "link").symlink_to("real")
    (folder / "away").symlink_to(out)
    (folder / "back").symlink_to("..")
    (folder / "round").symlink_to("round")
    (tmp_path / "way").symlink_to(folder)
    assert inside(folder, "link", "x") == folder / "link" / "x"
    assert inside(tmp_path / "way", "real", "not yet") == tmp_path / "way" / "real" / "not yet"
    for name in ("away", "back", "round"):
        for parts in ((name,), (name, "x"), (name, "x", "y")):
            with pytest.raises(InputError, match=f"{folder / name} is a link that leads out of {folder}"):
                inside(folder, *parts)
    with pytest.raises(InputError, match="leads out"):
        check_inside(folder, folder / "real", folder / "away")
