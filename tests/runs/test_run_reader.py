"""Opening runs: whole, begun, damaged, and things that are none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
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


def a_chunk(folder):
    return next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "zarr.json")


@pytest.mark.parametrize(
    "name",
    [
        *("masks", "masks_per_object", "object_pointers", "object_scores", "predicted_iou", "prompted", "tracked"),
        *("maps/image_embedding/mean", "maps/memory_features/variance"),
    ],
)
def test_a_chunk_that_has_gone_is_found_at_opening(copy, name):
    """Without its chunk a frame would look as if nothing had been found on it, or as never tracked."""
    a_chunk(copy / "probe.zarr" / name).unlink()
    with pytest.raises(InputError, match=r"the run is damaged .*(is missing in probe\.zarr|other tracked frames)"):
        open_run(copy)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["masks", "masks_per_object", "maps/image_embedding/mean"])
def test_a_chunk_with_a_flipped_bit_is_told_of_when_it_is_read(copy, two_objects, name):
    chunk = a_chunk(copy / "probe.zarr" / name)
    whole = chunk.read_bytes()
    first = {"masks": (0,), "masks_per_object": (0, 0)}.get(name, (0, 0))

    def read():
        run = open_run(copy)
        array = run.maps("image_embedding", "mean") if name.startswith("maps") else getattr(run, name)
        return array[first]

    expected = read()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        for bit in (1, 128):
            chunk.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            try:
                found = read()
            except InputError:
                continue
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objects": [1, 7]}, "objects are"),
        ({"written": {"tracked": {}, "files": {}}}, "other tracked frames"),
        ({"video": {"num_frames": 7}}, "video.num_frames is 7"),
        ({"video": {"frame_names": ["a"]}}, "video.frame_names has 1 entries"),
        ({"video": {"frame_times": [0.0, 0.1]}}, "video.frame_times has 2 entries"),
    ],
)
def test_what_a_run_says_of_itself_and_its_arrays_agree(copy, change, said):
    info = json.loads((copy / "run.json").read_text())
    for name, value in change.items():
        info[name] = info[name] | value if name == "video" else value
    (copy / "run.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=rf"the run is damaged .*{said}"):
        open_run(copy)


@pytest.mark.parametrize("name", ["features.csv", "bank.parquet", "attention.parquet"])
def test_a_table_that_was_cut_or_changed_or_has_gone(copy, name):
    content = (copy / name).read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    for damaged in (content[: len(content) // 2], bytes(changed)):
        (copy / name).write_bytes(damaged)
        with pytest.raises(
            InputError, match=rf"the run is damaged .*{name} is not as it was written|the run is damaged"
        ):
            open_run(copy)
    (copy / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing"):
        open_run(copy)


def test_metadata_that_claims_the_earth_makes_room_for_nothing(copy):
    path = copy / "probe.zarr" / "object_pointers" / "zarr.json"
    metadata = json.loads(path.read_text())
    for shape in ([10**9, 10**9, 64], [2, 10**12, 64], [2, 6, 10**15]):
        path.write_text(json.dumps(metadata | {"shape": shape}))
        with pytest.raises(InputError, match="the run is damaged"):
            open_run(copy)


def test_a_partly_tracked_run_says_so(two_objects):
    assert replace(two_objects, tracked=np.ones_like(two_objects.tracked)).partly_tracked == ""
    tracked = np.zeros_like(two_objects.tracked)
    run = replace(two_objects, tracked=tracked)
    last = run.num_frames - 1
    assert run.partly_tracked == f"no frame of 0-{last}"
    tracked[0, 2:4] = True
    assert run.partly_tracked == f"frames 2-3 of 0-{last}"
    tracked[:, 0] = True
    assert run.partly_tracked == f"frames 0-3, 3 of them of 0-{last}"
