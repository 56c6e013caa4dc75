"""A live run without a window: what a session is told, which frames are tracked, what is on disk at every moment."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.live import events
from napari_sam2_probe.live.autosave import set_aside, unfinished_runs
from napari_sam2_probe.live.live_run import LiveRun
from napari_sam2_probe.live.model_cache import ModelCache
from napari_sam2_probe.live.plan import Plan
from napari_sam2_probe.live.prompt_queue import PromptQueue, Removal
from napari_sam2_probe.live.prompt_state import NOTHING, PackedMask, PromptState
from napari_sam2_probe.live.synchronizer import PromptSynchronizer
from napari_sam2_probe.runs import find_runs, open_run
from napari_sam2_probe.tracking.results import FrameResult, SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video import ArraySource

T, H, W = 9, 24, 40
CLICK = PromptState(((10.0, 8.0, 1),))
TWO_CLICKS = PromptState(((10.0, 8.0, 1), (30.0, 20.0, 0)))
ELSEWHERE = PromptState(((30.0, 6.0, 1),))


@pytest.fixture(scope="module")
def model_cache():
    model_cache = ModelCache()
    yield model_cache
    model_cache.clear()


@pytest.fixture(scope="module")
def source():
    noise = np.random.default_rng(5).integers(0, 256, (T, H, W, 3), np.uint8)
    return ArraySource(noise, name="noise")


@pytest.fixture
def queue():
    return PromptQueue()


@pytest.fixture
def live(source, model_cache, queue, tmp_path):
    live = LiveRun(source, ModelChoice("sample", device="cpu"), tmp_path, model_cache, queue)
    yield live
    live.close()


def each(job):
    """What is yielded, one by one: things that happened at once come as a tuple."""
    for event in job:
        yield from event if isinstance(event, tuple) else (event,)


def told(job):
    return [event for event in each(job) if not isinstance(event, Progress)]


def frames_of(happened):
    return [event.frame_idx for event in happened if isinstance(event, events.FrameShown) and event.tracked]


def the_run(tmp_path):
    (path,) = find_runs(tmp_path)
    return open_run(path)


@pytest.mark.parametrize("while_", ["prompting", "tracking"])
def test_memory_that_runs_out_beside_the_model_is_told_in_words(live, queue, monkeypatch, while_):
    def no_room(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    queue.put({(0, 1): CLICK})
    if while_ == "tracking":
        told(live.apply())
    monkeypatch.setattr(FrameResult, "labels", no_room)
    with pytest.raises(ResourceError, match="memory of this machine doesn't suffice"):
        told(live.apply() if while_ == "prompting" else live.propagate("forward"))


def test_a_click_gives_a_mask_and_is_on_disk(live, queue, tmp_path):
    queue.put({(2, 1): CLICK})
    happened = told(live.apply())
    kinds = [type(event) for event in happened]
    assert kinds == [events.Ready, events.RunStarted, events.CandidatesShown, events.FrameShown]
    assert happened[-1].frame_idx == 2
    assert happened[0].masks[2].shape == (H, W)
    assert len(happened[2].predicted_iou) == 3
    run = the_run(tmp_path)
    assert run.path == happened[1].path
    assert run.info["prompts"] == [{"frame": 2, "object_id": 1, "points": [[10.0, 8.0]], "labels": [1]}]
    assert not run.finished


def test_of_several_wishes_for_a_frame_only_the_latest_is_done(live, queue):
    for state in (CLICK, ELSEWHERE, TWO_CLICKS):
        queue.put({(0, 1): state})
    happened = told(live.apply())
    assert sum(isinstance(event, events.FrameShown) for event in happened) == 1
    assert live._recording.applied == {(0, 1): TWO_CLICKS}


def test_another_candidate_gives_another_mask_and_can_be_taken_back(live, queue, source):
    queue.put({(0, 1): CLICK})
    masks = told(live.apply())[0].masks
    first = masks[0]
    others = []
    for index in range(3):
        queue.put({(0, 1): PromptState(CLICK.points, candidate=index)})
        told(live.apply())
        others.append(masks[0])
    assert any((other != first).any() for other in others)
    assert any((other == first).all() for other in others)
    queue.put({(0, 1): CLICK})
    told(live.apply())
    np.testing.assert_array_equal(masks[0], first)


def test_a_wrong_click_that_is_taken_back_leaves_no_trace(live, queue, source, model_cache):
    queue.put({(0, 1): CLICK})
    masks = told(live.apply())[0].masks
    right = masks[0]
    queue.put({(0, 1): TWO_CLICKS})
    told(live.apply())
    assert (masks[0] != right).any()
    queue.put({(0, 1): CLICK})
    told(live.apply())
    np.testing.assert_array_equal(masks[0], right)
    told(live.propagate("forward"))
    loaded = model_cache.load(ModelChoice("sample", device="cpu"))
    with VideoSession(loaded.model, source, SessionOptions.for_model(loaded)) as fresh:
        fresh.add_prompt(CLICK.prompt((0, 1)))
        for result in fresh.propagate():
            np.testing.assert_array_equal(masks[result.frame_idx], result.labels())


def test_tracking_both_ways_fills_the_run(live, queue, tmp_path):
    queue.put({(4, 3): CLICK})
    happened = told(live.propagate("both"))
    assert frames_of(happened) == [4, 5, 6, 7, 8, 4, 3, 2, 1, 0]
    assert isinstance(happened[-1], events.PassesDone)
    saved = {t for event in happened if isinstance(event, events.FramesSaved) for t in event.frames}
    assert saved == set(range(T))
    run = the_run(tmp_path)
    assert run.finished
    assert run.tracked.all()
    # Also after a backward pass features are there for all frames but those without an earlier frame to compare with.
    assert run.object_present.any()
    first_reference = int(np.argmax(run.object_present[0]))
    known = run.features.short_term_l2.notna()
    np.testing.assert_array_equal(known, run.features.frame > first_reference)
    assert not run.status("features").any()
    np.testing.assert_array_equal(happened[0].masks[:], run.masks[:])


def test_a_cancel_keeps_what_is_done_and_tracking_again_goes_on_there(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    job = live.propagate("forward")
    done = 0
    for event in each(job):
        done += isinstance(event, events.FrameShown) and event.tracked
        if done == 4:
            break
    job.close()
    run = the_run(tmp_path)
    assert not run.finished
    assert np.flatnonzero(run.tracked[0]).tolist() == [0, 1, 2, 3]
    assert frames_of(told(live.propagate("forward"))) == [4, 5, 6, 7, 8]
    assert the_run(tmp_path).finished


@pytest.mark.parametrize("steps", range(1, 9))
def test_whatever_a_cancel_cuts_off_what_is_on_disk_was_told(live, queue, tmp_path, monkeypatch, steps):
    # Every frame is saved at once, so that there is something to cut between.
    monkeypatch.setattr("napari_sam2_probe.live.growing_run._SAVE_SECONDS", 0)
    queue.put({(0, 1): CLICK})
    job, happened = live.propagate("forward"), []
    for _, step in zip(range(steps), job, strict=False):
        happened += step if isinstance(step, tuple) else [step]
    job.close()
    happened += told(live.apply())
    shown = {event.frame_idx for event in happened if isinstance(event, events.FrameShown)}
    (ready,) = (event for event in happened if isinstance(event, events.Ready))
    assert any(isinstance(event, events.RunStarted) for event in happened)
    run = the_run(tmp_path)
    assert shown >= set(np.flatnonzero(run.tracked[0]).tolist())
    for frame_idx in np.flatnonzero(run.tracked[0]).tolist():
        np.testing.assert_array_equal(ready.masks[frame_idx], run.masks[frame_idx])


def test_a_pause_while_the_model_loads_counts_once(live, queue):
    queue.put({(0, 1): CLICK})
    job = live.propagate("forward")
    assert isinstance(next(job), Progress)
    live.pause()
    happened = told(job)
    assert isinstance(happened[-1], events.Paused)
    assert frames_of(happened) == [0]
    assert frames_of(told(live.resume())) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_paused_it_takes_prompts_and_goes_on(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    happened = []
    for event in each(live.propagate("forward")):
        happened.append(event)
        if frames_of(happened) == [0, 1, 2]:
            live.pause()
    assert isinstance(happened[-1], events.Paused)
    queue.put({(2, 1): TWO_CLICKS})
    (shown,) = (event for event in told(live.apply()) if isinstance(event, events.FrameShown))
    assert shown.frame_idx == 2
    assert frames_of(told(live.resume())) == [3, 4, 5, 6, 7, 8]
    # What was said on frame 2 has not reached frame 2 itself yet.
    assert frames_of(told(live.propagate("forward")))[0] == 2


def test_a_correction_changes_the_frames_after_it(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    masks = told(live.propagate("forward"))[0].masks
    before, pointers = masks[:], the_run(tmp_path).object_pointers_raw
    queue.put({(5, 1): ELSEWHERE})
    assert frames_of(told(live.propagate("forward"))) == [5, 6, 7, 8]
    np.testing.assert_array_equal(masks[:5], before[:5])
    assert (masks[5] != before[5]).any()
    run = the_run(tmp_path)
    # Before the gate: where SAM 2 takes the object for gone, what it stores is always the same.
    changed = (run.object_pointers_raw != pointers).any(axis=2)[0]
    assert np.flatnonzero(changed).tolist() == [5, 6, 7, 8]
    assert np.flatnonzero(run.prompted[0]).tolist() == [0, 5]


def test_objects_join_while_tracking_and_leave(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    happened = []
    for event in each(live.propagate("forward")):
        happened.append(event)
        if isinstance(event, events.FrameShown) and event.tracked and event.frame_idx == 2:
            queue.put({(1, 7): ELSEWHERE})
    run = the_run(tmp_path)
    assert run.object_ids.tolist() == [1, 7]
    assert np.flatnonzero(run.tracked[1]).tolist() == [3, 4, 5, 6, 7, 8]
    queue.remove(1)
    happened = told(live.apply())
    assert isinstance(happened[-1], events.ObjectForgotten)
    run = the_run(tmp_path)
    assert not run.tracked[0].any()
    assert set(np.unique(run.masks[:])) <= {0, 7}
    assert [entry["object_id"] for entry in run.info["prompts"]] == [7]
    assert frames_of(told(live.propagate("forward")))[-1] == T - 1


def test_an_object_of_which_nothing_was_said_can_be_removed(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    told(live.apply())
    queue.remove(2)
    assert told(live.apply()) == [events.ObjectForgotten(2)]
    assert the_run(tmp_path).object_ids.tolist() == [1]


def test_what_cannot_be_done_is_said_and_nothing_breaks(live, queue):
    (_, refused) = told(live.propagate("forward"))
    assert "Add a prompt first" in refused.reason
    queue.put({(0, 1): CLICK, (0, 2): PromptState(((999.0, 3.0, 1),))})
    reasons = [event.reason for event in told(live.apply()) if isinstance(event, events.Refused)]
    assert len(reasons) == 1
    assert "outside" in reasons[0]
    queue.put({(0, 1): NOTHING})
    told(live.apply())
    assert any(isinstance(event, events.Refused) for event in told(live.propagate("forward")))
    queue.put({(0, 1): CLICK})
    assert frames_of(told(live.propagate("forward"))) == list(range(T))


def test_a_run_without_prompts_leaves_no_folder(live, queue, tmp_path):
    queue.put({(0, 1): CLICK})
    told(live.apply())
    queue.put({(0, 1): NOTHING})
    told(live.apply())
    live.close()
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_is_offered_and_gives_its_prompts_back(live, queue, source, model_cache, tmp_path):
    mask = PromptState(mask=PackedMask.pack(np.eye(H, W, dtype=bool)))
    states = {(0, 1): PromptState(CLICK.points, candidate=1), (3, 2): mask}
    queue.put(states)
    live.name_objects({1: "cat", 2: "dog"})
    job = live.propagate("forward")
    for event in each(job):
        if isinstance(event, events.FrameShown) and event.frame_idx == 4:
            break
    # As long as this process works on it, it is nobody else's.
    assert unfinished_runs(tmp_path) == []
    job.close()
    live.close()
    (run,) = unfinished_runs(tmp_path)
    assert (run.video_name, run.video_path, run.fingerprint) == ("noise", None, source.fingerprint())
    restored, names = run.restore()
    assert restored == states
    assert names == {1: "cat", 2: "dog"}
    second_queue = PromptQueue()
    second = LiveRun(source, ModelChoice("sample", device="cpu"), tmp_path, model_cache, second_queue, run.path)
    second_queue.put(restored)
    happened = told(second.apply())
    earlier = open_run(run.path)
    for frame_idx in (1, 2, 4):
        np.testing.assert_array_equal(happened[0].masks[frame_idx], earlier.masks[frame_idx])
    second.close()
    set_aside(run.path, "another")
    assert run.path not in {other.path for other in unfinished_runs(tmp_path)}
    # Interrupted again before anything was tracked again, what the first run tracked is still shown.
    (again,) = unfinished_runs(tmp_path)
    third_queue = PromptQueue()
    third = LiveRun(source, ModelChoice("sample", device="cpu"), tmp_path, model_cache, third_queue, again.path)
    third_queue.put(again.restore()[0])
    happened = told(third.apply())
    third.close()
    for frame_idx in (1, 2, 4):
        np.testing.assert_array_equal(happened[0].masks[frame_idx], earlier.masks[frame_idx])


_UNTIL_KILLED = """
import sys, numpy as np
from pathlib import Path
from napari_sam2_probe.live.prompt_state import PromptState
from napari_sam2_probe.live.prompt_queue import PromptQueue
from napari_sam2_probe.live.live_run import LiveRun
from napari_sam2_probe.live.model_cache import ModelCache
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.video import ArraySource
noise = np.random.default_rng(5).integers(0, 256, (200, 24, 40, 3), np.uint8)
queue = PromptQueue()
queue.put({(0, 1): PromptState(((10.0, 8.0, 1),))})
live = LiveRun(ArraySource(noise, name="noise"), ModelChoice("sample"), Path(sys.argv[1]), ModelCache(), queue)
for step in live.propagate("forward"):
    for event in step if isinstance(step, tuple) else ():
        if type(event).__name__ == "FramesSaved":
            print(max(event.frames), flush=True)
"""


def test_after_a_kill_prompts_and_frames_are_there_and_offered(tmp_path):
    command = [sys.executable, "-c", _UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        last = 0
        while last < 3:
            last = int(process.stdout.readline())
        assert unfinished_runs(tmp_path) == []
        process.kill()
    (run,) = unfinished_runs(tmp_path)
    assert run.restore() == ({(0, 1): CLICK}, {})
    left = open_run(run.path)
    assert left.tracked[0, : last + 1].all()
    assert left.masks[: last + 1].any()


# Keys and states of a few prompts; among them two of one frame and a choice of candidate.
wishes = st.lists(
    st.tuples(
        st.sampled_from([(0, 1), (3, 1), (0, 2)]),
        st.sampled_from([NOTHING, CLICK, TWO_CLICKS, PromptState(CLICK.points, candidate=2)]),
    ),
    max_size=7,
)


@settings(max_examples=12, deadline=None)
@given(wishes)
def test_a_session_knows_what_was_wished_last(source, model_cache, wished):
    loaded = model_cache.load(ModelChoice("sample", device="cpu"))
    with VideoSession(loaded.model, source, SessionOptions.for_model(loaded)) as session:
        synchronizer, wanted = PromptSynchronizer(session), {}
        for key, state in wished:
            synchronizer.sync(key, state)
            wanted.pop(key, None)
            if not state.is_empty:
                wanted[key] = state
        assert synchronizer.applied == wanted
        found = {(t, of): prompt for of in session.obj_ids for t, prompt in session.prompts(of).items()}
        assert found.keys() == wanted.keys()
        for key, prompt in found.items():
            assert PromptState.of(prompt) == wanted[key].without_candidate


def test_the_inbox_gives_removals_first_and_forgets_what_they_take():
    queue = PromptQueue()
    queue.put({(0, 1): CLICK, (0, 2): CLICK})
    queue.remove(1)
    queue.put({(5, 1): ELSEWHERE})
    assert queue
    assert [queue.take() for _ in range(4)] == [Removal(1), ((0, 2), CLICK), ((5, 1), ELSEWHERE), None]
    assert not queue


@pytest.mark.parametrize(
    ("direction", "prompted", "expected"),
    [
        ("forward", [3, 7], [("forward", range(3, 10))]),
        ("backward", [3, 7], [("backward", range(7, -1, -1))]),
        ("both", [3, 7], [("forward", range(3, 10)), ("backward", range(3, -1, -1))]),
        ("both", [0], [("forward", range(10))]),
    ],
)
def test_plans_before_anything_ran(direction, prompted, expected):
    plan = Plan(10)
    for frame_idx in prompted:
        plan.touch(frame_idx)
    assert plan.passes(direction, prompted) == expected
    # All is up to date: the same again.
    assert plan.passes(direction, prompted) == expected


def test_plans_after_corrections_and_stops():
    plan = Plan(10)
    plan.passes("forward", [0])
    plan.stopped("forward", range(4, 10))
    assert plan.passes("forward", [0]) == [("forward", range(4, 10))]
    plan.touch(6)
    assert plan.passes("forward", [0, 6]) == [("forward", range(6, 10))]
    assert plan.passes("backward", [0, 6]) == [("backward", range(6, -1, -1))]
    plan.touch(8)
    plan.touch(5)
    both = [("forward", range(5, 10)), ("backward", range(8, -1, -1))]
    assert plan.passes("both", [0, 5, 6, 8]) == both
