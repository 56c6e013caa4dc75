"""A store from elsewhere runs nothing: that of format 2 may name pickle as a filter of its arrays."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil

import numcodecs
import numpy as np
import pytest
import zarr

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.zarr_store import open_store

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return os.mkdir, (self._path,)


FILTERED = {
    "zarr_format": 2,
    "shape": [2],
    "chunks": [2],
    "dtype": "|O",
    "compressor": None,
    "fill_value": None,
    "order": "C",
    # Alone, or on numbers, zarr knows of no type that goes with it.
    "filters": [numcodecs.VLenUTF8().get_config(), numcodecs.Pickle().get_config()],
}


def write_filtered(folder, harmed):
    folder.mkdir(parents=True)
    (folder / ".zarray").write_text(json.dumps(FILTERED))
    (folder / "0").write_bytes(pickle.dumps(Harm(harmed)))


@pytest.fixture
def harmed(tmp_path, monkeypatch):
    """The folder that is made if pickle is called, which numcodecs by itself refuses only from 0.16.6 on."""
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True)
    return tmp_path / "harmed"


def read_by_zarr_alone(store):
    # Whatever comes of nothing in place of bytes.
    with contextlib.suppress(Exception):
        zarr.open_group(store, mode="r")["object_ids"][:]


@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize("form", ["format 2", "format 2 in a group of format 3", "format 2 in consolidated metadata"])
def test_a_pickled_filter_is_never_called(form, two_objects, harmed, tmp_path):
    run = shutil.copytree(two_objects.path, tmp_path / "run")
    store = run / "probe.zarr"
    shutil.rmtree(store / "object_ids")
    write_filtered(store / "object_ids", harmed)
    if form == "format 2":
        (store / "zarr.json").unlink()
        (store / ".zgroup").write_text('{"zarr_format": 2}')
    elif form.endswith("consolidated metadata"):
        about = json.loads((store / "zarr.json").read_text())
        entry = FILTERED | {"node_type": "array", "attributes": {}}
        metadata = {"kind": "inline", "must_understand": False, "metadata": {"object_ids": entry}}
        (store / "zarr.json").write_text(json.dumps(about | {"consolidated_metadata": metadata}))
    if form != "format 2 in a group of format 3":
        read_by_zarr_alone(store)
        assert harmed.is_dir(), "zarr by itself calls it"
        harmed.rmdir()
    with pytest.raises(InputError, match="the run is damaged"):
        open_run(run)
    assert not harmed.exists()


def test_an_experiment_of_format_2_is_not_opened(harmed, tmp_path):
    write_filtered(tmp_path / "results.zarr" / "object_ids", harmed)
    (tmp_path / "results.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    for mode in ("r", "a"):
        with pytest.raises((LookupError, OSError)):
            open_store(tmp_path / "results.zarr", mode)["object_ids"][:]
    assert not harmed.exists()


def test_stores_are_written_in_format_3_whatever_the_user_has_chosen(two_objects, tmp_path):
    from napari_sam2_probe.export.registry import export_run
    from napari_sam2_probe.runs.writer import RunWriter

    with zarr.config.set({"default_zarr_format": 2}):
        RunWriter(tmp_path / "run", (1,), (2, 8, 8), 4, {}).finish()
        export_run(two_objects, "maps", tmp_path / "maps", "zarr")
    assert open_run(tmp_path / "run").num_frames == 2
    for store in (tmp_path / "run" / "probe.zarr", tmp_path / "maps"):
        assert not list(store.rglob(".z*"))
        assert np.isin(3, [json.loads(path.read_text())["zarr_format"] for path in store.rglob("zarr.json")])
