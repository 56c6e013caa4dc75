"""Patches between clip and twin, and frames tracked under other edits, against runs that were recorded under them."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.run_checks import T
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.causes.pairs import TWIN, WHOLE_TENSORS, Pair, match_frames, measures
from napari_sam2_probe.causes.patches import patch_effects, recovered_fraction
from napari_sam2_probe.causes.suffix import suffix_effects
from napari_sam2_probe.causes.tables import LEAST_DIFFERENCE, PATCH_COLUMNS, SUFFIX_COLUMNS, SUFFIX_EDITS
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.truth import ClipTruth

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread"),
]

KEYS = {
    "1": "image_embedding",
    "2": "memory_attention",
    "3": "prompt_attention",
    "4": "object_pointer",
    "5": "memory_features",
}


@pytest.fixture(scope="module")
def record(tmp_path_factory, loaded, folder):
    root = tmp_path_factory.mktemp("patched")
    other = write_video(root / "other-video", moving_video(T, seed=1))

    def make(name, *edits, of=folder):
        prompt = Prompt.from_mask(0, 1, square_mask(0))
        return record_run(FolderSource(of), [prompt], root / name, loaded, RunOptions(intervene=edits))

    make.other = other
    return make


@pytest.fixture(scope="module")
def runs(record, one_thread_in_module):
    return record("clip"), record("twin", of=record.other)


@pytest.fixture
def pair(runs, loaded):
    with remake(runs[0], loaded) as clip, remake(runs[1], loaded, keys=WHOLE_TENSORS) as twin:
        clip.finish()
        twin.finish()
        yield Pair(clip, twin, 1, list(range(T)))


def test_a_patch_does_what_it_does_in_a_run(pair, runs, record, monkeypatch):
    # The two videos hardly differ in what the seeded model makes of them.
    monkeypatch.setitem(LEAST_DIFFERENCE, "object_score", 1e-6)
    rows = [row for row in patch_effects(pair, [3]) if row["measure"] == "object_score"]
    assert [row["position"] for row in rows] == [*KEYS]
    assert set(rows[0]) == set(PATCH_COLUMNS)
    clip, twin = (run.object_scores[0] for run in runs)
    for row in rows:
        measured = 3 if row["position"] in "123" else 4
        patch = {"edit": "patch", "target": KEYS[row["position"]], "from": str(runs[1].path), "at": [3, 3]}
        patched = record(f"patch-{row['position']}", patch).object_scores[0]
        assert row["measured_frame"] == measured
        assert (row["clip_value"], row["twin_value"]) == (clip[measured], twin[measured])
        assert row["patched_value"] == patched[measured]
        expected = (patched[measured] - clip[measured]) / (twin[measured] - clip[measured])
        assert row["recovered"] == pytest.approx(expected, rel=1e-5, abs=1e-9)
    by_position = {row["position"]: row["recovered"] for row in rows}
    assert by_position["3"] == 0, "the object score is made from tokens, not from the image side"
    assert by_position["1"] != 0


def test_what_hardly_differs_is_not_patched(runs, loaded):
    """A clip is not patched from itself: each of its frames is only measured, once on each side."""
    with remake(runs[0], loaded) as clip, remake(runs[0], loaded, keys=WHOLE_TENSORS) as twin:
        clip.finish()
        twin.finish()
        steps = []
        track_step = loaded.model.track_step
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loaded.model, "track_step", lambda **inputs: steps.append(1) or track_step(**inputs))
            rows = patch_effects(Pair(clip, twin, 1, list(range(T))))
    assert len(steps) == 2 * (T - 1)
    assert all(np.isnan(row["recovered"]) and np.isnan(row["patched_value"]) for row in rows)
    assert {row["position"] for row in rows} == set(KEYS)


def test_nothing_recovered_is_claimed_where_there_is_nothing_to_recover():
    assert recovered_fraction(0.2, 0.8, 0.5, "J") == pytest.approx(0.5)
    assert recovered_fraction(-5.0, 5.0, 7.5, "object_score") == pytest.approx(1.25)
    assert np.isnan(recovered_fraction(0.50, 0.54, 0.9, "J"))
    assert np.isnan(recovered_fraction(0.0, 0.9, 0.5, "object_score"))
    assert np.isnan(recovered_fraction(float("nan"), 0.9, 0.5, "J"))


def test_frames_belong_together_by_their_source():
    def truth(sources):
        names, frames = zip(*sources, strict=True)
        here = np.ones(len(frames), bool)
        return ClipTruth("clip", here, here, np.zeros(len(frames)), tuple(names), np.array(frames))

    twin = truth([("a", t) for t in range(10, 18)])
    clip = truth([*[("a", t) for t in range(10, 14)], ("b", 12), ("b", 13), ("a", 14), ("a", 15)])
    assert match_frames(clip, twin) == [0, 1, 2, 3, 4, 5, 4, 5]
    assert match_frames(twin, twin) == list(range(8))


def test_j_is_measured_only_where_an_object_is(pair):
    frame = pair.clip.session.repeat(3, 1)
    assert np.isnan(measures(frame, None)["J"])
    assert np.isnan(measures(frame, np.zeros_like(frame.mask))["J"])
    assert measures(frame, frame.mask)["J"] == 1


def test_frames_under_other_edits_are_those_of_a_run_under_them(pair, runs, record):
    drop = {"edit": "drop", "target": "both", "entries": {"role": "recent"}, "at": [3, 4]}
    stored = {"edit": "noise", "target": "memory", "at": [4, 4], "stored": True, "scale": 0.5}
    edited = record("edited", drop, stored)
    session = pair.clip.session
    found = dict(session.what_if(range(3, T), 1, parse_edits([drop, stored])))
    assert list(found) == [3, 4, 5]
    for t, frame in found.items():
        assert frame.object_score == edited.object_scores[0, t]
        np.testing.assert_array_equal(frame.mask, edited.masks_per_object[0, t])
        np.testing.assert_array_equal(frame.pointer, edited.object_pointers_raw[0, t])
    assert (edited.object_scores[0, 3:] != runs[0].object_scores[0, 3:]).all()
    # The session stays what it was, and without edits all comes out as it was.
    for t, frame in session.what_if(range(1, T), 1):
        assert frame.object_score == runs[0].object_scores[0, t]
        assert float(session.stored_output(t, 1).object_score_logits) == runs[0].object_scores[0, t]


def test_edits_of_the_suffix(pair, runs, record):
    truth = square_mask(4)
    known = Pair(pair.clip, pair.twin, 1, pair.match, lambda t: truth if t == 4 else None)
    rows = suffix_effects(known, range(2, 4))
    assert set(rows[0]) == set(SUFFIX_COLUMNS)
    assert [(row["edit"], row["frame"]) for row in rows] == [(name, t) for name in SUFFIX_EDITS for t in (4, 5)]
    assert all(np.isfinite(row["J"]) == (row["frame"] == 4) for row in rows)
    by_edit = {(row["edit"], row["frame"]): row for row in rows}
    of_change = {"entries": {"frames": [2, 3]}, "at": [4, 5]}
    swapped = record("swapped", {"edit": "swap", "target": "both", "from": str(runs[1].path), **of_change})
    dropped = record("dropped", {"edit": "drop", "target": "both", **of_change})
    for t in (4, 5):
        assert by_edit["the twin's instead of the change", t]["object_score"] == swapped.object_scores[0, t]
        assert by_edit["nothing of the change", t]["object_score"] == dropped.object_scores[0, t]
        assert by_edit["no pointers", t]["unedited_object_score"] == runs[0].object_scores[0, t]


def test_a_twins_frame_is_taken_from_where_it_belongs(pair, runs):
    """What a patch of frame 4 puts in is the tensor of the twin's frame that belongs to it."""
    moved = Pair(pair.clip, pair.twin, 1, [0, 1, 2, 3, 2, 3])
    [edit] = parse_edits([{"edit": "patch", "target": "memory_attention", "from": TWIN}])
    after = pair.clip.session.repeat(4, 1, [edit], moved.donors())
    again = pair.twin.session.repeat(2, 1)
    # The high-resolution features are the clip's own, so only the score can be the twin's.
    assert after.object_score == again.object_score
