"""The table of positions: what it refuses, and what other packages may add."""

from __future__ import annotations

import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.positions import (
    BY_KEY,
    BY_NUMBER,
    MAP,
    POSITIONS,
    VECTOR,
    Position,
    PositionTable,
    base_number,
    gate_pairs,
    in_order,
    position_pairs,
    recorded_positions,
    register_position,
    title_of,
)
from napari_sam2_probe.probe.status import PassKind, describe_status
from napari_sam2_probe.tracking.observer import Tap

TAP = Tap("sam_mask_decoder", lambda output: output[2][:, 0])


def test_numbers_and_order_are_those_of_the_specification():
    assert [p.number for p in POSITIONS] == ["1", "2", "3", "4", "4r", "5", "5r"]
    assert [p.number for p in POSITIONS if p.is_map] == ["1", "2", "3", "5", "5r"]
    assert [p.number for p in POSITIONS if p.is_main] == ["1", "2", "3", "4", "5"]
    assert [p.number for p in recorded_positions(unblanked=True)][-1] == "5u"
    assert gate_pairs() == (("4", "4r"), ("5", "5r"))
    assert position_pairs()[2:] == (("2", "1"), ("3", "1"), ("4", "1"), ("4r", "1"), ("5", "1"), ("5r", "1"))
    assert [base_number(n) for n in ("1", "4r", "5u", "unknown")] == ["1", "4", "5", "unknown"]
    assert in_order(["7", "5", "4r", "4"]) == ["4", "4r", "5", "7"]
    assert title_of("7") == "Position 7"


def test_what_prompted_frames_show_follows_from_the_stage():
    assert "plain image feature" in describe_status("memory_attention", PassKind.MASK_PROMPT)
    assert "only to make the pointer" in describe_status("object_pointer_raw", PassKind.MASK_PROMPT)
    assert describe_status("memory_features", PassKind.MASK_PROMPT) == "prompted with a mask"
    assert describe_status("of another package", PassKind.TRACKED) == "tracked from memory"


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (Position("9", "object_pointer", "Mine", VECTOR, tap=TAP), "the key 'object_pointer', which belongs to"),
        (Position("4", "mine", "Mine", VECTOR, tap=TAP), "the number '4', which belongs to Object pointer"),
        (Position("9", "mine", "Mine", VECTOR, tap=TAP, array="object_pointers"), "the array 'object_pointers'"),
        (Position("9", "mine", "Mine", VECTOR), "give a tap"),
        (Position("9", "mine", "Mine", VECTOR, tap=TAP, optional=True), "nobody could ask for it"),
        (Position("9", "mine", "Mine", VECTOR, tap=TAP, ungated_of="yours"), "'yours', which is not there"),
    ],
)
def test_what_can_not_be_registered_says_why(position, message):
    with pytest.raises(InputError, match=message):
        register_position(position)
    assert list(BY_NUMBER) == ["1", "2", "3", "4", "4r", "5", "5r", "5p", "5u"]


def test_axes_and_names_that_nothing_is_made_of_are_refused():
    with pytest.raises(InputError, match="for a map or"):
        Position("9", "mine", "Mine", ("token", "channel"), tap=TAP)
    for number, key in (("9", "../mine"), ("../9", "mine")):
        with pytest.raises(InputError, match="a Python name"):
            Position(number, key, "Mine", MAP, tap=TAP)


def test_one_that_is_registered_again_takes_the_place_of_the_earlier_one():
    table = PositionTable(BY_KEY.values())
    for number in ("9", "9", "10"):
        # As a cell that runs again: another function each time.
        tap = Tap("sam_mask_decoder", lambda output: output[2][:, 0])
        table.register(Position(number, "mine", "Mine", VECTOR, tap=tap))
        assert table.all()[-1].tap is tap
        assert [p.number for p in table.all()] == [*BY_NUMBER, number]
    with pytest.raises(InputError, match="the number '4', which belongs to Object pointer"):
        table.register(Position("4", "mine", "Mine", VECTOR, tap=TAP))
    assert table.all()[-1].number == "10"
    table.remove("mine")
    table.register(Position("9", "mine", "Mine", VECTOR, tap=TAP))


def test_one_registered_twice_is_one():
    table = PositionTable(BY_KEY.values())
    mine = Position("9", "mine", "Mine", VECTOR, tap=TAP)
    table.register(mine)
    table.register(mine)
    assert [p.number for p in table.all()] == [*BY_NUMBER, "9"]
    table.remove("mine")
    assert [p.number for p in table.all()] == list(BY_NUMBER)


OUTSIDE = """
from napari_sam2_probe.probe.positions import MAP, VECTOR, Position
from napari_sam2_probe.tracking.observer import Tap

one = Position("9v", "one", "One", VECTOR, tap=Tap("sam_mask_decoder", lambda output: output[2][:, 0]))

def several():
    return [Position("9m", "two", "Two", MAP, tap=Tap("memory_encoder.mask_downsampler", lambda output: output))]
"""


def test_another_package_adds_positions_by_entry_points(tmp_path, monkeypatch):
    (tmp_path / "outside.py").write_text(OUTSIDE)
    about = tmp_path / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    entries = "one = outside:one\nseveral = outside:several\nbroken = outside:missing\n"
    (about / "entry_points.txt").write_text(f"[napari_sam2_probe.positions]\n{entries}")
    monkeypatch.syspath_prepend(tmp_path)
    table = PositionTable(BY_KEY.values())
    with pytest.warns(UserWarning, match="broken of outside:missing can't be used and is left out"):
        table.all()
    assert sorted(p.number for p in table.all())[-2:] == ["9m", "9v"]
