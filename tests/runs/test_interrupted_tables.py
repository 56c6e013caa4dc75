"""Ctrl+C while a table is made or gets another object: what was tracked before can still be saved."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_sam2_probe.runs import tables
from napari_sam2_probe.runs.tables import TRACKED, FrameTables


@pytest.fixture
def made(tmp_path):
    group = zarr.open_group(tmp_path / "store.zarr", mode="w")
    made = FrameTables(group, 1, 4)
    for name, dtype in (("scores", np.float32), (TRACKED, np.bool_)):
        made.add(name, dtype)
    made.put("scores", 0, 2, 7.5)
    made.put(TRACKED, 0, 2, True)
    return group, made


def test_while_a_table_is_made(made, monkeypatch):
    group, frame_tables = made

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "make_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frame_tables.add("status/memory_features", np.uint8)
    assert "status/memory_features" not in frame_tables
    frame_tables.save()
    assert group["scores"][0, 2] == 7.5
    assert group[TRACKED][0].tolist() == [False, False, True, False]


def test_while_an_object_is_added(made, monkeypatch):
    group, frame_tables = made
    real, calls = np.concatenate, []

    def interrupted(arrays):
        calls.append(arrays)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(arrays)

    monkeypatch.setattr(tables.np, "concatenate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frame_tables.add_object()
    monkeypatch.undo()
    frame_tables.save()
    assert group["scores"][0, 2] == 7.5
