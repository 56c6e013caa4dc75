"""Prompts as JSON: what is written is read back, and what makes no sense is refused in a sentence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.prompts_file import PromptFiles, read_prompts
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.masks import write_mask

coordinate = st.floats(0, 1000, width=32)
places = st.fixed_dictionaries({"frame_idx": st.integers(0, 9999), "obj_id": st.integers(1, 65535)})


@st.composite
def prompts(draw):
    place = draw(places)
    if draw(st.booleans()):
        mask = draw(hnp.arrays(bool, (4, 7)))
        mask[draw(st.integers(0, 3)), draw(st.integers(0, 6))] = True
        return Prompt.from_mask(**place, mask=mask)
    points = draw(st.lists(st.tuples(coordinate, coordinate), max_size=4))
    labels = draw(st.lists(st.integers(0, 1), min_size=len(points), max_size=len(points)))
    box = draw(st.none() | st.tuples(coordinate, coordinate, coordinate, coordinate))
    return Prompt.from_points(**place, points=points, labels=labels, box=box)


def assert_same(a: Prompt, b: Prompt) -> None:
    assert (a.frame_idx, a.obj_id) == (b.frame_idx, b.obj_id)
    for name in ("points", "labels", "box", "mask"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None), name
        if x is not None:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@settings(max_examples=50, deadline=None)
@given(st.lists(prompts(), max_size=4))
def test_round_trip(given_prompts):
    """Also two masks for one object on one frame, of which the later counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = PromptFiles(folder)
        entries = [files.entry(prompt) for prompt in given_prompts]
        (folder / "prompts.json").write_text(json.dumps(entries))
        read = read_prompts(folder / "prompts.json")
    assert len(read) == len(given_prompts)
    for ours, theirs in zip(read, given_prompts, strict=True):
        assert_same(ours, theirs)


def test_what_may_be_left_out(tmp_path):
    file = tmp_path / "prompts.json"
    file.write_text('[{"points": [[3, 4.5]]}, {"frame": 2, "object_id": 5, "box": [1, 2, 3, 4]}]')
    first, second = read_prompts(file)
    assert_same(first, Prompt.from_points(0, 1, [[3, 4.5]], [1]))
    assert_same(second, Prompt.from_points(2, 5, box=[1, 2, 3, 4]))


def test_a_mask_of_several_objects(tmp_path):
    labels = np.zeros((4, 6), np.uint8)
    labels[0], labels[2] = 3, 7
    write_mask(tmp_path / "both.png", labels)
    (tmp_path / "p.json").write_text('[{"object_id": 7, "mask": "both.png"}]')
    np.testing.assert_array_equal(read_prompts(tmp_path / "p.json")[0].mask, labels == 7)
    (tmp_path / "p.json").write_text('[{"object_id": 4, "mask": "both.png"}]')
    with pytest.raises(InputError, match="Object 4 is not in the mask"):
        read_prompts(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "can't be read as JSON"),
        ("{", "can't be read as JSON"),
        ("[" * 100_000, "can't be read as JSON"),
        ("9" * 5000, "can't be read as JSON"),
        ('{"frame": 0}', "this is no list"),
        ("[3]", "prompt 1 is not like"),
        ('[{"points": [[1, 2]]}, {"point": [1, 2]}]', "prompt 2 is not like"),
        ('[{"frame": 1.5, "points": [[1, 2]]}]', "'frame' is not a whole number"),
        ('[{"frame": true, "points": [[1, 2]]}]', "'frame' is not a whole number"),
        ('[{"frame": Infinity, "points": [[1, 2]]}]', "'frame' is not a whole number"),
        ('[{"object_id": "1", "points": [[1, 2]]}]', "'object_id' is not a whole number"),
        ('[{"object_id": 1000000000000000000000000, "points": [[1, 2]]}]', "'object_id' is not a whole number"),
        ('[{"points": [1, 2]}]', "a point is not a list of 2 numbers"),
        ('[{"points": [[1, 2, 3], [4, 5, 6]]}]', "a point is not a list of 2 numbers"),
        ('[{"points": [["1", "2"]]}]', "a point is not a list of 2 numbers"),
        ('[{"points": [[NaN, 2]]}]', "a point is not a list of 2 numbers"),
        ('[{"points": [[1e300, 2]]}]', "a point is not a list of 2 numbers"),
        ('[{"points": 5}]', "'points' is no list"),
        ('[{"points": [[1, 2]], "labels": [0.5]}]', "a label is not a whole number"),
        ('[{"points": [[1, 2]], "labels": 1}]', "'labels' is no list"),
        ('[{"box": [1, 2, 3]}]', "'box' is not a list of 4 numbers"),
        ('[{"mask": 3}]', "'mask' is not the path of a PNG"),
        ('[{"mask": "none.png"}]', "no mask file .*none.png"),
        ('[{"mask": "m.png", "box": [1, 2, 3, 4]}]', "a mask stands alone"),
    ],
)
def test_refused(tmp_path, text, sentence):
    file = tmp_path / "prompts.json"
    file.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_prompts(file)


def test_no_text(tmp_path):
    (tmp_path / "p.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "p.json", tmp_path, tmp_path / "none.json"):
        with pytest.raises(InputError, match="can't be read as JSON"):
            read_prompts(path)
