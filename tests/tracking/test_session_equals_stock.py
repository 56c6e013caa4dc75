"""A session gives the numbers of the stock predictor, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.scenarios import SCENARIOS, assert_equal, moving_video, run_session, run_stock, write_video
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.folder import FolderSource

# The stock predictor says at every frame that its extension for filling holes was not compiled.
pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


class NullObserver:
    """Looks and does nothing."""

    def observe(self, at, key, tensor): ...
    def pass_copied(self, source, target): ...
    def frame_committed(self, at, object_score, *, reverse): ...
    def required_references(self, obj_id, start):
        return ()

    def reference_replayed(self, at): ...
    def removed(self, obj_id): ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(6))


EVERY_GATE = ("mask", "box", "two objects", "correction by clicks", "both directions")
CASES = [(name, "open") for name in SCENARIOS] + [(name, g) for name in EVERY_GATE for g in ("closed", "changing")]


@pytest.mark.parametrize(("scenario", "gate"), CASES)
def test_equal(scenario, gate, folder, twins):
    steps = SCENARIOS[scenario]
    stock, ours, flags = twins(gate=gate)
    expected = run_stock(stock, folder, steps)
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags), observer=NullObserver()) as session:
        assert_equal(run_session(session, steps), expected)
    scores = np.array(list(expected.scores.values()))
    if gate == "open":
        assert (scores > 0).all()
    if gate == "closed" and "mask" not in {what for what, _ in steps}:
        assert (scores < 0).all()


def test_the_changing_gate_changes(folder, twins):
    stock, _, _ = twins(gate="changing")
    scores = np.array(list(run_stock(stock, folder, SCENARIOS["box"]).scores.values()))
    assert (scores > 0).any()
    assert (scores < 0).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        {"apply_postprocessing": False},
        {"add_all_frames_to_correct_as_cond": False},
        {"clear_non_cond_mem_around_input": True},
        {"non_overlap_masks": True},
    ],
    ids=lambda f: next(iter(f)),
)
@pytest.mark.parametrize("scenario", ["two objects", "correction by clicks", "both directions"])
def test_equal_with_other_flags(flags, scenario, folder, twins):
    stock, ours, predictor_flags = twins(gate="open", **flags)
    expected = run_stock(stock, folder, SCENARIOS[scenario])
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=predictor_flags)) as session:
        assert_equal(run_session(session, SCENARIOS[scenario]), expected)


def test_an_array_gives_the_same_as_a_folder(folder, twins):
    _, ours, flags = twins(gate="changing")
    steps = SCENARIOS["two objects"]
    source = FolderSource(folder)
    with VideoSession(ours, source, SessionOptions(flags=flags)) as session:
        from_folder = run_session(session, steps)
    frames = np.stack([source.read(t) for t in range(source.num_frames)])
    with VideoSession(ours, ArraySource(frames), SessionOptions(flags=flags)) as session:
        assert_equal(run_session(session, steps), from_folder)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["both directions", "correction while going back", "object added after tracking"])
def test_spilling_changes_nothing(scenario, folder, twins):
    _, ours, flags = twins(gate="open")
    steps = SCENARIOS[scenario]
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        expected = run_session(session, steps)
    options = SessionOptions(flags=flags, output_budget=1, feature_budget=1)
    with VideoSession(ours, FolderSource(folder), options) as session:
        assert_equal(run_session(session, steps), expected)


def test_frames_before_an_objects_first_prompt_are_tracked(folder, twins):
    """Where the stock predictor fails in float32, for want of pointers."""
    stock, ours, flags = twins(gate="open")
    steps = [
        ("mask", {"frame": 0, "obj": 1}),
        ("points", {"frame": 2, "obj": 2, "box": [90, 10, 140, 60]}),
        ("track", {}),
    ]
    with pytest.raises(RuntimeError, match="same dtype"):
        run_stock(stock, folder, steps)
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        outcome = run_session(session, steps)
    assert (2, 1) in outcome.scores


def test_a_correction_takes_effect(folder, twins):
    """The stock default throws a correction away when tracking goes on; ours keeps it."""
    _, ours, flags = twins(gate="open")
    steps = SCENARIOS["correction by clicks"]
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags)) as session:
        run_session(session, steps[:2])
        before = {r.frame_idx: r.mask_logits for r in session.propagate()}
        run_session(session, steps[2:3])
        corrected = session.result(4).mask_logits
        after = {r.frame_idx: r.mask_logits for r in session.propagate()}
    assert torch.equal(after[4], corrected)
    assert not torch.equal(after[5], before[5])
