"""What a session does beyond numbers: order, threads, interruptions, references, memory that is cleared."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import torch

from helpers.rounding import assert_same_sums
from helpers.scenarios import square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.engine import NO_OBJ_SCORE
from napari_sam2_probe.tracking.observer import PassKind
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.array import ArraySource

pytestmark = pytest.mark.usefixtures("one_thread")

T = 8
CORRECTION = Prompt.from_points(3, 1, [[60, 50], [10, 10]], [1, 0])


def mask(frame=0, obj_id=1):
    return Prompt.from_mask(frame, obj_id, square_mask(frame))


def box(frame=0, obj_id=1):
    return Prompt.from_points(frame, obj_id, box=[90, 10, 140, 60])


def tracked(session, *args, **kwargs):
    return {r.frame_idx: r.mask_logits for r in session.propagate(*args, **kwargs)}


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[t], b[t]) for t in a)


class TestObjects:
    def test_they_keep_the_order_in_which_they_were_added(self, session_of, short_source):
        session = session_of(short_source)
        for obj_id in (7, 3, 12, 1):
            session.add_prompt(box(0, obj_id) if obj_id % 2 else mask(0, obj_id))
        session.add_prompt(mask(1, 3))
        assert session.obj_ids == (7, 3, 12, 1)
        for result in session.propagate():
            assert result.obj_ids == (7, 3, 12, 1)
            assert result.mask_logits.shape == (4, 1, 90, 160)
            assert len(result.object_scores) == len(result.predicted_iou) == len(result.kinds) == 4
            # Those prompted alike are tracked alike until one gets another prompt.
            assert torch.equal(result.mask_logits[0], result.mask_logits[3])
        session.remove_object(3)
        assert session.obj_ids == (7, 12, 1)

    def test_one_added_after_tracking_is_there_from_then_on(self, session_of, short_source):
        session = session_of(short_source)
        session.add_prompt(mask())
        before = tracked(session)
        result = session.add_prompt(box(2, 2))
        assert result.kinds == (PassKind.TRACKED, PassKind.POINT_PROMPT)
        elsewhere = session.result(1)
        assert elsewhere.kinds == (PassKind.TRACKED, PassKind.NOT_RUN)
        assert (elsewhere.mask_logits[1] == NO_OBJ_SCORE).all()
        assert np.isnan(elsewhere.object_scores[1])
        after = tracked(session, start=2)
        assert all(torch.equal(after[t][:1], before[t]) for t in after)
        assert session.visited_frames(2) == [2, 3]
        assert session.visited_frames(1) == [0, 1, 2, 3]
        assert session.prompted_frames() == [0, 2]

    def test_one_removed_is_gone_for_everybody(self, session_of, short_source):
        recorder = ProbeRecorder(4)
        session = session_of(short_source, recorder)
        session.add_prompt(mask())
        session.add_prompt(box(0, 2))
        tracked(session)
        session.remove_object(1)
        assert session.obj_ids == (2,)
        assert {r.obj_id for r in recorder.take()} == {2}
        assert set(recorder.features_table()["object_id"]) == {2}
        with pytest.raises(InputError, match=r"There is no object 1 \(objects: 2\): add it with a prompt first\."):
            session.prompts(1)
        session.remove_object(2)
        assert session.result(0).mask_logits.shape == (0, 1, 90, 160)
        with pytest.raises(InputError, match="Nothing to track yet"):
            next(session.propagate())
        recorder.close()

    def test_labels_go_to_the_higher_logit(self, session_of, short_source):
        session = session_of(short_source)
        session.add_prompt(mask(0, 5))
        # The same mask with a hole: inside the hole only object 5 is left, elsewhere both are as high.
        holed = square_mask(0)
        holed[38:48, 28:42] = False
        session.add_prompt(Prompt.from_mask(0, 9, holed))
        result = session.result(0)
        masks, labels = result.masks(), result.labels()
        assert labels.dtype == np.uint16
        assert labels[43, 35] == 5
        np.testing.assert_array_equal(labels > 0, masks.any(axis=0))
        winner = np.asarray(result.mask_logits[:, 0]).argmax(axis=0)
        np.testing.assert_array_equal(labels[masks.any(axis=0)], np.array([5, 9])[winner][masks.any(axis=0)])


class TestInterruptions:
    def test_closing_midway_keeps_what_is_done_and_tracking_goes_on(self, session_of, source):
        whole = session_of(source)
        whole.add_prompt(mask())
        expected = tracked(whole)
        session = session_of(source)
        session.add_prompt(mask())
        frames = session.propagate()
        done = {r.frame_idx: r.mask_logits for r in (next(frames), next(frames), next(frames))}
        frames.close()
        assert session.visited_frames(1) == [0, 1, 2]
        assert torch.equal(session.result(2).mask_logits, expected[2])
        assert session.result(3).kinds == (PassKind.NOT_RUN,)
        assert_same(done | tracked(session, start=3), expected)

    def test_no_thread_and_no_file_is_left(self, session_of, short_source, tmp_path):
        before = set(threading.enumerate())
        session = session_of(short_source, output_budget=1, spill_parent=tmp_path)
        session.add_prompt(mask())
        tracked(session)
        assert set(threading.enumerate()) > before
        assert list(tmp_path.iterdir())
        session.close()
        session.close()
        assert set(threading.enumerate()) == before
        assert not list(tmp_path.iterdir())

    def test_a_session_nobody_closed_leaves_no_file(self, twins, short_source, tmp_path):
        from napari_sam2_probe.tracking.results import SessionOptions
        from napari_sam2_probe.tracking.session import VideoSession

        _, model, flags = twins()
        options = SessionOptions(flags=flags, output_budget=1, spill_parent=tmp_path)
        session = VideoSession(model, short_source, options)
        session.add_prompt(mask())
        frames = session.propagate()
        for _ in range(3):
            next(frames)
        assert list(tmp_path.iterdir())
        del session, frames
        gc.collect()
        assert not list(tmp_path.iterdir())

    @pytest.mark.slow
    def test_nothing_of_torchs_is_left_on_the_thread_between_frames(self, session_of, short_source):
        session = session_of(short_source, dtype=torch.bfloat16)
        session.add_prompt(mask())
        for _ in session.propagate():
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_autocast_enabled("cpu")
            assert torch.is_grad_enabled()
        for _ in session.sweep():
            assert not torch.is_inference_mode_enabled()

    def test_another_thread_may_take_over(self, session_of, short_source):
        expected = session_of(short_source)
        expected.add_prompt(mask())
        session = session_of(short_source)
        session.add_prompt(mask())
        got = {}
        worker = threading.Thread(target=lambda: got.update(tracked(session)))
        worker.start()
        worker.join()
        assert_same(got, tracked(expected))

    def test_a_frame_that_cannot_be_read_stops_there_and_keeps_the_rest(self, session_of):
        from helpers.scenarios import moving_video

        frames = moving_video(5).astype(np.float32)
        frames[3, 0, 0] = np.nan
        session = session_of(ArraySource(frames, name="holed", contrast_limits=(0, 255)))
        session.add_prompt(mask())
        done = []
        with pytest.raises(InputError, match="Frame 3 of holed holds NaN"):
            done.extend(session.propagate())
        assert session.visited_frames(1) == [0, 1, 2]

    def test_prompts_given_while_the_generator_waits_count_from_there_on(self, session_of, source):
        session = session_of(source)
        session.add_prompt(mask())
        without = tracked(session)
        frames = session.propagate()
        for _ in range(3):
            next(frames)
        corrected = session.add_prompt(CORRECTION).mask_logits
        session.add_prompt(box(2, 2))
        after = {r.frame_idx: r.mask_logits for r in frames}
        assert list(after) == [3, 4, 5, 6, 7]
        assert torch.equal(after[3][:1], corrected[:1])
        assert not torch.equal(after[4][:1], without[4])
        assert after[4].shape[0] == 2

    @pytest.mark.parametrize(("name", "frame"), [("start", 8), ("start", -1), ("end", 8), ("end", -1)])
    def test_frames_that_are_not_there(self, name, frame, session_of, source):
        session = session_of(source)
        session.add_prompt(mask())
        with pytest.raises(InputError, match=f"The {name} frame {frame} is not in the video, whose frames are 0 to 7"):
            next(session.propagate(**{name: frame}))
        with pytest.raises(InputError, match=f"Frame {frame} is not in moving: it has the frames 0 to 7"):
            session.result(frame)


class TestCorrections:
    def test_an_object_whose_prompts_were_all_taken_back_wants_a_new_one(self, session_of, short_source):
        session = session_of(short_source)
        session.add_prompt(mask())
        tracked(session)
        session.clear_prompt(0, 1)
        with pytest.raises(InputError, match="Object 1 has no prompt: give one, or remove the object"):
            next(session.propagate())
        result = session.add_prompt(Prompt.from_points(2, 1, [[60, 50]], [1]))
        assert result.kinds == (PassKind.POINT_PROMPT,)
        assert list(tracked(session)) == [2, 3]

    @pytest.mark.parametrize("as_conditioning", [True, False])
    def test_a_mask_on_a_tracked_frame_is_enough_when_nothing_else_is_left(
        self, as_conditioning, session_of, short_source
    ):
        session = session_of(short_source, flags={"add_all_frames_to_correct_as_cond": as_conditioning})
        session.add_prompt(mask())
        tracked(session)
        session.clear_prompt(0, 1)
        session.add_prompt(mask(1))
        assert list(tracked(session)) == [1, 2, 3]

    def test_memory_around_a_correction_is_cleared_where_asked_for(self, session_of, source):
        session = session_of(source, flags={"clear_non_cond_mem_around_input": True})
        session.add_prompt(mask())
        tracked(session)
        obj = session._objects[1]
        assert list(obj.tracked) == [1, 2, 3, 4, 5, 6, 7]
        session.add_prompt(Prompt.from_points(7, 1, [[60, 50]], [1]))
        next(session.propagate(start=7))
        # Seven frames to both sides, of which the first is a conditioning frame.
        assert list(obj.tracked) == []
        assert sorted(obj.conditioning) == [0, 7]
        assert session.result(3).kinds == (PassKind.NOT_RUN,)


def assert_features_equal(a: ProbeRecorder, b: ProbeRecorder, frames=slice(None)):
    mine, theirs = a.features(1), b.features(1)
    # On AMD's processors the last bit of one in hundreds differs.
    assert_same_sums(mine.values[:, frames], theirs.values[:, frames], rtol=5e-7)
    assert not mine.stale[frames].any()
    assert np.isfinite(theirs.values[:, -1]).all()


class TestReferences:
    @pytest.fixture
    def recorders(self):
        recorders = [ProbeRecorder(T), ProbeRecorder(T)]
        yield recorders
        for recorder in recorders:
            recorder.close()

    @pytest.mark.slow
    @pytest.mark.parametrize("gate", ["open", "changing"])
    @pytest.mark.parametrize("spill", [False, True])
    def test_a_pass_from_the_middle_equals_one_from_the_start(self, gate, spill, recorders, session_of, source):
        whole = session_of(source, recorders[0], gate=gate)
        whole.add_prompt(mask())
        expected = tracked(whole)
        budget = {"output_budget": 1, "feature_budget": 1} if spill else {}
        parts = session_of(source, recorders[1], gate=gate, **budget)
        parts.add_prompt(mask())
        assert_same(tracked(parts, end=5) | tracked(parts, start=6), expected)
        assert_features_equal(*recorders)
        # Once more over frames that are there already.
        assert_same(tracked(parts, start=4), {t: expected[t] for t in range(4, T)})
        assert_features_equal(*recorders)

    def test_a_sweep_after_a_backward_pass_equals_numbers_in_time_order(self, recorders, session_of, source):
        session = session_of(source, recorders[0])
        session.add_prompt(mask(5))
        backward = tracked(session, "backward")
        series = recorders[0].features(1)
        assert series.stale[:6].all()
        assert list(session.sweep()) == [1, 2, 3, 4, 5, 6]
        assert not recorders[0].features(1).stale.any()
        assert np.isfinite(recorders[0].features(1).values[:, 2:6, 0]).all()
        # What was shown again was neither recorded again nor taken for a result.
        assert sorted(r.frame_idx for r in recorders[0].take()) == [0, 1, 2, 3, 4, 5]
        assert_same({t: session.result(t).mask_logits for t in backward}, backward)

    def test_a_sweep_stops_where_memory_was_replaced(self, recorders, session_of, source):
        session = session_of(source, recorders[0])
        session.add_prompt(mask(5))
        tracked(session, "backward")
        tracked(session, start=2)
        before = recorders[0].features(1).values.copy()
        assert recorders[0].features(1).stale[:2].all()
        assert list(session.sweep()) == []
        series = recorders[0].features(1)
        assert series.stale[:2].all()
        np.testing.assert_array_equal(series.values, before)
        tracked(session, start=0)
        assert not recorders[0].features(1).stale.any()

    def test_a_sweep_knows_frames_whose_output_is_gone(self, recorders, session_of, source):
        """Cleared memory leaves a gap: what looks at it is not known, rather than wrong."""
        session = session_of(source, recorders[0], flags={"clear_non_cond_mem_around_input": True})
        session.add_prompt(mask(0))
        tracked(session)
        session.add_prompt(Prompt.from_points(7, 1, [[60, 50]], [1]))
        next(session.propagate(start=7))
        before = recorders[0].features(1).values.copy()
        list(session.sweep())
        series = recorders[0].features(1)
        known = np.isfinite(series.values)
        np.testing.assert_array_equal(series.values[known], before[known])
        assert series.stale[7]

    def test_recording_without_backward_passes_needs_no_sweep(self, recorders, session_of, source):
        session = session_of(source, recorders[0])
        session.add_prompt(mask())
        tracked(session)
        assert not recorders[0].features(1).stale.any()


class TestUnblanked:
    """Position 5u: the memory of the mask as it was before SAM 2 blanked it."""

    @pytest.fixture
    def runs(self, session_of, source):
        runs = {}
        for unblanked in (False, True):
            recorder = ProbeRecorder(T, unblanked=unblanked)
            session = session_of(source, recorder, gate="changing", observe_unblanked=unblanked)
            session.add_prompt(mask())
            results = {r.frame_idx: r for r in session.propagate()}
            runs[unblanked] = (results, {r.frame_idx: r for r in recorder.take()}, recorder.features(1))
            recorder.close()
        return runs

    def test_equal_to_5r_where_the_object_is_believed_there_and_only_there(self, runs):
        results, records, series = runs[True]
        scores = {t: float(r.object_scores[0]) for t, r in results.items()}
        assert min(scores.values()) < 0 < max(scores.values())
        for t, record in records.items():
            unblanked, raw = record.maps["memory_features_unblanked"], record.maps["memory_features_raw"]
            assert np.array_equal(unblanked, raw) == (scores[t] > 0), t
            assert np.isfinite(unblanked).all()
        assert series.keys[-1] == "memory_features_unblanked"

    def test_never_fed_back(self, runs):
        (plain, records, series), (results, unblanked_records, unblanked_series) = runs[False], runs[True]
        assert_same({t: r.mask_logits for t, r in results.items()}, {t: r.mask_logits for t, r in plain.items()})
        for t, record in records.items():
            assert "memory_features_unblanked" not in record.maps
            for key, maps in record.maps.items():
                np.testing.assert_array_equal(maps, unblanked_records[t].maps[key])
        np.testing.assert_array_equal(series.values, unblanked_series.values[:-1])

    def test_a_prompted_frame_that_was_blanked_has_none(self, session_of, short_source):
        recorder = ProbeRecorder(4, object_present={1: np.ones(4, bool)}, unblanked=True)
        session = session_of(short_source, recorder, gate="closed", observe_unblanked=True)
        session.add_prompt(box())
        tracked(session)
        records = recorder.take()
        assert "memory_features_unblanked" not in records[0].maps
        assert all("memory_features_unblanked" in r.maps for r in records[1:])
        short = recorder.features(1).values[-1, :, 0]
        np.testing.assert_array_equal(np.isnan(short), [True, True, False, False])
        recorder.close()
