"""Edits as JSON: what is taken, what is refused and in which words."""

from __future__ import annotations

import json

import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.bank import BankEntry
from napari_sam2_probe.tracking.interventions import edits_as_json, parse_edits, read_edits, sources

EXAMPLES = [
    {"edit": "drop", "target": "pointer", "entries": {"role": "recent"}, "at": [16, 27], "object": 1},
    {"edit": "freeze", "target": "memory", "entries": {"age": [1, 2]}, "frame": 11, "at": [16, 27]},
    {"edit": "swap", "target": "both", "entries": {"frames": [12, 13, 14, 15]}, "from": "TWIN_RUN"},
    {"edit": "patch", "target": "memory_attention", "from": "TWIN_RUN", "at": [12, 15], "mask": "inside"},
    {"edit": "noise", "target": "memory", "scale": 0.5, "seed": 3, "stored": True},
    {"edit": "mean", "target": "object_pointer"},
    {"edit": "patch", "target": "image_embedding", "from": "A", "levels": [16]},
]


def test_the_examples_of_the_specification_come_back_as_they_were(tmp_path):
    (tmp_path / "edits.json").write_text(json.dumps(EXAMPLES))
    edits = read_edits(tmp_path / "edits.json")
    assert edits_as_json(edits) == EXAMPLES
    assert parse_edits(edits) == edits
    assert sources(edits) == ["TWIN_RUN", "A"]
    assert parse_edits([]) == ()


def test_what_is_concerned():
    drop, freeze, swap, *_ = parse_edits(EXAMPLES)
    assert [drop.concerns(t, 1) for t in (15, 16, 27, 28)] == [False, True, True, False]
    assert not drop.concerns(16, 2)
    assert swap.concerns(0, 9)
    recent = BankEntry("pointer", 15, "recent", 1, 1)
    assert drop.selects(recent)
    assert not drop.selects(BankEntry("pointer", 0, "conditioning", 1, 1))
    assert not drop.selects(BankEntry("memory", 15, "recent", 6, 1))
    assert [freeze.selects(BankEntry("memory", 0, "recent", 1, age)) for age in (0, 1, 2, 3)] == [
        False,
        True,
        True,
        False,
    ]
    assert [swap.selects(BankEntry("memory", t, "recent", 1, 1)) for t in (11, 12)] == [False, True]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"edit": "drop", "target": "memory", "when": [1, 2]}, "edit 1: 'when' is no key that is known."),
        (
            {"edit": "drop", "target": "memory", "entries": {"rolle": "recent"}},
            "'entries.rolle' is no key that is known.",
        ),
        ({"edit": "cut", "target": "memory"}, "'edit' is 'cut': input should be 'drop', 'freeze', 'swap'"),
        ({"target": "memory"}, "'edit' is missing."),
        ({"edit": "drop", "target": "memories"}, "'target' is 'memories', which can't be edited; choose one of memory"),
        (
            {"edit": "drop", "target": "memory_attention"},
            "'drop' can't be done to 'memory_attention'; what can is patch",
        ),
        ({"edit": "patch", "target": "pointer", "from": "A"}, "'patch' can't be done to 'pointer'; what can is drop"),
        ({"edit": "freeze", "target": "memory"}, "'freeze' needs 'frame'."),
        ({"edit": "swap", "target": "memory"}, "'swap' needs 'from'."),
        ({"edit": "drop", "target": "memory", "from": "A"}, "'from' means nothing to 'drop' of 'memory'."),
        ({"edit": "drop", "target": "memory", "mask": "inside"}, "'mask' means nothing to 'drop' of 'memory'."),
        ({"edit": "mean", "target": "object_pointer", "mask": "inside"}, "'mask' means nothing to 'mean'"),
        ({"edit": "drop", "target": "memory", "at": [5, 2]}, "'at' names the first frame, then the last."),
        ({"edit": "drop", "target": "memory", "at": [1.5, 2]}, "'at.0' is 1.5: input should be a valid integer"),
        ({"edit": "drop", "target": "memory", "entries": {"age": [3, 1]}}, "'age' names the least age first"),
        ({"edit": "drop", "target": "memory", "entries": {}}, "one of the keys frames, role and age."),
        (
            {"edit": "drop", "target": "memory", "entries": {"age": [1, 2]}, "stored": True},
            "'age' can't go with 'stored'.",
        ),
        ({"edit": "noise", "target": "memory", "scale": -1}, "'scale' is negative."),
        ({"edit": "noise", "target": "memory", "scale": float("nan")}, "'scale' is nan"),
        ({"edit": "noise", "target": "memory", "seed": True}, "'seed' is True"),
        (["drop"], "it is no object with keys."),
    ],
)
def test_mistakes(edit, said):
    with pytest.raises(InputError) as caught:
        parse_edits([edit], "EDITS.json")
    message = str(caught.value)
    assert said in message
    assert message.startswith("EDITS.json: edit 1: ")
    assert "\n" not in message


@pytest.mark.parametrize("entries", [{"edit": "drop"}, "drop", 3, None])
def test_no_list(entries):
    with pytest.raises(InputError, match="is no list of edits"):
        parse_edits(entries)


def test_a_file_that_cant_be_read(tmp_path):
    with pytest.raises(InputError, match="can't be read as JSON"):
        read_edits(tmp_path / "nosuch.json")
    (tmp_path / "bad.json").write_text("[")
    with pytest.raises(InputError, match="can't be read as JSON"):
        read_edits(tmp_path / "bad.json")
