"""The policies of SAMURAI and DAM4SAM and the oracle, against the rules read again in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from scipy import ndimage

from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.bank import BankRule, Reading, stock_bank
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.memory_view import MemoryView
from napari_sam2_probe.tracking.oracle import OracleOfVideo
from napari_sam2_probe.tracking.policies import StoredBank, make_policy
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.seen_masks import SeenMasks
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.true_masks import ArrayMasks
from napari_sam2_probe.video.video import Video

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

NUM_FRAMES = 9
LENGTH = 45
FRAMES = (2, 3, 7, 16, 21, 26, 33, 38, 44)


def made_masks(seed, length=LENGTH, size=48):
    """An object that moves, grows, jumps and vanishes, and candidates that also cover something else, or less."""
    rng = np.random.default_rng(seed)
    x, y, w, h = 8.0, 10.0, 10.0, 8.0
    record = {}
    for t in range(1, length):
        x, y = np.clip([x + rng.normal(0.4, 0.5), y + rng.normal(0.2, 0.5)], 1, size - 15)
        if rng.random() < 0.06:
            x, y = rng.uniform(1, size - 15, 2)
        w, h = np.clip([w + rng.normal(0, 0.4), h + rng.normal(0, 0.4)], 4, 14)
        own = np.zeros((size, size), bool)
        if rng.random() > 0.12:
            own[int(y) : int(y + h), int(x) : int(x + w)] = True
        candidates = np.stack([own] * 3)
        for other in candidates[1:]:
            for _ in range(rng.integers(0, 3)):
                at, reach = rng.integers(0, size - 6, 2), rng.integers(1, 6, 2)
                other[at[0] : at[0] + reach[0], at[1] : at[1] + reach[1]] = True
        order = rng.permutation(3)
        ious = rng.uniform(0.2, 0.75, 3)
        taken = int(np.flatnonzero(order == 0)[0])
        ious[taken] = rng.uniform(0.76, 1.0) if rng.random() < 0.8 else 0.76
        if rng.random() < 0.1:
            ious *= 0.35
        record[t] = (candidates[order], ious, taken, rng.normal(4, 4))
    return record


def bank_of(record, frame, reverse=False, conditioning=(0,)):
    def masks(t):
        return SeenMasks.of(record[t][0], record[t][2])

    def scores(t):
        return record[t][3], float(record[t][1].max())

    tracked = tuple(t for t in sorted(record) if (t > frame if reverse else t < frame) and t not in conditioning)
    return StoredBank(BankRule(7), Reading(frame, 200, reverse), conditioning, tracked, scores, masks)


def read(entries, kind, role):
    return [e.frame for e in entries if (e.kind, e.role) == (kind, role)]


def samurai_by_the_book(record, frame, iou_floor=0.5, believed_after=15, steady_iou=0.3):
    """The memories that section 4 of SAMURAI and its code select, as ``sam2_base.py`` and ``kalman_filter.py`` do."""

    def xyah(mask):
        if not mask.any():
            box = np.zeros(4)
        else:
            rows, columns = np.nonzero(mask)
            box = np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)
        w, h = box[2] - box[0], box[3] - box[1]
        h = h if h != 0 else 1
        return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, w / h, h]), box

    move = np.block([[np.eye(4), np.eye(4)], [np.zeros((4, 4)), np.eye(4)]])
    see = np.hstack([np.eye(4), np.zeros((4, 4))])
    motion = {}
    mean = cov = None
    stable = 0
    for t in range(1, frame):
        masks, ious, taken, _ = record[t]
        z, box = xyah(masks[taken])
        if mean is None or stable == 0:
            mean = np.r_[z, np.zeros(4)]
            std = np.array([z[3] / 10, z[3] / 10, 0.01, z[3] / 10, z[3] / 16, z[3] / 16, 1e-5, z[3] / 16])
            cov = np.diag(std**2)
            stable = 1
            continue
        h = mean[3]
        std = np.array([h / 20, h / 20, 0.01, h / 20, h / 160, h / 160, 1e-5, h / 160])
        mean, cov = move @ mean, move @ cov @ move.T + np.diag(std**2)
        believed = stable >= believed_after
        if believed:
            cx, cy, a, hh = mean[:4]
            p = np.array([cx - a * hh / 2, cy - hh / 2, cx + a * hh / 2, cy + hh / 2])
            inter = np.prod(np.maximum(0, np.minimum(p[2:], box[2:]) - np.maximum(p[:2], box[:2])))
            total = np.prod(p[2:] - p[:2]) + np.prod(box[2:] - box[:2]) - inter
            motion[t] = 0.0 if not box.any() else inter / total
        if (ious.max() < steady_iou) if believed else not (ious.max() > steady_iou):
            stable = 0
            continue
        h = mean[3]
        innovation = see @ cov @ see.T + np.diag(np.array([h / 20, h / 20, 0.1, h / 20]) ** 2)
        gain = scipy.linalg.cho_solve(scipy.linalg.cho_factor(innovation), see @ cov).T
        mean = mean + gain @ (z - see @ mean)
        cov = cov - gain @ innovation @ gain.T
        if not believed:
            stable += 1
    valid = []
    for i in range(frame - 1, 0, -1):
        masks, ious, _, score = record[i]
        if ious.max() > iou_floor and score > 0 and (i not in motion or motion[i] > 0):
            valid.insert(0, i)
        if len(valid) >= 15:
            break
    if frame - 1 not in valid:
        valid.append(frame - 1)
    return valid[-6:], motion


@pytest.mark.parametrize("seed", range(6))
def test_samurai(seed):
    record = made_masks(seed)
    for frame in FRAMES:
        bank = bank_of(record, frame)
        chosen = list(make_policy("samurai").choose(bank, frame))
        expected, _ = samurai_by_the_book(record, frame)
        assert read(chosen, "memory", "recent") == expected
        assert [e.temporal_position for e in chosen if e.kind == "memory"][1:] == list(range(7 - len(expected), 7))
        assert [e for e in chosen if e.kind == "pointer"] == list(bank.stock.pointers)


def test_motion_leaves_out_frames_that_the_other_scores_would_let_in():
    differ = []
    for seed in range(6):
        bank = bank_of(made_masks(seed), 40)
        sighted, blind = (list(make_policy(text).choose(bank, 40)) for text in ("samurai", "samurai:motion=-1"))
        differ.append(sighted != blind)
    assert any(differ)
    assert not all(differ)


def test_samurai_goes_backward_as_it_goes_forward():
    record = made_masks(3)
    mirrored = {LENGTH - t: value for t, value in record.items()}
    for frame in (5, 20, 40):
        there = list(make_policy("samurai").choose(bank_of(record, frame), frame))
        back = bank_of(mirrored, LENGTH - frame, reverse=True, conditioning=(LENGTH,))
        here = list(make_policy("samurai").choose(back, LENGTH - frame))
        assert [LENGTH - t for t in read(here, "memory", "recent")] == read(there, "memory", "recent")


def largest_outside(mask, own):
    labels, count = ndimage.label(mask & ~own, ndimage.generate_binary_structure(2, 2))
    return max((labels == c for c in range(1, count + 1)), key=np.count_nonzero, default=None)


def lowest_overlap(masks, taken):
    """The box around the mask against the box around it and the largest part of each other candidate outside of it."""
    overlaps = [1.0]
    for k in range(3):
        part = None if k == taken else largest_outside(masks[k], masks[taken])
        if part is not None:
            extent = [np.ptp(np.nonzero(x)[axis]) + 1 for x in (masks[taken], part | masks[taken]) for axis in (0, 1)]
            overlaps.append(extent[0] * extent[1] / (extent[2] * extent[3]))
    return min(overlaps)


def dam_by_the_book(record, frame):
    """What DAM4SAM reads: ``dam4sam_tracker.py`` up to the frame before, then ``sam2_base.py``."""
    sizes, last_added, drm = [], -1, []
    for t in range(1, frame):
        masks, ious, taken, _ = record[t]
        n = int(masks[taken].sum())
        sizes.append(n)
        ratio = -1.0
        if len(sizes) > 1 and n >= 1:
            ratio = n / np.median([s for s in sizes[-300:] if s >= 1][-10:])
        sure = ious.max() > 0.8 and 0.8 <= ratio <= 1.2 and (t - last_added > 5 or last_added == -1)
        if sure and lowest_overlap(masks, taken) <= 0.7:
            last_added = t
            drm.append(t)
    selected = sorted((t for t in drm if t < frame - 1), reverse=True)[:3]
    non_cond = {t for t in range(1, frame) if t not in drm}
    seen = {t for t in range(1, frame) if record[t][0][record[t][2]].any()}
    ram = [frame - 1] if frame - 1 in seen else [t for t in range(frame - 2, 0, -1) if t in non_cond & seen][:1]
    while len(ram) < 6 - len(selected) and ram:
        prev = (ram[-1] - 1) // 5 * 5
        while prev > 0 and prev not in non_cond & seen:
            prev -= 5
        if prev <= 0:
            break
        ram.append(prev)
    pointers = [t for t in range(frame - 1, max(frame - 16, 0), -1) if t in seen and t not in selected]
    return sorted(selected), sorted(ram), pointers


@pytest.mark.parametrize("seed", range(6))
def test_distractor_aware(seed):
    record = made_masks(seed)
    most = 0
    for frame in FRAMES:
        chosen = list(make_policy("distractor-aware").choose(bank_of(record, frame), frame))
        drm, ram, pointers = dam_by_the_book(record, frame)
        assert sorted(read(chosen, "memory", "conditioning")) == [0, *drm]
        assert sorted(read(chosen, "pointer", "conditioning")) == [0, *drm]
        assert read(chosen, "memory", "recent") == ram
        assert read(chosen, "pointer", "recent") == pointers
        newest_last = [e.temporal_position for e in chosen if (e.kind, e.role) == ("memory", "recent")]
        assert newest_last == list(range(7 - len(ram), 7))
        assert all(e.temporal_position == 0 for e in chosen if (e.kind, e.role) == ("memory", "conditioning"))
        most = max(most, len(drm))
    assert most > 0


def test_masks_are_kept_to_the_bit():
    masks = np.random.default_rng(0).random((3, 21, 13)) > 0.5
    seen = SeenMasks.of(masks, 1)
    np.testing.assert_array_equal(seen.all(), masks)
    np.testing.assert_array_equal(seen.mask, masks[1])
    np.testing.assert_array_equal(seen.taking(2).mask, masks[2])
    assert seen.area == masks[1].sum()
    assert len(seen.others()) == 2


@pytest.fixture(scope="module")
def video():
    truth = np.stack([square_mask(t) for t in range(NUM_FRAMES)]).astype(np.uint8)
    frames = ArraySource(moving_video(NUM_FRAMES), name="moving")
    return Video(frames, ArrayMasks(truth, frames))


class Recorder:
    """A policy that notes the banks it was shown, and chooses as another one."""

    looks_at_masks = True

    def __init__(self, policy):
        self.policy = policy
        self.banks = {}

    def choose(self, bank, frame):
        chosen = tuple(self.policy.choose(bank, frame))
        self.banks[frame] = (bank, chosen)
        return chosen


@pytest.mark.parametrize("name", ["samurai", "distractor-aware"])
def test_the_rules_on_recorded_banks(name, video, twins):
    _, ours, flags = twins(gate="changing")
    recorder = Recorder(make_policy(name))
    with VideoSession(ours, video, SessionOptions(flags=flags, policy=recorder)) as session:
        session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
        results = list(session.propagate())
        assert [session.bank(t, 1).entries for t in recorder.banks] == [c for _, c in recorder.banks.values()]
        record = {}
        for t in range(1, NUM_FRAMES):
            output = session.stored_output(t, 1)
            np.testing.assert_array_equal(output.seen.mask, output.pred_masks[0, 0] > 0)
            ious = np.full(output.seen.shape[0], output.predicted_iou)
            record[t] = (output.seen.all(), ious, output.seen.taken, float(output.object_score_logits))
    assert len(results) == NUM_FRAMES
    for frame, (_, chosen) in recorder.banks.items():
        if frame == 1:
            assert {e.role for e in chosen} == {"conditioning"}
        elif name == "samurai":
            assert read(chosen, "memory", "recent") == samurai_by_the_book(record, frame)[0]
        else:
            drm, ram, pointers = dam_by_the_book(record, frame)
            assert sorted(read(chosen, "memory", "conditioning")) == [0, *drm]
            assert (read(chosen, "memory", "recent"), read(chosen, "pointer", "recent")) == (ram, pointers)


def iou(a, b):
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def test_the_oracle_is_never_below_stock_on_the_frames_it_chose_by(video, twins):
    _, ours, flags = twins(gate="open")
    better = 0
    with VideoSession(ours, video, SessionOptions(flags=flags, policy=make_policy("oracle:pool=4"))) as session:
        session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
        masks = {result.frame_idx: result.masks()[0] for result in session.propagate()}
        obj, engine = session._objects[1], session._engine
        for t in range(1, NUM_FRAMES):
            reading = Reading(t, NUM_FRAMES, False)
            stock = stock_bank(BankRule.of(ours), reading, obj.conditioning, obj.tracked.__contains__)
            with engine.running():
                view = MemoryView(obj, engine.maskmem_pos_enc, repeat=stock)
                out = engine.repeated(t, view, reverse=False)
                by_stock = (engine.at_video_size(out["pred_masks"])[0, 0] > 0).numpy()
            truth = square_mask(t)
            assert iou(masks[t], truth) >= iou(by_stock, truth)
            if session.bank(t, 1) == stock:
                np.testing.assert_array_equal(masks[t], by_stock)
            better += iou(masks[t], truth) > iou(by_stock, truth)
    assert better > 0


@pytest.mark.parametrize("seed", range(8))
def test_the_oracle_is_greedy(seed):
    """On made-up worths of sets of frames, the set that plain greedy search finds, or the stock one if it is better."""
    rng = np.random.default_rng(seed)
    worth = rng.uniform(-0.1, 0.2, 20)
    quarrel = rng.uniform(-0.1, 0.05, (20, 20))
    truth = np.ones((1, 1000), bool)

    def value(frames):
        pairs = sum(quarrel[a, b] for a in frames for b in frames if a < b)
        return float(np.clip(0.3 + sum(worth[t] for t in frames) + pairs, 0, 0.99))

    def attempt(bank):
        pixels = round(1000 * value({e.frame for e in bank.entries if e.role == "recent" and e.kind == "memory"}))
        return (np.arange(1000) < pixels)[None]

    class Known:
        name = "made up"

        def object_ids(self):
            return [1]

        def object_mask(self, frame, object_id):
            return truth

    bank = StoredBank(
        BankRule(7), Reading(15, 40, False), (0,), tuple(range(1, 15)), lambda _: (5.0, 0.9), lambda _: None, attempt
    )
    pool = [14, 11, 9, 6, 4, 1]
    chosen = tuple(OracleOfVideo(6, Known()).choose(bank, 15))

    def rounded(frames):
        return round(1000 * value(frames))

    best = set()
    while len(best) < 6:
        gains = [(rounded(best | {t}), t) for t in pool if t not in best]
        top = max(gains)
        if top[0] <= rounded(best):
            break
        best = best | {top[1]}
    stock = set(range(9, 15))
    if rounded(best) > rounded(stock):
        assert set(read(chosen, "memory", "recent")) == set(read(chosen, "pointer", "recent")) == best
    else:
        assert chosen == bank.stock.entries


@pytest.mark.parametrize("edits", [[], [{"edit": "drop", "target": "memory", "entries": {"age": [1, 1]}}]])
def test_an_attempt_is_what_the_step_then_gives_and_changes_nothing(edits, video, twins):
    _, ours, flags = twins(gate="open")

    class Seen:
        def __init__(self):
            self.shown = []

        def observe(self, at, key, tensor):
            self.shown.append((at.frame_idx, key, tensor.clone()))

        def frame_committed(self, *_, **__): ...
        def required_references(self, *_):
            return ()

    class Trying:
        def __init__(self):
            self.masks = {}

        def choose(self, bank, frame):
            if frame % 2:
                bank.attempt(bank.entries(bank.past[:1]))
            self.masks[frame] = bank.attempt(bank.stock.entries)
            return bank.stock.entries

    def tracked(policy):
        intervention = Intervention().then(parse_edits(edits), None) if edits else None
        options = SessionOptions(flags=flags, policy=policy, intervention=intervention, attention="exact")
        seen = Seen()
        with VideoSession(ours, video, options, seen) as session:
            session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
            results = list(session.propagate())
        return results, seen.shown

    trying = Trying()
    (results, shown), (plain, plain_shown) = tracked(trying), tracked(None)
    for a, b in zip(results, plain, strict=True):
        np.testing.assert_array_equal(a.mask_logits.numpy(), b.mask_logits.numpy())
    assert [(t, key) for t, key, _ in shown] == [(t, key) for t, key, _ in plain_shown]
    for (t, key, a), (_, _, b) in zip(shown, plain_shown, strict=True):
        np.testing.assert_array_equal(a.float(), b.float(), err_msg=f"{key}, frame {t}")
    for result in results[1:]:
        np.testing.assert_array_equal(trying.masks[result.frame_idx], result.masks()[0])


def test_a_frame_that_is_corrected_is_not_tried(video, twins):
    _, ours, flags = twins(gate="open")
    with VideoSession(ours, video, SessionOptions(flags=flags, policy=make_policy("oracle:pool=2"))) as session:
        session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
        list(session.propagate(end=4))
        session.add_prompt(Prompt.from_points(3, 1, [[40, 40]], [1]))
        assert session.result(3).masks().shape == (1, 90, 160)


def test_mistakes(video, twins, short_source):
    _, ours, flags = twins(gate="open")
    with pytest.raises(InputError, match="needs true masks, and short has none"):
        VideoSession(ours, short_source, SessionOptions(flags=flags, policy=make_policy("oracle")))
    with VideoSession(ours, video, SessionOptions(flags=flags, policy=make_policy("oracle"))) as session:
        session.add_prompt(Prompt.from_mask(0, 5, square_mask(0)))
        with pytest.raises(InputError, match=r"has none of object 5 \(objects: 1\)"):
            list(session.propagate())

    class Unsaid:
        def choose(self, bank, frame):
            bank.masks(0)
            return ()

    with VideoSession(ours, video, SessionOptions(flags=flags, policy=Unsaid())) as session:
        session.add_prompt(Prompt.from_mask(0, 1, square_mask(0)))
        with pytest.raises(InputError, match="looks_at_masks = True"):
            list(session.propagate())
    for text, said in (("oracle:pool=0", "among 0 frames"), ("distractor-aware:stride=0", "stride=0")):
        with pytest.raises(InputError, match=said):
            make_policy(text)
