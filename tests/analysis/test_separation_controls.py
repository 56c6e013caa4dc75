"""Controls tell what only drifts from what holds an object, and intervals hold what they should."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binomtest, norm
from sklearn.metrics import roc_auc_score

from napari_sam2_probe.analysis.auroc import auroc_beside_others, auroc_estimate
from napari_sam2_probe.analysis.bootstrap import (
    Clusters,
    Estimate,
    bounded,
    estimate_of,
    familywise,
    mean_estimate,
)
from napari_sam2_probe.analysis.controls import CONTROL_COLUMNS, ControlOptions, measure_controls
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS

T, CHANGE, CHANNELS = 28, slice(12, 16), 24
OPTIONS = ControlOptions(num_resamples=100)
STAGE = np.repeat(["prefix", "interjection", "suffix"], (12, 4, 12))


def distances(embeddings, present):
    """d_1, and as stand-ins for the others twice and thrice as much: (T, 3) by the rule of references."""
    found = np.full((len(embeddings), 3), np.nan)
    window = np.zeros(len(embeddings), int)
    references = []
    for t in range(len(embeddings)):
        window[t] = min(len(references), 5)
        if references:
            d = np.linalg.norm(embeddings[t] - embeddings[references[-1]])
            found[t] = d, 2 * d, 3 * d
        if present[t]:
            references.append(t)
    return found, window


def table(kind, clips, schedules, bases, others, position="1"):
    """The rows of a features table: of each clip (T, C) under its schedule of references."""
    parts = []
    for k, (embeddings, present) in enumerate(zip(clips, schedules, strict=True)):
        values, window = distances(embeddings, present)
        rows = {"kind": kind, "clip": f"{kind}-{k:05d}", "base_sequence": bases[k], "frame": np.arange(T)}
        rows |= {"position": position, "window": window} | dict(zip(FEATURE_COLUMNS, values.T, strict=True))
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def frames_of(kind, number, present, others):
    return pd.DataFrame(
        {
            "kind": kind,
            "clip": np.repeat([f"{kind}-{k:05d}" for k in range(number)], T),
            "frame": np.tile(np.arange(T), number),
            "stage": np.tile(STAGE, number),
            "object_present": np.tile(present, number),
            "distractor_sequences": np.repeat(others, T),
        }
    )


def measured(changed, unchanged, seed=0):
    """Controls of clips (N, T, C) whose change takes the object away, and of the same without it."""
    number = len(changed)
    absent = np.ones(T, bool)
    absent[CHANGE] = False
    rng = np.random.default_rng(seed)
    bases, others = (rng.choice(list("abcdefghijk"), number) for _ in range(2))
    features = table("object-removal", changed, [absent] * number, bases, others)
    gap = table("object-kept", unchanged, [absent] * number, bases, others)
    frames = pd.concat(
        [
            frames_of("object-removal", number, absent, others),
            frames_of("object-kept", number, np.ones(T, bool), others),
        ]
    )
    return measure_controls(features, gap, frames, {"object-removal": "object-kept"}, OPTIONS)


def drifting(rng, number):
    """Random walks: far frames are farther apart, and nothing is in them."""
    return rng.normal(size=(number, T, CHANNELS)).cumsum(axis=1)


def test_what_only_drifts_is_separated_as_in_the_paper_and_not_by_the_controls():
    rng = np.random.default_rng(3)
    # What SAM 2 sees differs a little by chance in both; nothing of it is the object's.
    both = drifting(rng, 400)
    noise = rng.normal(scale=0.1, size=(2, *both.shape))
    row = measured(both + noise[0], both + noise[1]).table.iloc[0]
    assert row["feature"] == FEATURE_COLUMNS[0]
    assert row["auroc"] > 0.8
    assert row["auroc_placebo"] > 0.8
    assert row["auroc_matched"] == pytest.approx(0.5, abs=0.02)
    assert row["farther_share"] == pytest.approx(0.5, abs=0.08)
    assert row["paired_share"] == pytest.approx(0.5, abs=0.05)
    assert row["paired_share_low"] < 0.5 < row["paired_share_high"]


def test_an_object_alone_is_separated_by_all_but_the_placebo():
    rng = np.random.default_rng(4)
    unchanged = rng.normal(size=(60, T, CHANNELS))
    changed = unchanged.copy()
    changed[:, CHANGE] += 10
    row = measured(changed, unchanged).table.iloc[0]
    assert (row["auroc"], row["auroc_matched"], row["paired_share"], row["farther_share"]) == (1, 1, 1, 1)
    assert row["auroc_placebo"] == pytest.approx(0.5, abs=0.03)
    # All resamples agree, and still there is doubt.
    for name in ("auroc_matched", "paired_share"):
        assert 0.5 < row[f"{name}_low"] < 1 == row[f"{name}_high"]


def test_pairs_see_what_clips_that_differ_hide_from_the_pooled_number():
    """A small step in each clip, and clips whose own steps are of very different size."""
    rng = np.random.default_rng(9)
    scale = np.geomspace(1, 100, 60)[:, None, None]
    unchanged = rng.normal(size=(60, T, CHANNELS)) * scale
    changed = unchanged.copy()
    changed[:, CHANGE] *= 1.3
    row = measured(changed, unchanged).table.iloc[0]
    assert row["paired_share"] > 0.95
    assert row["auroc_matched"] < 0.6


def test_the_table_is_what_other_code_computes():
    rng = np.random.default_rng(5)
    unchanged = drifting(rng, 12)
    changed = unchanged + rng.normal(size=unchanged.shape)
    found = measured(changed, unchanged).table
    assert tuple(found.columns) == CONTROL_COLUMNS
    absent = np.ones(T, bool)
    absent[CHANGE] = False
    values, kept = (np.stack([distances(e, absent)[0] for e in clips]) for clips in (changed, unchanged))
    # All five references; the first frame after the change is no negative.
    frames = [t for t in range(5, T) if t != 16]
    label = [12 <= t < 16 for t in frames]
    for k, feature in enumerate(FEATURE_COLUMNS):
        row = found[found["feature"] == feature].iloc[0]
        at = values[:, frames, k]
        assert row["auroc"] == pytest.approx(roc_auc_score(np.tile(label, 12), at.ravel()))
        assert row["auroc_within"] == pytest.approx(np.mean([roc_auc_score(label, one) for one in at]))
        assert row["auroc_placebo"] == pytest.approx(roc_auc_score(np.tile(label, 12), kept[:, frames, k].ravel()))
        both = np.concatenate([values[:, CHANGE, k].ravel(), kept[:, CHANGE, k].ravel()])
        assert row["auroc_matched"] == pytest.approx(roc_auc_score(np.repeat([1, 0], 48), both))
        assert row["paired_share"] == pytest.approx((values[:, CHANGE, k] > kept[:, CHANGE, k]).mean())
        farther = values[:, CHANGE, k].mean(axis=1) > kept[:, CHANGE, k].mean(axis=1)
        assert row["farther_share"] == pytest.approx(farther.mean())
        assert row["clips"] == 12


def test_frames_missing_at_one_position_are_missing_at_all_and_counted():
    rng = np.random.default_rng(6)
    absent = np.ones(T, bool)
    absent[CHANGE] = False
    clips = rng.normal(size=(2, T, CHANNELS))
    parts = [table("interjection", clips, [absent] * 2, "ab", "cd", position) for position in ("1", "4")]
    # Two gated pointers are the same vector: that says nothing of the object.
    gated = (parts[1]["clip"] == "interjection-00000") & parts[1]["frame"].isin([13, 14])
    parts[1].loc[gated, "short_term_l2"] = 0.0
    parts[0].loc[(parts[0]["clip"] == "interjection-00001") & (parts[0]["frame"] == 20), "short_term_l2"] = np.nan
    frames = frames_of("interjection", 2, absent, np.array(["c", "d"]))
    found = measure_controls(pd.concat(parts), parts[0].iloc[:0], frames, {"interjection": "clean"}, OPTIONS)
    short = found.table[found.table["feature"] == "short_term_l2"]
    assert short["dropped_frames"].tolist() == [3, 3]
    counted = found.dropped[found.dropped["feature"] == "short_term_l2"].set_index("reason")["frames"]
    assert counted.to_dict() == {"missing": 1, "distance of 0 between gated vectors": 2}
    assert short["auroc_placebo"].isna().all()
    assert short["auroc_matched"].isna().all()


def crossed_null(rng, number, bases=13, frames=22):
    """Frames of clips with nothing to find: (scores, changed, base, other), offsets by base and by distractor.

    On changed frames the distractor shows, whichever it is: higher for some and lower for others.
    """
    base, other = rng.integers(bases, size=(2, number))
    changed = np.zeros((number, frames), bool)
    changed[:, 7:11] = True
    offsets = rng.normal(size=(2, bases))
    scores = rng.normal(scale=0.5, size=changed.shape) + offsets[0][base][:, None]
    scores += np.where(changed, offsets[1][other][:, None], 0)
    base, other = (np.repeat(names, frames).astype(str) for names in (base, other))
    return scores.ravel(), changed.ravel(), base, other


@pytest.mark.parametrize("number", [12, 60])
def test_intervals_over_both_sequences_hold_what_they_should(number):
    """A crossed null, 13 sequences: intervals of AUROC hold 0.5 in 92 to 98 of 100 data sets."""
    rng = np.random.default_rng(number)
    trials, held = 600, {"both": 0, "base alone": 0}
    for trial in range(trials):
        scores, changed, base, other = crossed_null(rng, number)
        how = {"num_resamples": 400, "seed": trial}
        for name, groups in (("both", Clusters.of(base, other)), ("base alone", base)):
            found = auroc_estimate(scores, changed, groups, **how)
            held[name] += found.low <= 0.5 <= found.high
    assert 0.92 * trials <= held["both"] <= 0.98 * trials
    assert held["base alone"] < 0.85 * trials


def test_a_share_that_is_always_1_has_the_exact_interval():
    always = estimate_of(1.0, np.ones(50), 7)
    exact = binomtest(7, 7).proportion_ci(0.95, method="exact")
    found = bounded(always, 7)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    never = bounded(estimate_of(0.0, np.zeros(50), 7), 7)
    assert (never.low, never.high) == pytest.approx((1 - exact.high, 1 - exact.low))
    assert bounded(estimate_of(0.5, np.full(50, 0.5), 7), 7).low == 0.5


def test_a_share_near_1_is_not_surer_than_as_many_independent_trials():
    nearly = estimate_of(0.998, np.linspace(0.99, 1, 50), 19)
    found = bounded(nearly, 19)
    # Clopper and Pearson's lower bound, for a share that isn't that of whole trials.
    assert found.low == pytest.approx(beta.ppf(0.025, 0.998 * 19, 0.002 * 19 + 1))
    assert found.high == nearly.high
    # What doesn't read as 1.00 is left as it is.
    clear = estimate_of(0.9, np.linspace(0.8, 1, 50), 19)
    assert bounded(clear, 19) == clear


def test_copies_of_a_clip_are_not_other_clips():
    """Changed frames are farther than their own clip's, and clips differ much: the interval lies around the number."""
    rng = np.random.default_rng(8)
    base, other = (np.repeat(rng.integers(9, size=20).astype(str), 8) for _ in range(2))
    changed = np.tile(np.arange(8) < 4, 20)
    scores = np.repeat(np.exp(rng.normal(scale=2, size=20)), 8) * np.where(changed, 1.2, 1.0)
    found = auroc_estimate(scores, changed, Clusters.of(base, other), num_resamples=2000)
    plain = auroc_estimate(scores, changed, base, num_resamples=2000)
    assert found.resampled.mean() == pytest.approx(found.value, abs=0.02)
    assert plain.resampled.mean() > found.value + 0.02


def test_intervals_of_many_numbers_hold_all_at_once():
    """20 means without an effect: single intervals miss 0 somewhere in most data sets, widened ones in about 5 %."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 4)
    held = {"single": 0, "together": 0}
    trials = 150
    for trial in range(trials):
        # Shared by all 20, as positions share their clips.
        common = rng.normal(size=(30, 1))
        values = np.repeat(common + rng.normal(size=(30, 20)), 4, axis=0) + rng.normal(scale=0.3, size=(120, 20))
        single = [mean_estimate(column, groups, num_resamples=400, seed=trial) for column in values.T]
        for name, found in (("single", single), ("together", familywise(single))):
            held[name] += all(one.low <= 0 <= one.high for one in found)
    assert held["together"] >= 0.88 * trials
    assert held["single"] < 0.7 * trials


def test_what_was_read_from_a_file_counts_as_independent():
    known = mean_estimate(np.arange(10.0), np.arange(10), num_resamples=4000)
    bare = Estimate(1.0, 0.5, 1.5, 10**6)
    missing = Estimate.missing("nothing")
    wide, wider, same = familywise([known, bare, missing])
    assert same is missing
    assert wide.low < known.low < known.high < wide.high
    # Of two independent normal numbers each must hold in sqrt(0.95) of cases.
    both = norm.ppf((1 + 0.95**0.5) / 2) / norm.ppf(0.975)
    assert (wider.high - 1) / 0.5 == pytest.approx(both, abs=0.05)
    assert familywise([]) == []


def test_a_clip_among_others_is_not_compared_with_copies_of_itself():
    rng = np.random.default_rng(8)
    base, other = (np.repeat(rng.integers(9, size=20).astype(str), 8) for _ in range(2))
    changed = np.tile(np.arange(8) < 4, 20)
    scores = np.repeat(np.exp(rng.normal(scale=2, size=20)), 8) * np.where(changed, 1.2, 1.0)
    alone = auroc_estimate(scores, changed, Clusters.of(base, other), num_resamples=200)
    beside, _, none = auroc_beside_others(
        scores, changed, [(scores, changed)], Clusters.of(base, other), num_resamples=200
    )
    assert (beside.value, beside.low, beside.high) == (alone.value, alone.low, alone.high)
    assert (none.low, none.high) == (0, 0)
