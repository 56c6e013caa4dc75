"""The session of a script: what each step gives, undo, stopping anywhere, going on in the same folder."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest
from live_runs import assert_same_run

from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.repeat import repeat_run
from napari_sam2_probe.live.session import Session
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.runs import is_run, open_run
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.transforms import make_clip
from napari_sam2_probe.video import ArraySource, open_video

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

T, H, W = 6, 60, 100
CLICK = Prompt.from_points(0, 1, [[35, 42]], [1])
TWO_CLICKS = Prompt.from_points(0, 1, [[35, 42], [85, 12]], [1, 0])
OTHER = Prompt.from_points(1, 7, box=[70, 5, 95, 25])


@pytest.fixture
def session(moving, loaded, tmp_path):
    with Session(moving, model=loaded, out=tmp_path / "run") as session:
        yield session


def frames(steps):
    return [step.frame for step in steps]


def test_a_script_gives_what_the_command_gives(session, loaded, moving, tmp_path):
    step = session.prompt(CLICK)
    assert (step.frame, step.masks[1].shape, step.masks[1].dtype) == (0, (H, W), bool)
    masks = {step.frame: step.masks[1] for step in session.propagate()}
    assert list(masks) == list(range(T))
    session.close()
    run, plain = open_run(tmp_path / "run"), record_run(moving, [CLICK], tmp_path / "plain", loaded)
    assert run.finished
    for frame_idx, mask in masks.items():
        np.testing.assert_array_equal(mask, plain.masks_per_object[0, frame_idx])
    np.testing.assert_array_equal(run.object_pointers, plain.object_pointers)
    assert (run.path / "features.csv").read_bytes() == (plain.path / "features.csv").read_bytes()
    assert run.info["passes"] == plain.info["passes"]
    assert run.info["prompts"] == plain.info["prompts"]


def test_scores_and_masks_are_by_object_and_others_are_named(session):
    session.prompt(CLICK)
    step = session.prompt(OTHER)
    assert set(step.masks) == set(step.scores) == {1, 7} == set(session.object_ids)
    assert np.isnan(step.scores[1])
    assert np.isfinite(step.scores[7])
    with pytest.raises(InputError, match=r"no object 2 on this frame \(objects: 1, 7\)"):
        step.masks[2]
    with pytest.raises(InputError, match=r"no object 2 on this frame"):
        step.scores[2]


def test_tensors_live_as_long_as_their_step(session, loaded, moving):
    kept = {}

    class Keeper(ProbeRecorder):
        def observe(self, at, key, tensor):
            kept[at.obj_id, at.frame_idx, key] = tensor[0].float().clone()
            super().observe(at, key, tensor)

    keeper = Keeper(T)
    with VideoSession(loaded.model, moving, SessionOptions.for_model(loaded), keeper) as plain:
        plain.add_prompt(CLICK)
        plain.add_prompt(OTHER)
        list(plain.propagate())
    keeper.close()

    step = session.prompt(CLICK)
    np.testing.assert_array_equal(step.tensors["prompt_attention"], kept[1, 0, "prompt_attention"])
    before = step
    step = session.prompt(OTHER)
    with pytest.raises(InputError, match=r"tensors of frame 0 are gone.*clone"):
        before.tensors["prompt_attention"]
    for step in session.propagate():
        for obj_id in (1, 7):
            for name, key in (("memory_attention", "memory_attention"), ("4r", "object_pointer_raw")):
                tensor = step.tensors[name, obj_id]
                np.testing.assert_array_equal(tensor, kept[obj_id, step.frame, key], err_msg=f"{key} {step.frame}")
        with pytest.raises(InputError, match=r"Say of which object \(objects: 1, 7\)"):
            step.tensors["memory_attention"]
        with pytest.raises(InputError, match="There is no position 'memory'"):
            step.tensors["memory", 1]
        with pytest.raises(InputError, match="no tensor on frame"):
            step.tensors["5u", 1]
    with pytest.raises(InputError, match="are gone"):
        step.tensors["memory_attention", 1]


def test_it_stops_at_any_frame_and_goes_on(session, tmp_path):
    session.prompt(CLICK)
    for step in session.propagate():
        if step.frame == 2:
            break
    assert frames(session.propagate()) == [3, 4, 5]
    waiting = session.propagate()
    assert next(waiting).frame == 0
    session.prompt(OTHER)
    assert next(waiting).masks.keys() == {1, 7}
    assert frames(session.propagate("forward", 2, 3)) == [2, 3]
    with pytest.raises(InputError, match="Another propagation was begun since"):
        next(waiting)
    # From the last prompt on: not all frames have seen it.
    assert frames(session.propagate()) == [1, 2, 3, 4, 5]
    assert frames(session.propagate("backward", start=1)) == [1, 0]
    session.close()
    assert open_run(tmp_path / "run").tracked.all()


def test_to_a_last_frame_it_goes_on_where_it_stopped_or_was_corrected(session):
    session.prompt(CLICK)
    for step in session.propagate(end=4):
        if step.frame == 1:
            break
    assert frames(session.propagate(end=3)) == [2, 3]
    session.prompt(Prompt.from_points(2, 1, [[45, 45]], [1]))
    assert frames(session.propagate(end=3)) == [2, 3]
    # All is up to date that far.
    assert frames(session.propagate(end=3)) == [0, 1, 2, 3]
    assert frames(session.propagate()) == [4, 5]
    assert frames(session.propagate("backward", end=1)) == [2, 1]
    with pytest.raises(InputError, match="No frame lies between the first, 3, and the last, 1, going forward"):
        session.propagate(start=3, end=1)


def test_what_was_broken_off_is_a_whole_run_and_repeated_alike(session, moving, loaded, tmp_path):
    session.prompt(OTHER)
    for step in session.propagate("both"):
        if step.frame == 3:
            break
    session.prompt(TWO_CLICKS)
    session.undo()
    next(session.propagate("backward"))
    session.close()
    run = open_run(tmp_path / "run")
    assert run.finished
    assert (run.status("features") == 0).all(), "features of what was tracked backward are compared in time order"
    assert_same_run(run, repeat_run(run, tmp_path / "again", moving, model=loaded))


def test_undo_and_redo_say_whether_they_can(session):
    assert (session.can_undo, session.can_redo) == (False, False)
    assert session.undo() is None
    one = session.prompt(CLICK).masks[1]
    two = session.prompt(TWO_CLICKS).masks[1]
    assert (one != two).any()
    np.testing.assert_array_equal(session.undo().masks[1], one)
    assert (session.can_undo, session.can_redo) == (True, True)
    np.testing.assert_array_equal(session.redo().masks[1], two)
    assert (session.can_undo, session.can_redo) == (True, False)


@pytest.mark.parametrize(
    "wrong",
    [Prompt.from_points(0, 1, [[999, 3]], [1]), Prompt.from_points(T, 1, [[3, 3]], [1]), "dog", None],
    ids=["outside", "no such frame", "a word", "nothing"],
)
def test_a_prompt_that_is_refused_leaves_nothing_to_undo(session, tmp_path, wrong):
    with pytest.raises(InputError):
        session.prompt(wrong)
    assert not session.can_undo
    assert not (tmp_path / "run").exists()
    session.prompt(CLICK)
    session.undo()
    with pytest.raises(InputError):
        session.prompt(wrong)
    assert session.can_redo, "nor is there less to redo"


def test_candidates_are_chosen(session):
    first = session.prompt(CLICK).masks[1]
    candidates = session.candidates()
    assert (candidates.frame, candidates.object_id, len(candidates.predicted_iou)) == (0, 1, 3)
    other = next(i for i in range(3) if (candidates.masks[i] != first).any())
    chosen = session.choose(other).masks[1]
    assert (chosen != first).any()
    np.testing.assert_array_equal(session.undo().masks[1], first)
    with pytest.raises(InputError, match="no candidate mask 5"):
        session.choose(5)
    assert session.candidates(0, 1) is not None
    session.prompt(Prompt.from_mask(2, 3, square_mask(2, H, W)))
    assert session.candidates() is None


def test_objects_are_deleted(session, tmp_path):
    session.prompt(CLICK)
    session.prompt(OTHER)
    list(session.propagate())
    session.remove(1)
    assert session.object_ids == (7,)
    with pytest.raises(InputError, match=r"no object 1 \(objects: 7\)"):
        session.remove(1)
    session.close()
    run = open_run(tmp_path / "run")
    assert set(np.unique(run.masks[:])) <= {0, 7}
    assert [entry["object_id"] for entry in run.info["prompts"]] == [7]


def test_the_same_folder_again_goes_on(moving, loaded, tmp_path):
    def begin(session):
        session.prompt(CLICK)
        for step in session.propagate():
            if step.frame == 3:
                break

    def go_on(session):
        session.prompt(OTHER)
        return frames(session.propagate())

    with Session(moving, model=loaded, out=tmp_path / "in one go") as session:
        begin(session)
        expected = go_on(session)
    with Session(moving, model=loaded, out=tmp_path / "run") as session:
        begin(session)
    told = []
    with Session(moving, model=loaded, out=tmp_path / "run", progress=told.append) as session:
        assert told[-1].done == told[-1].total == 4
        assert session.object_ids == (1,)
        assert session.can_undo
        assert go_on(session) == expected
    assert_same_run(open_run(tmp_path / "in one go"), open_run(tmp_path / "run"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in one go", "run"]


def test_going_on_that_fails_leaves_the_run_as_it_was(moving, loaded, tmp_path):
    with Session(moving, model=loaded, out=tmp_path / "run") as session:
        session.prompt(CLICK)
        list(session.propagate())
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Session(moving, model=loaded, out=tmp_path / "run", progress=stop)
    other = ArraySource(moving_video(T, H, W, seed=1), name="other")
    with pytest.raises(InputError, match="other is not the video that"):
        Session(other, model=loaded, out=tmp_path / "run")
    with pytest.raises(InputError, match="begun with other options"):
        Session(moving, model=loaded, out=tmp_path / "run", options=RunOptions(unblanked=True))
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_was_set_aside_when_the_process_died_is_found_again(moving, loaded, tmp_path):
    with Session(moving, model=loaded, out=tmp_path / "run") as session:
        session.prompt(CLICK)
        list(session.propagate())
    (tmp_path / "run").rename(tmp_path / ".run.before")
    with Session(moving, model=loaded, out=tmp_path / "run") as session:
        session.undo()
        session.redo()
    run = open_run(tmp_path / "run")
    assert run.tracked.all()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_sessions_in_one_folder_are_refused(session, moving, loaded, tmp_path):
    session.prompt(CLICK)
    with pytest.raises(InputError, match="is being written now"):
        Session(moving, model=loaded, out=tmp_path / "run")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="exists already"):
        Session(moving, model=loaded, out=tmp_path / "other")


def test_an_error_leaves_a_run_that_says_so(moving, loaded, tmp_path):
    def fail():
        with Session(moving, model=loaded, out=tmp_path / "run") as session:
            session.prompt(CLICK)
            next(session.propagate())
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["finished"] is False
    assert info["stopped"] == "RuntimeError: no"
    assert np.flatnonzero(open_run(tmp_path / "run").tracked[0]).tolist() == [0]


def test_without_a_folder_the_run_goes_with_the_session(moving, loaded):
    session = Session(moving, model=loaded)
    with pytest.raises(InputError, match="Nothing is recorded yet"):
        _ = session.run
    with session:
        session.prompt(CLICK)
        next(session.propagate())
        assert np.flatnonzero(session.run.tracked[0]).tolist() == [0]
    path = session.path
    assert is_run(path)
    assert session.run.finished
    for use in ("prompt", "undo", "propagate"):
        with pytest.raises(InputError, match="session is closed"):
            getattr(session, use)(*([CLICK] if use == "prompt" else []))
    del session
    gc.collect()
    assert not path.exists()


def test_videos_and_models_by_name(tmp_path):
    with Session(moving_video(T, H, W), model="sample", out=tmp_path / "run") as session:
        assert session.model.checkpoint.name == "sample"
        with pytest.raises(InputError, match="Add a prompt first"):
            session.propagate()
        with pytest.raises(InputError, match="no direction 'up'"):
            session.propagate("up")
        with pytest.raises(InputError, match="no prompt yet"):
            session.candidates()
    assert not (tmp_path / "run").exists()
    for model in (3, None):
        with pytest.raises(InputError, match="is no model"):
            Session(moving_video(T, H, W), model=model)
    with pytest.raises(InputError, match="neither a file nor a checkpoint's name"):
        Session(moving_video(T, H, W), model="smaple")


def test_what_is_known_of_a_made_clip_goes_with_it(loaded, tmp_path):
    film, masks = moving_video(12), np.stack([square_mask(t) for t in range(12)])
    clip, _ = make_clip(open_video(film, masks=masks), "interjection", lengths=(2, 2, 2), others=film[::-1])
    prompt = Prompt.from_mask(0, 1, clip.mask(0) == 1)
    with Session(clip, model=loaded, out=tmp_path / "session") as session:
        session.prompt(prompt)
        assert frames(session.propagate()) == list(range(6))
    record_run(clip, [prompt], tmp_path / "plain", loaded)
    for name in ("session", "plain"):
        run = open_run(tmp_path / name)
        assert run.info["known"] == json.loads(json.dumps(clip.truth.as_json()))
        assert run.object_present[0].tolist() == [True, True, False, False, True, True]
