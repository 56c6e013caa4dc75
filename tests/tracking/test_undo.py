"""Undo and redo against a plain list of states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.scenarios import square_mask
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.prompts import Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

T = 4
CLICKS = ([35, 42], [60, 50])


def said(what, frame, obj_id, variant):
    if what == "click":
        return Prompt.from_points(frame, obj_id, [CLICKS[variant]], [1])
    if what == "box":
        return Prompt.from_points(frame, obj_id, box=[18 + 4 * variant, 28, 52, 58])
    return Prompt.from_mask(frame, obj_id, np.roll(square_mask(frame), 9 * variant, axis=1))


def snapshot(session) -> dict:
    """Everything that a user can see of a session."""
    seen = {"objects": session.obj_ids}
    for t in range(T):
        result = session.result(t)
        seen[t] = (
            result.obj_ids,
            result.mask_logits.numpy().tobytes(),
            result.object_scores.tobytes(),
            result.predicted_iou.tobytes(),
            result.kinds,
        )
        for obj_id in session.obj_ids:
            candidates = session.candidates(t, obj_id)
            seen[t, obj_id] = None if candidates is None else tuple(array.tobytes() for array in candidates)
    for obj_id in session.obj_ids:
        seen["prompts", obj_id] = session.prompts(obj_id)
    return seen


def tracked(session, **arguments) -> dict:
    return {r.frame_idx: (r.obj_ids, r.mask_logits.numpy().tobytes()) for r in session.propagate(**arguments)}


steps = st.lists(
    st.tuples(
        st.sampled_from(["click", "box", "mask", "choose", "clear", "undo", "undo", "redo"]),
        st.integers(0, T - 1),
        st.sampled_from([1, 2]),
        st.integers(0, 1),
    ),
    min_size=2,
    max_size=9,
)
few = settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@few
@given(steps=steps, after_tracking=st.booleans())
def test_undo_and_redo_go_through_a_list_of_states(steps, after_tracking, session_of, short_source):
    session = session_of(short_source)
    states = [snapshot(session)]
    if after_tracking:
        session.add_prompt(said("mask", 0, 1, 0))
        states.append(snapshot(session))
        tracked(session)
        states[-1] = snapshot(session)
    now = len(states) - 1
    for what, frame, obj_id, variant in steps:
        if what == "undo":
            result = session.undo()
            assert (result is None) == (now == 0)
            now = max(now - 1, 0)
        elif what == "redo":
            result = session.redo()
            assert (result is None) == (now == len(states) - 1)
            now = min(now + 1, len(states) - 1)
        else:
            if what == "choose":
                if obj_id not in session.obj_ids or session.candidates(frame, obj_id) is None:
                    continue
                session.choose_candidate(frame, obj_id, variant)
            elif what == "clear":
                if obj_id not in session.obj_ids or frame not in session.prompts(obj_id):
                    continue
                session.clear_prompt(frame, obj_id)
            else:
                session.add_prompt(said(what, frame, obj_id, variant))
            del states[now + 1 :]
            states.append(snapshot(session))
            now += 1
        assert snapshot(session) == states[now]
    session.close()


_known: dict[tuple, dict] = {}


def freshly_tracked(prompts, session_of, source) -> dict:
    """What a new session tracks that is told these prompts of object 1 in this order."""
    key = tuple((frame, prompt.mask.tobytes()) for frame, prompt in prompts.items())
    if key not in _known:
        session = session_of(source)
        for prompt in prompts.values():
            session.add_prompt(prompt)
        _known[key] = tracked(session)
        session.close()
    return _known[key]


@pytest.mark.slow
@few
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["mask", "mask", "clear", "undo", "redo", "track"]),
            st.integers(1, T - 1),
            st.integers(0, 1),
        ),
        max_size=8,
    )
)
def test_what_is_undone_leaves_no_trace_in_tracking(steps, session_of, short_source):
    """Masks look at nothing tracked before, so tracking again must be as if only what remains had been said."""
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    states, now = [{0: said("mask", 0, 1, 0)}], 0
    for what, frame, variant in steps:
        if what == "track":
            tracked(session)
        elif what == "undo":
            if now > 0:
                session.undo()
                now -= 1
        elif what == "redo":
            if session.redo() is not None:
                now += 1
        else:
            state = dict(states[now])
            if what == "mask":
                state[frame] = said("mask", frame, 1, variant)
                session.add_prompt(state[frame])
            elif frame in state:
                del state[frame]
                session.clear_prompt(frame, 1)
            else:
                continue
            del states[now + 1 :]
            states.append(state)
            now += 1
    assert tracked(session) == freshly_tracked(states[now], session_of, short_source)
    session.close()


def test_nothing_to_undo_or_redo(session_of, short_source):
    session = session_of(short_source)
    assert session.undo() is None
    assert session.redo() is None


def test_undoing_the_first_prompt_removes_the_object_and_redo_brings_back_all_of_it(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    session.add_prompt(said("box", 1, 2, 0))
    tracked(session)
    before = snapshot(session)
    result = session.undo()
    assert result.obj_ids == session.obj_ids == (1,)
    result = session.undo()
    assert result.obj_ids == ()
    assert result.mask_logits.shape == (0, 1, 90, 160)
    assert not result.labels().any()
    assert session.redo().obj_ids == (1,)
    assert session.redo().obj_ids == (1, 2)
    assert snapshot(session) == before


def test_an_object_that_was_undone_can_be_added_anew(session_of, short_source):
    recorder = ProbeRecorder(T)
    session = session_of(short_source, recorder)
    session.add_prompt(said("mask", 0, 1, 0))
    tracked(session)
    recorder.take()
    session.undo()
    session.add_prompt(said("box", 1, 1, 0))
    assert session.redo() is None
    assert session.visited_frames(1) == []
    assert not recorder.take()
    assert np.isnan(recorder.features(1).values).all()
    fresh = session_of(short_source)
    fresh.add_prompt(said("box", 1, 1, 0))
    assert tracked(session) == tracked(fresh)
    assert [r.frame_idx for r in recorder.take()] == [1, 2, 3]
    assert not np.isnan(recorder.features(1).values[:, 2:, 0]).any()
    recorder.close()


@pytest.mark.parametrize("track_between", [False, True])
def test_conditioning_frames_keep_their_order(track_between, session_of, short_source):
    """Attention joins their memories in this order, which the last bits of what it gives depend on."""
    session = session_of(short_source)
    for frame in (0, 2, 1):
        session.add_prompt(said("mask", frame, 1, 0))
    if track_between:
        next(session.propagate())
    session.clear_prompt(2, 1)
    session.clear_prompt(0, 1)
    session.undo()
    session.undo()
    next(session.propagate())
    assert list(session._objects[1].conditioning) == [0, 2, 1]


def test_clearing_what_was_never_said_is_no_step(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    session.clear_prompt(2, 1)
    session.undo()
    assert session.obj_ids == ()


def test_the_steps_of_a_removed_object_are_forgotten_and_those_of_others_are_not(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    session.add_prompt(said("mask", 0, 2, 0))
    session.add_prompt(said("mask", 1, 1, 0))
    session.remove_object(2)
    session.undo()
    assert list(session.prompts(1)) == [0]
    session.undo()
    assert session.obj_ids == ()
    assert session.undo() is None


def test_a_correction_undone_gives_the_numbers_of_before(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    before = tracked(session)
    state = snapshot(session)
    session.add_prompt(said("click", 2, 1, 1))
    assert snapshot(session) != state
    after = tracked(session)
    assert after != before
    session.undo()
    assert snapshot(session)[2] == state[2]
    assert tracked(session) == before
    assert snapshot(session) == state


@pytest.mark.parametrize("track_between", [False, True])
def test_a_recorder_has_the_values_of_the_prompt_put_back(track_between, session_of, short_source):
    first, second = said("box", 0, 1, 0), said("mask", 0, 1, 1)
    recorders = [ProbeRecorder(T), ProbeRecorder(T)]
    session, fresh = (session_of(short_source, recorder) for recorder in recorders)
    session.add_prompt(first)
    session.add_prompt(second)
    if track_between:
        tracked(session)
    session.undo()
    fresh.add_prompt(first)
    assert tracked(session) == tracked(fresh)
    records, expected = ({r.frame_idx: r for r in recorder.take()} for recorder in recorders)
    assert records.keys() == expected.keys() == set(range(T))
    for t, record in records.items():
        assert record.kind is expected[t].kind
        for mine, theirs in ((record.maps, expected[t].maps), (record.vectors, expected[t].vectors)):
            assert mine.keys() == theirs.keys()
            for key in mine:
                np.testing.assert_array_equal(mine[key], theirs[key], err_msg=f"{key} {t}")
    np.testing.assert_array_equal(recorders[0].features(1).values, recorders[1].features(1).values)
    for recorder in recorders:
        recorder.close()


def test_features_never_compare_with_an_output_that_undo_put_back(session_of, short_source):
    """The recorded values of that frame are still those of the correction."""
    recorder = ProbeRecorder(T)
    session = session_of(short_source, recorder)
    session.add_prompt(said("mask", 0, 1, 0))
    tracked(session)
    session.add_prompt(said("click", 2, 1, 1))
    tracked(session, start=2)
    session.undo()
    tracked(session, start=3)
    series = recorder.features(1)
    assert series.stale[3]
    assert np.isnan(series.values[:, 3]).all()
    tracked(session)
    assert not recorder.features(1).stale.any()
    recorder.close()


def test_an_object_that_was_undone_can_be_removed_and_is_not_redone(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(said("mask", 0, 1, 0))
    session.add_prompt(said("mask", 0, 2, 0))
    tracked(session)
    session.undo()
    assert session.knows(2)
    assert session.history.can_redo
    session.remove_object(2)
    assert not session.knows(2)
    assert not session.history.can_redo
    assert session.redo() is None
    assert session.obj_ids == (1,)
