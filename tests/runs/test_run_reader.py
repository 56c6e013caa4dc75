"""Opening runs: whole, begun, damaged, and things that are none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import zarr

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs import find_runs, is_run, open_run

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")


@pytest.fixture
def copy(two_objects, tmp_path):
    return shutil.copytree(two_objects.path, tmp_path / "run")


def test_find_runs(two_objects, tmp_path):
    for name in ("b", "a/deeper"):
        shutil.copytree(two_objects.path, tmp_path / name)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").write_text("{}")
    assert find_runs(tmp_path) == [tmp_path / "a" / "deeper", tmp_path / "b"]
    assert find_runs(tmp_path / "b") == [tmp_path / "b"]
    assert not is_run(tmp_path)


def test_what_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="is not a probe run: give a folder that holds"):
            open_run(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "napari-sam2-probe run 2"}', "\udcff"])
def test_a_description_that_cannot_be_used(copy, text):
    (copy / "run.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=r"damaged|another format"):
        open_run(copy)


@pytest.mark.slow
def test_every_file_cut_off_or_gone(copy):
    """A damaged run either opens, because what is damaged is read later, or is refused in a sentence."""
    refused = set()
    files = [path for path in copy.rglob("*") if path.is_file() and "maps" not in path.parts]
    for path in files:
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b"", None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            try:
                open_run(copy)
            except InputError:
                refused.add(path.relative_to(copy).as_posix())
        path.write_bytes(content)
    assert {"run.json", "features.csv", "probe.zarr/tracked/c/0/0", "probe.zarr/object_pointers/zarr.json"} <= refused
    assert open_run(copy).finished


def test_parts_that_do_not_fit_one_another(copy, two_objects):
    store = zarr.open_group(copy / "probe.zarr")
    scores = two_objects.object_scores
    for odd in (scores[:1], scores[:, :-1]):
        store.create_array("object_scores", data=odd, overwrite=True)
        with pytest.raises(InputError, match="the run is damaged"):
            open_run(copy)
    store.create_array("object_scores", data=scores, overwrite=True)
    (copy / "features.csv").write_text("object_id,frame\n1,0\n")
    with pytest.raises(InputError, match="the run is damaged"):
        open_run(copy)
    (copy / "features.csv").unlink()
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"video": "a name"}))
    with pytest.raises(InputError, match="the file is damaged"):
        open_run(copy)


def test_a_run_without_features_yet(copy):
    (copy / "features.csv").unlink()
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"finished": False}))
    run = open_run(copy)
    assert not run.finished
    assert len(run.features) == 0
    assert list(run.features.columns)[:3] == ["object_id", "position", "frame"]


def test_reading_needs_neither_torch_nor_sam2(two_objects):
    code = (
        "import sys; from napari_sam2_probe.runs import open_run; run = open_run(sys.argv[1]); "
        "run.masks[0], run.maps('image_embedding', 'mean')[0, 0]; "
        "print(*{'torch', 'sam2', 'napari', 'matplotlib'} & set(sys.modules))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(two_objects.path)], capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == []
