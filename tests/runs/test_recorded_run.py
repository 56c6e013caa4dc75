"""What a run holds on disk, and that it is what the session gives."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from helpers.run_checks import H, T, W
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.positions import BY_NUMBER, POSITIONS
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.truth import ClipTruth

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

POINTERS = ("object_pointers", "object_pointers_raw")
MAP_SIDES = {"image_embedding": 64, "memory_attention": 16, "prompt_attention": 16} | dict.fromkeys(
    ("memory_features", "memory_features_raw"), 16
)


def test_arrays_have_the_names_shapes_and_types_of_the_specification(two_objects, loaded):
    store = zarr.open_group(two_objects.path / "probe.zarr", mode="r")
    found = {name: (item.shape, str(item.dtype)) for name, item in store.members(None) if isinstance(item, zarr.Array)}
    expected = {
        "object_ids": ((2,), "int64"),
        "masks": ((T, H, W), "uint16"),
        "masks_per_object": ((2, T, H, W), "bool"),
        "object_scores": ((2, T), "float32"),
        "predicted_iou": ((2, T), "float32"),
        "candidate_disagreement": ((2, T), "float32"),
        "prompted": ((2, T), "bool"),
        "tracked": ((2, T), "bool"),
        "object_present": ((2, T), "bool"),
        "status/features": ((2, T), "uint8"),
    }
    expected |= dict.fromkeys(POINTERS, ((2, T, loaded.model.hidden_dim), "float32"))
    expected |= {f"status/{p.key}": ((2, T), "uint8") for p in POSITIONS}
    for key, side in MAP_SIDES.items():
        expected |= {f"maps/{key}/{statistic}": ((2, T, side, side), "float32") for statistic in ("mean", "variance")}
    assert found == expected
    names = ["attention.parquet", "bank.parquet", "features.csv", "probe.zarr", "prompts", "run.json"]
    assert sorted(p.name for p in two_objects.path.iterdir()) == names


def test_the_run_is_what_a_session_gives(two_objects, loaded, folder, two_prompts):
    recorder = ProbeRecorder(T)
    with VideoSession(loaded.model, FolderSource(folder), SessionOptions.for_model(loaded), recorder) as session:
        for prompt in two_prompts:
            session.add_prompt(prompt)
        results = list(session.propagate("forward", 0, 4))
    run = two_objects
    assert run.object_ids.tolist() == [300, 7] == list(results[0].obj_ids)
    overlapping = 0
    for result in results:
        t, logits = result.frame_idx, result.mask_logits[:, 0].numpy()
        np.testing.assert_array_equal(run.masks_per_object[:, t], logits > 0)
        winner = np.array([300, 7])[logits.argmax(axis=0)]
        np.testing.assert_array_equal(run.masks[t], np.where(logits.max(axis=0) > 0, winner, 0))
        overlapping += int(((logits > 0).sum(axis=0) > 1).sum())
        np.testing.assert_array_equal(run.object_scores[:, t], result.object_scores)
        np.testing.assert_array_equal(run.predicted_iou[:, t], result.predicted_iou)
        np.testing.assert_array_equal(run.object_present[:, t], result.object_scores > 0)
    assert overlapping > 0, "nothing overlaps, so who wins isn't tested"
    records = recorder.take()
    assert {(r.obj_id, r.frame_idx) for r in records} == {(o, t) for o in (300, 7) for t in range(5)}
    for record in records:
        o, t = [300, 7].index(record.obj_id), record.frame_idx
        for key, (mean, variance) in record.maps.items():
            np.testing.assert_array_equal(run.maps(key, "mean")[o, t], mean)
            np.testing.assert_array_equal(run.maps(key, "variance")[o, t], variance)
            assert run.status(key)[o, t] == record.kind
        np.testing.assert_array_equal(run.object_pointers[o, t], record.vectors["object_pointer"])
        np.testing.assert_array_equal(run.object_pointers_raw[o, t], record.vectors["object_pointer_raw"])
    pd.testing.assert_frame_equal(run.features, recorder.features_table(), check_exact=True)


def test_what_each_frame_read_is_recorded(two_objects, loaded, folder, two_prompts):
    with VideoSession(loaded.model, FolderSource(folder), SessionOptions.for_model(loaded)) as session:
        for prompt in two_prompts:
            session.add_prompt(prompt)
        list(session.propagate("forward", 0, 4))
        for obj_id in (300, 7):
            for t in range(T):
                bank = session.bank(t, obj_id)
                expected = [] if bank is None else [dataclasses.astuple(entry) for entry in bank.entries]
                found = two_objects.bank(t, obj_id)
                assert list(found.columns) == ["kind", "frame", "role", "temporal_position", "age"]
                assert list(found.itertuples(index=False, name=None)) == expected
    assert len(two_objects.bank(4, 300)) == 8
    assert two_objects.bank(0, 300).empty
    with pytest.raises(InputError, match="holds 300, 7"):
        two_objects.bank(4)
    with pytest.raises(InputError, match="no object 1"):
        two_objects.bank(4, 1)
    with pytest.raises(InputError, match="frames are 0 to 5"):
        two_objects.bank(6, 300)


def test_nothing_is_invented_where_nothing_ran(two_objects):
    run = two_objects
    np.testing.assert_array_equal(run.tracked, np.tile(np.arange(T) < 5, (2, 1)))
    for values in (run.object_scores, run.predicted_iou, run.object_pointers, run.object_pointers_raw):
        assert np.isnan(values[:, 5:]).all()
    for position in MAP_POSITIONS:
        maps = run.maps(position.key, "mean")[:]
        assert np.isnan(maps[:, 5:]).all()
        assert np.isfinite(maps[:, :5]).all()
        assert (run.status(position.key)[:, 5:] == PassKind.NOT_RUN).all()
    assert not run.masks[5:].any()
    assert not run.object_present[:, 5:].any()
    assert run.features.query("frame >= 5").loc[:, "short_term_l2":].isna().all(axis=None)


def test_prompted_frames_are_marked_and_say_how(two_objects):
    run = two_objects
    assert np.argwhere(run.prompted).tolist() == [[0, 0], [1, 2]]
    status = run.status("memory_attention")
    assert status[0, 0] == PassKind.MASK_PROMPT
    assert status[1, 2] == PassKind.POINT_PROMPT
    assert (np.delete(status[:, :5].ravel(), [0, 7]) == PassKind.TRACKED).all()
    # SAM 2 estimates no IoU of a mask that it was given.
    assert np.isnan(run.predicted_iou[0, 0])
    assert np.isfinite(run.predicted_iou[1, 2])


def test_features_are_a_table_with_positions_as_in_the_paper(two_objects):
    lines = (two_objects.path / "features.csv").read_text().splitlines()
    assert lines[0] == "object_id,position,frame,short_term_l2,long_term_l2,short_term_ratio"
    cells = [line.split(",") for line in lines[1:]]
    assert {row[1] for row in cells} == {"1", "2", "3", "4", "4r", "5", "5r"}
    assert len(cells) == 2 * 7 * T
    assert set(two_objects.features["position"]) <= set(BY_NUMBER)
    first = two_objects.features.query("object_id == 300 and position == '4r'").set_index("frame")
    assert np.isnan(first.loc[0, "short_term_l2"])
    assert np.isfinite(first.loc[1:4, "short_term_l2"]).all()
    assert np.isnan(first.loc[1, "long_term_l2"])
    assert np.isfinite(first.loc[2:4, "long_term_l2"]).all()


def test_the_run_says_what_it_is_made_of(two_objects, folder):
    info = json.loads((two_objects.path / "run.json").read_text())
    assert info["finished"] is True
    assert two_objects.finished
    assert "stopped" not in info
    assert info["model"]["checkpoint"] == "seeded"
    assert info["model"]["trained"] is False
    assert info["model"]["flags"]["add_all_frames_to_correct_as_cond"] is True
    assert {"sam2", "torch", "napari-sam2-probe"} <= info["software"].keys()
    video = info["video"]
    assert (two_objects.path / video["path"]).resolve() == Path(folder).resolve()
    assert (video["absolute_path"], video["num_frames"], video["height"], video["width"]) == (folder, T, H, W)
    assert len(video["sha256"]) == 64
    assert info["objects"] == [300, 7]
    assert info["parameters"]["end"] == 4
    assert info["times"]["started"] <= info["times"]["finished"]
    assert [p["object_id"] for p in info["prompts"]] == [300, 7]
    assert (two_objects.path / info["prompts"][0]["mask"]).is_file()


def test_presence_is_the_recipes_where_there_is_one(tmp_path, loaded, source, mask_prompt):
    present = np.ones(T, bool)
    present[3:5] = False
    known = ClipTruth("moving", present, present, np.full(T, np.nan), ("a",) * T, np.arange(T), {"kind": "clean"})
    run = record_run(source, [mask_prompt], tmp_path / "run", loaded, truth=known)
    np.testing.assert_array_equal(run.object_present, present[None])
    assert (run.object_scores[0, 3:5] > 0).all(), "SAM 2 itself would call the object present"
    back = ClipTruth.from_json(run.info["known"])
    np.testing.assert_array_equal(back.object_present, present)
    assert np.isnan(back.obscured_fraction).all()
    assert back.recipe == {"kind": "clean"}


def test_what_is_known_of_another_clip(tmp_path, loaded, source, mask_prompt):
    present = np.ones(T + 1, bool)
    known = ClipTruth("other", present, present, np.full(T + 1, np.nan), ("a",) * (T + 1), np.arange(T + 1))
    with pytest.raises(InputError, match="The truth of other is of 7 frames, but moving has 6"):
        record_run(source, [mask_prompt], tmp_path / "run", loaded, truth=known)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("direction", "start", "end", "tracked"),
    [
        ("forward", None, None, range(3, 6)),
        ("forward", 4, 4, range(4, 5)),
        ("backward", None, None, range(4)),
        ("backward", 2, 1, range(1, 3)),
        ("both", None, None, range(6)),
    ],
)
def test_directions(tmp_path, loaded, source, direction, start, end, tracked):
    prompt = Prompt.from_points(3, 1, [[50, 50]], [1])
    run = record_run(source, [prompt], tmp_path / "run", loaded, RunOptions(direction, start, end))
    assert np.flatnonzero(run.tracked[0]).tolist() == list(tracked)
    # A backward pass is swept again in time order, so no feature is left stale.
    assert (run.status("features") == 0).all()
    distances = run.features.query("position == '1'")["short_term_l2"].to_numpy()
    assert np.flatnonzero(np.isfinite(distances)).tolist() == list(tracked)[1:]


def test_position_5u_is_recorded_where_asked_for(tmp_path, loaded, source, mask_prompt):
    run = record_run(source, [mask_prompt], tmp_path / "run", loaded, RunOptions(end=2, unblanked=True))
    assert run.status("memory_features_unblanked")[0, 1:].tolist() == [1, 1, 0, 0, 0]
    assert np.isfinite(run.maps("memory_features_unblanked", "mean")[0, 1:3]).all()
    assert "5u" in set(run.features["position"])


def test_a_run_without_its_video_can_be_read(two_objects, tmp_path):
    moved = shutil.copytree(two_objects.path, tmp_path / "moved")
    info = json.loads((moved / "run.json").read_text())
    info["video"]["path"] = "/nowhere"
    (moved / "run.json").write_text(json.dumps(info))
    np.testing.assert_array_equal(open_run(moved).masks[:], two_objects.masks[:])
