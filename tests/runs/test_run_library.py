"""Runs as a list shows them, renamed and deleted."""

from __future__ import annotations

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs import is_run, open_run
from napari_sam2_probe.runs.library import delete_run, list_runs, rename_run, summarise_run
from napari_sam2_probe.runs.writer import RunWriter


def make(path, **info):
    writer = RunWriter(path, (1,), (2, 8, 8), 4, info)
    writer.finish()
    return path


def test_a_recorded_run_is_summarised(two_objects):
    summary = summarise_run(two_objects.path)
    assert (summary.title, summary.video, summary.transform, summary.model) == ("two", "moving", "", "seeded")
    assert summary.finished
    assert summary.started == two_objects.info["times"]["started"]


def test_a_clip_tells_its_transform_and_an_interrupted_run_that_it_is_unfinished(tmp_path):
    known = {"recipe": {"kind": "obscuration"}}
    RunWriter(tmp_path / "a", (1,), (2, 8, 8), 4, {"known": known}).flush()
    summary = summarise_run(tmp_path / "a")
    assert (summary.transform, summary.finished, summary.video, summary.started) == ("obscuration", False, "", "")


def test_runs_of_several_folders_are_listed_once_latest_first(tmp_path):
    for name, started in (("b", "2024-01-02"), ("deep/er/a", "2024-01-03"), ("none", None)):
        make(tmp_path / "runs" / name, times={"started": started} if started else {})
    (tmp_path / "runs" / "b" / "probe.zarr" / "nested").mkdir()
    make(tmp_path / "runs" / ".hidden" / "x")
    torn = make(tmp_path / "runs" / "torn")
    (torn / "run.json").write_text("{")
    listed = list_runs([tmp_path / "runs", tmp_path / "runs" / "b", tmp_path / "missing"])
    assert [run.title for run in listed] == ["a", "b", "none"]


def test_renaming_changes_the_title_and_nothing_else(two_objects, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(two_objects.path, copy)
    before = open_run(copy).info
    rename_run(copy, "  Zwei\n Objekte ")
    assert summarise_run(copy).title == "Zwei Objekte"
    after = open_run(copy)
    assert after.info == {**before, "title": "Zwei Objekte"}
    np.testing.assert_array_equal(after.object_pointers, two_objects.object_pointers)
    rename_run(copy, "")
    assert summarise_run(copy).title == "copy"


def test_deleting_takes_runs_only(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "send2trash", None)
    run = make(tmp_path / "run")
    other = tmp_path / "photos"
    other.mkdir()
    with pytest.raises(InputError, match="not a probe run"):
        delete_run(other)
    assert other.is_dir()
    delete_run(run)
    assert not run.exists()
    with pytest.raises(InputError, match="any more"):
        delete_run(run)


def test_a_trash_is_used_where_there_is_one(tmp_path, monkeypatch):
    binned = []
    module = SimpleNamespace(send2trash=binned.append, __spec__=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "send2trash", module)
    run = make(tmp_path / "run")
    delete_run(run)
    assert binned == [str(run)]
    assert is_run(run)


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"'])
def test_a_damaged_run_is_told(tmp_path, content):
    run = make(tmp_path / "run")
    (run / "run.json").write_text(content)
    for read in (summarise_run, lambda path: rename_run(path, "new")):
        with pytest.raises(InputError, match="damaged"):
            read(run)
    assert (run / "run.json").read_text() == content


def test_odd_but_readable_info_does_not_stop_a_list(tmp_path):
    run = make(tmp_path / "run")
    info = json.loads((run / "run.json").read_text()) | {"video": None, "model": [], "known": "x", "times": 3}
    (run / "run.json").write_text(json.dumps(info))
    assert [summary.title for summary in list_runs([tmp_path])] == ["run"]
