"""Memory policies: what they choose, and that the stock one changes nothing."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from helpers.scenarios import SCENARIOS, assert_equal, moving_video, run_session, run_stock, square_mask, write_video
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking import policies
from napari_sam2_probe.tracking.bank import BankEntry, BankRule, Reading
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.policies import (
    Confident,
    Random,
    Stock,
    StoredBank,
    Stride,
    checked_choice,
    make_policy,
    policy_names,
    register_policy,
)
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

TRACK = [("mask", {"frame": 0, "obj": 1}), ("track", {})]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(9))


def outcome(twins, folder, policy, steps=TRACK, banks=None, **flags):
    _, ours, predictor_flags = twins(gate="open", **flags)
    options = SessionOptions(flags=predictor_flags, policy=policy)
    with VideoSession(ours, FolderSource(folder), options) as session:
        result = run_session(session, steps)
        if banks is not None:
            banks.extend(session.bank(t, 1) for t in range(9))
    return result


@pytest.mark.parametrize("scenario", ["two objects", "both directions"])
def test_stock_changes_nothing(scenario, folder, twins):
    steps = SCENARIOS[scenario]
    assert_equal(outcome(twins, folder, Stock(), steps), outcome(twins, folder, None, steps))


def test_stride_is_the_stride_of_sam2(folder, twins, monkeypatch):
    stock, _, _ = twins(gate="open")
    monkeypatch.setattr(stock, "memory_temporal_stride_for_eval", 3)
    expected = run_stock(stock, folder, TRACK)
    strided = outcome(twins, folder, Stride(r=3))
    assert_equal(strided, expected)
    plain = outcome(twins, folder, None)
    assert not np.array_equal(strided.mask_logits[-1][1], plain.mask_logits[-1][1])


def stored(frame_idx, tracked, scores=None, reverse=False, conditioning=(0,)):
    reading = Reading(frame_idx, 40, reverse)
    return StoredBank(BankRule(7), reading, conditioning, tuple(tracked), lambda t: (scores or {}).get(t, (5.0, 0.9)))


def frames(entries, kind, role="recent"):
    return [e.frame for e in entries if (e.kind, e.role) == (kind, role)]


def test_confident_goes_back_to_frames_that_were_sure():
    scores = {19: (-1.0, 0.9), 17: (5.0, 0.3), 15: (5.0, 0.5), 14: (0.0, 0.9), 13: (5.0, float("nan"))}
    chosen = list(Confident().choose(stored(20, range(1, 20), scores), 20))
    assert frames(chosen, "memory") == [9, 10, 11, 12, 13, 16, 18][1:]
    assert [e.temporal_position for e in chosen if e.kind == "memory"] == [0, 1, 2, 3, 4, 5, 6]
    assert frames(chosen, "pointer") == [18, 16, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert frames(chosen, "memory", "conditioning") == frames(chosen, "pointer", "conditioning") == [0]
    strict = list(Confident(score=10).choose(stored(20, range(1, 20)), 20))
    assert {e.role for e in strict} == {"conditioning"}


def test_confident_without_thresholds_is_stock():
    for reverse in (False, True):
        bank = stored(20, range(1, 40), reverse=reverse)
        always = Confident(score=-np.inf, iou=-np.inf)
        assert tuple(always.choose(bank, 20)) == bank.stock.entries


def test_random_is_a_draw_of_the_past_that_can_be_repeated():
    draws = [tuple(Random(seed=3).choose(stored(20, range(1, 40)), 20)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != tuple(Random(seed=4).choose(stored(20, range(1, 40)), 20))
    memories = frames(draws[0], "memory")
    assert len(set(memories)) == 6
    assert memories == sorted(memories)
    assert set(memories) | set(frames(draws[0], "pointer")) <= set(range(1, 20))
    assert len(tuple(Random().choose(stored(2, [1]), 2))) == 4


def test_a_policy_is_followed_and_recorded_and_replayed(folder, twins):
    class Seen:
        def __init__(self):
            self.tensors = {}

        def observe(self, at, key, tensor):
            self.tensors.setdefault((at.frame_idx, key), []).append(tensor)

        def frame_committed(self, *_, **__): ...
        def pass_copied(self, *_): ...
        def required_references(self, *_):
            return ()

    class Latest:
        def choose(self, bank, frame):
            return bank.entries(memories=bank.past[:1], pointers=())

    _, ours, flags = twins(gate="open")
    seen = Seen()
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags, policy=Latest()), seen) as session:
        result = run_session(session, TRACK)
        assert [e.frame for e in session.bank(8, 1).entries] == [0, 7, 0]
        list(session.sweep())
    for (t, key), shown in seen.tensors.items():
        if t > 0:
            assert len(shown) == 2, (t, key)
            assert (shown[0] == shown[1]).all(), (t, key)
    assert not np.array_equal(result.mask_logits[-1][1], outcome(twins, folder, None).mask_logits[-1][1])


def test_choices_that_cant_be_read():
    class Fixed:
        def __init__(self, *entries):
            self.chosen = entries

        def choose(self, bank, frame):
            return self.chosen

    bank = stored(20, range(1, 20))
    with pytest.raises(InputError, match="Fixed lets frame 20 read frame 25, of which nothing is stored"):
        checked_choice(Fixed(BankEntry("memory", 25, "recent", 6, 5)), bank)
    with pytest.raises(InputError, match="temporal position 7: the model has positions 0 to 6"):
        checked_choice(Fixed(BankEntry("memory", 5, "recent", 7, 5)), bank)
    pointer, memory = BankEntry("pointer", 5, "recent", 1, 1), BankEntry("memory", 5, "recent", 6, 1)
    assert checked_choice(Fixed(pointer, memory), bank).entries == (memory, pointer)
    with pytest.raises(InputError, match="can read 6 memories"):
        bank.entries(memories=range(1, 8))


def test_names(monkeypatch):
    assert make_policy("stock") == Stock()
    assert make_policy("stride:r=3") == Stride(3)
    assert make_policy("confident:score=-1.5,iou=0.25") == Confident(-1.5, 0.25)
    monkeypatch.setattr(policies, "_POLICIES", dict(policies._POLICIES))
    register_policy("mine", Stride)
    register_policy("mine", Stride)
    assert make_policy("mine:r=2") == Stride(2)
    with pytest.raises(InputError, match="There is a memory policy 'mine' already"):
        register_policy("mine", Random)
    with pytest.raises(InputError, match="can't be called 'a:b'"):
        register_policy("a:b", Random)


def test_a_policy_of_another_package(monkeypatch):
    point = EntryPoint("theirs", "napari_sam2_probe.tracking.policies:Random", policies.ENTRY_POINTS)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] if group == point.group else [])
    assert make_policy("theirs:seed=5") == Random(5)
    assert policy_names() == [
        "confident",
        "distractor-aware",
        "oracle",
        "random",
        "samurai",
        "stock",
        "stride",
        "theirs",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nosuch",
            "There is no memory policy 'nosuch': choose one of confident, distractor-aware, oracle, random, ",
        ),
        ("stride:step=3", "its settings are: r."),
        ("stride:3", "is not written as NAME:setting=value"),
        ("stride:r=0", "can't go in steps of 0"),
        ("stride:r=x", "r='x' is not a number"),
        ("confident:iou=.5.", "iou='.5.' is not a number"),
        ("confident:score=NaN", "can't be made: score="),
        ("samurai:motion=true", "motion=True is not a number"),
        ("random:seed=-1", "can't have seed=-1"),
        ("random:seed=0.5", "can't have seed=0.5"),
    ],
)
def test_mistakes(text, said):
    with pytest.raises(InputError) as caught:
        make_policy(text)
    assert said in str(caught.value)


def test_a_batch_refuses(folder, twins):
    _, ours, flags = twins(gate="open")
    with pytest.raises(InputError, match="track clip by clip to use a memory policy"):
        BatchTracker(ours, [FolderSource(folder)], [square_mask(0)], SessionOptions(flags=flags, policy=Stride()))
