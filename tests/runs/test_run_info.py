"""``run.json`` of a run from elsewhere: whatever it says, it is read, or refused in a sentence, and hides no other."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.registry import export_run
from napari_sam2_probe.live.autosave import set_aside, unfinished_runs, with_those_before
from napari_sam2_probe.runs import find_runs, open_run
from napari_sam2_probe.runs.info import read_info
from napari_sam2_probe.runs.library import list_runs, rename_run, summarise_run
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.video.array import ArraySource

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")

NUM_FRAMES = 3


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


INFO = {
    "format": "napari-sam2-probe run 1",
    "finished": False,
    "title": "mine",
    "software": {"python": "3.11.7", "torch": "2.14.1"},
    "model": {"checkpoint": "sample", "sha256": "63629b", "trained": True, "device": "cpu", "flags": {"a": True}},
    "video": {
        "path": None,
        "name": "noise",
        "num_frames": NUM_FRAMES,
        "height": 8,
        "width": 8,
        "fps": 24.0,
        "sha256": "fbc509",
        "scaling": {"low": 0.0, "high": 4095.0},
        "frame_names": ["a", "b", "c"],
    },
    "parameters": {"direction": "forward", "features": {"epsilon": 1e-6, "prompted_references": True}},
    "known": {
        "clip": "clean-00000",
        "object_present": [True, True, False],
        "context_present": [True, True, True],
        "obscured_fraction": [0.0, 0.5, None],
        "source_sequence": ["cat", "cat", "cat"],
        "source_frame": [0, 1, 2],
        "recipe": {"clip": "clean-00000", "kind": "clean"},
    },
    "times": {"started": "2026-01-01T00:00:00+00:00"},
    "objects": [1],
    "prompts": [{"frame": 0, "object_id": 1, "points": [[1.0, 2.0]], "labels": [1]}],
    "chosen_candidates": [{"frame": 0, "object_id": 1, "candidate": 1}],
    "object_names": {"1": "cat"},
    "live": None,
    "continues": "/nowhere",
}
ODD = [
    None,
    True,
    -1,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "../x",
    "\ud800",
    "a\0b",
    "x" * 5000,
    [],
    {},
    [None],
    [[]],
    {"x": None},
]


def write_run(path, info):
    writer = RunWriter(path, (1,), (NUM_FRAMES, 8, 8), 4, {})
    writer.write_frame(
        0,
        np.ones((8, 8), np.uint16),
        np.ones((1, 8, 8), bool),
        object_scores=np.ones(1, np.float32),
        predicted_iou=np.ones(1, np.float32),
        prompted=[True],
        object_present=[True],
    )
    writer.finish()
    (path / "run.json").write_text(json.dumps(info))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sound runs, and a third whose ``run.json`` is written again and again."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("first", "second", "third"):
        write_run(folder / name, INFO)
    return folder


def places(value, at=()):
    """Give the path of every part of a JSON value, itself included."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def edited(at, new):
    """Return the description with the part at a path replaced, or without it where `new` is `edited` itself."""
    info = copy.deepcopy(INFO)
    if not at:
        return new
    *above, last = at
    part = info
    for key in above:
        part = part[key]
    if new is edited:
        del part[last]
    else:
        part[last] = new
    return info


EDITS = [(at, new) for at in places(INFO) for new in [*ODD, edited] if at or new is not edited]


def refused(read, path):
    """Read; return None, or the one sentence that is said instead, which names the file."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return None


def use_everything(folder, tmp_path):
    """Do with the third run what lists and the window do; only sentences may come of it. Tell whether it opens."""
    third = folder / "third"
    unfinished = unfinished_runs(folder)
    assert {"first", "second"} <= {run.path.name for run in unfinished}
    assert {"first", "second"} <= {run.path.name for run in list_runs([folder])}
    for run in unfinished:
        if run.path == third and refused(type(run).restore, run) is None:
            states, names = run.restore()
            assert states
            assert all(isinstance(name, str) for name in names.values())
    with_those_before(third)
    opened = []
    for read in (read_info, summarise_run, lambda path: opened.append(open_run(path))):
        said = refused(read, third)
        assert said is None or (str(third) in said and len(said.splitlines()) == 1)
    if said is not None:
        return False
    out = tmp_path / "out"
    export_run(opened[0], "masks", out / "masks", overwrite=True)
    assert {path.parent for path in tmp_path.rglob("*.png")} == {out / "masks"}
    shutil.rmtree(out)
    return True


def test_the_run_as_it_is(folder, tmp_path):
    assert [run.path.name for run in unfinished_runs(folder)] == ["first", "second", "third"]
    assert use_everything(folder, tmp_path)
    (run, *_) = unfinished_runs(folder)
    states, names = run.restore()
    assert (list(states), names, states[0, 1].candidate) == ([(0, 1)], {1: "cat"}, 1)
    assert read_info(folder / "first") == INFO


@pytest.mark.slow
def test_every_part_replaced_or_gone(folder, tmp_path):
    """All edits of ``run.json`` with the odd values above: about a thousand."""
    opened = 0
    for at, new in EDITS:
        (folder / "third" / "run.json").write_text(json.dumps(edited(at, new)))
        try:
            opened += use_everything(folder, tmp_path)
        except BaseException:
            print(f"{at} = {new!r}"[:200])
            raise
    assert len(EDITS) > 900
    assert 0 < opened < len(EDITS) / 2


@given(st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_bytes_cut_off_turned_and_put_in(folder, tmp_path_factory, data):
    content = bytearray(json.dumps(INFO, indent=2).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        edit = data.draw(st.sampled_from(["cut", "turn", "put in", "take out"]))
        if edit == "cut":
            del content[place + 1 :]
        elif edit == "turn":
            content[place] = data.draw(st.integers(0, 255))
        elif edit == "put in":
            content[place:place] = data.draw(st.binary(min_size=1, max_size=5))
        elif len(content) > 10:
            del content[place : place + 5]
    (folder / "third" / "run.json").write_bytes(content)
    use_everything(folder, tmp_path_factory.mktemp("out"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{\0",
        deep(100_000).encode(),
        b'{"video": ' + deep(100_000).encode() + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"9" * 10_000,
        b"NaN",
        b"\0" * 100,
    ],
)
def test_what_is_no_json_of_ours(content, folder, tmp_path):
    (folder / "third" / "run.json").write_bytes(content)
    assert not use_everything(folder, tmp_path)
    with pytest.raises(InputError, match="damaged"):
        read_info(folder / "third")
    set_aside(folder / "third", "")
    with pytest.raises(InputError, match="damaged"):
        rename_run(folder / "third", "new")
    assert (folder / "third" / "run.json").read_bytes() == content


@pytest.mark.parametrize("what", ["folder", "pipe", "device", "link to nothing", "link to itself", "huge"])
def test_what_is_no_ordinary_file(what, folder, tmp_path):
    path = folder / "third" / "run.json"
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.symlink_to({"device": "/dev/zero", "link to nothing": "/nowhere", "link to itself": path}[what])
    try:
        assert not use_everything(folder, tmp_path)
    finally:
        if what == "folder":
            path.rmdir()
        else:
            path.unlink()
        path.write_text(json.dumps(INFO))


def test_a_run_is_renamed_whatever_else_it_says(folder):
    (folder / "third" / "run.json").write_text(json.dumps(INFO | {"video": None, "mine": "\ud800"}))
    rename_run(folder / "third", "new")
    assert json.loads((folder / "third" / "run.json").read_text()) == INFO | {
        "video": None,
        "mine": "\ud800",
        "title": "new",
    }


def test_the_damaged_part_is_named(folder):
    (folder / "third" / "run.json").write_text(json.dumps(edited(("known", "source_frame", 1), "x")))
    with pytest.raises(InputError, match=r"damaged \(known.source_frame\[1\] is not a whole number"):
        open_run(folder / "third")


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "a"], ["a", "../b", "c"], ["a", "/tmp/b", "c"]])
def test_names_of_frames_that_cannot_be(names, folder):
    (folder / "third" / "run.json").write_text(json.dumps(edited(("video", "frame_names"), names)))
    with pytest.raises(InputError, match="damaged"):
        open_run(folder / "third")


@pytest.mark.parametrize("mask", ["../../mask.png", "/tmp/mask.png", "prompts/../../mask.png", ""])
def test_a_prompt_is_not_read_from_outside_of_the_run(mask, folder):
    prompt = {"frame": 0, "object_id": 1, "mask": mask}
    (folder / "third" / "run.json").write_text(json.dumps(INFO | {"prompts": [prompt]}))
    run = next(run for run in unfinished_runs(folder) if run.path.name == "third")
    with pytest.raises(InputError, match="can't be a name"):
        run.restore()


@pytest.mark.parametrize("change", [{"frame": 3}, {"points": [[8.5, 2.0]]}, {"labels": [2]}, {"object_id": 0}])
def test_a_prompt_that_does_not_fit_the_video_is_refused(change, folder):
    prompt = INFO["prompts"][0] | change
    (folder / "third" / "run.json").write_text(json.dumps(INFO | {"prompts": [prompt]}))
    run = next(run for run in unfinished_runs(folder) if run.path.name == "third")
    with pytest.raises(InputError, match=r"object|Object|Frame"):
        run.restore(ArraySource(np.zeros((NUM_FRAMES, 8, 8), np.uint8)))


def test_folders_deeper_than_python_goes_are_looked_through(tmp_path, monkeypatch):
    write_run(tmp_path / "z", INFO)
    with monkeypatch.context() as there:
        there.chdir(tmp_path)
        for _ in range(1500):
            # A path of all of them would be too long for the system.
            Path("d").mkdir()
            there.chdir("d")
    assert find_runs(tmp_path) == [tmp_path / "z"]
