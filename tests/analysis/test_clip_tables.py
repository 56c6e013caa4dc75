"""Scores of data sets of clips: averaged clip by clip, with what is missing said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from napari_sam2_probe.analysis.clip_tables import CLIP_TABLE_COLUMNS, MEASURES, clip_table, per_clip
from napari_sam2_probe.evaluation.metrics.clips import score_clip

T, ABSENT = 28, slice(12, 16)
STAGE = np.repeat(["prefix", "interjection", "suffix"], [12, 4, 12])


def clip(kind, number, *, region=0.8, suffix=0.6, wrong=0, score=5.0, sequence=None):
    present = np.ones(T, bool)
    if kind == "interjection":
        present[ABSENT] = False
    rng = np.random.default_rng(number)
    values = np.where(STAGE == "suffix", suffix, region) + rng.normal(0, 0.01, T)
    values[0] = np.nan
    values[~present] = np.nan
    false_positive = np.zeros(T, bool)
    false_positive[np.flatnonzero(~present)[:wrong]] = True
    return pd.DataFrame(
        {
            "kind": kind,
            "clip": f"{kind}_{number:05d}",
            "base_sequence": sequence or f"sequence-{number % 3}",
            "frame": np.arange(T),
            "stage": STAGE,
            "object_present": present,
            "prompted": np.arange(T) == 0,
            "object_score": np.where(present, score, -score) + rng.normal(0, 5, T),
            "region": values,
            "boundary": values + 0.1,
            "false_positive": false_positive,
        }
    )


@pytest.fixture(scope="module")
def frames():
    clips = [clip("clean", n, suffix=0.8) for n in range(6)]
    clips += [clip("interjection", n, wrong=n % 2 * 2) for n in range(6)]
    return pd.concat(clips, ignore_index=True)


def value(table, kind, measure, stage):
    found = table[(table["kind"] == kind) & (table["measure"] == measure) & (table["stage"] == stage)]
    assert len(found) == 1
    return found.iloc[0]


def test_measures_of_each_kind(frames):
    table = clip_table(frames)
    assert tuple(table.columns) == CLIP_TABLE_COLUMNS
    assert set(table[table["kind"] == "interjection"]["measure"]) == set(MEASURES)
    assert set(table[table["kind"] == "clean"]["measure"]) == {"J", "F", "J&F", "reidentification"}
    assert value(table, "interjection", "J", "prefix")["value"] == pytest.approx(0.8, abs=0.01)
    assert value(table, "interjection", "F", "suffix")["value"] == pytest.approx(0.7, abs=0.01)
    assert value(table, "interjection", "J&F", "all")["value"] == pytest.approx((11 * 0.85 + 12 * 0.65) / 23, abs=0.01)
    lost = value(table, "interjection", "reidentification", "suffix - prefix")
    assert lost["value"] == pytest.approx(-0.2, abs=0.01)
    assert lost["low"] <= lost["value"] <= lost["high"] < -0.15
    assert (lost["num_clips"], lost["num_sequences"]) == (6, 3)
    assert value(table, "interjection", "false_positive_rate", "all")["value"] == pytest.approx(0.25)


def test_nothing_is_present_in_an_interjection(frames):
    table = clip_table(frames)
    gone = value(table, "interjection", "J", "interjection")
    assert np.isnan(gone["value"])
    assert gone["num_clips"] == 0
    assert "no present frame" in gone["reason"]
    assert np.isfinite(value(table, "clean", "J", "interjection")["value"])


def test_object_score_leaves_prompts_out(frames):
    tracked = frames[(frames["kind"] == "interjection") & ~frames["prompted"]]
    found = value(clip_table(frames), "interjection", "object_score_auroc", "all")
    assert found["value"] == pytest.approx(roc_auc_score(tracked["object_present"], tracked["object_score"]))
    # The dummy score of a prompt is no evidence.
    dummy = frames.assign(object_score=frames["object_score"].where(~frames["prompted"], -1000.0))
    assert value(clip_table(dummy), "interjection", "object_score_auroc", "all")["value"] == found["value"]


def test_clips_count_alike_and_agree_with_the_scores_of_one(frames):
    """The same numbers as `score_clip` gives of masks."""
    rng = np.random.default_rng(0)
    truth, predicted = np.zeros((2, T, 24, 24), np.uint8)
    truth[:, 6:18, 6:18] = 1
    truth[ABSENT] = 0
    predicted[:] = truth
    predicted[:, 6:18, 6:9] = rng.integers(0, 2, (T, 12, 3))
    present = truth.any(axis=(1, 2))
    scores = score_clip(truth, predicted, present)
    table = clip("interjection", 0).assign(
        region=scores.region_per_frame, boundary=scores.boundary_per_frame, false_positive=scores.false_positive
    )
    found = per_clip(table).iloc[0]
    assert found["J&F_prefix"] == pytest.approx(scores.prefix_jf)
    assert found["J&F_suffix"] == pytest.approx(scores.suffix_jf)
    assert found["reidentification"] == pytest.approx(scores.reidentification)
    assert found["false_positive_rate"] == pytest.approx(scores.false_positive_rate)


def test_one_clip_has_no_interval():
    table = clip_table(clip("interjection", 0))
    found = value(table, "interjection", "J", "prefix")
    assert np.isfinite(found["value"])
    assert np.isnan(found["low"])
    assert found["reason"] == "only one source sequence"


def test_without_scores_of_another_system():
    """Masks of another system come without object scores and with nothing to average."""
    table = clip_table(clip("interjection", 0).assign(object_score=np.nan, region=np.nan, boundary=np.nan))
    assert value(table, "interjection", "object_score_auroc", "all")["reason"] == "no frame has a score"
    assert np.isnan(value(table, "interjection", "J&F", "all")["value"])
    assert (table["reason"] != "").all()


def test_no_rows(frames):
    assert clip_table(frames.iloc[:0]).empty
