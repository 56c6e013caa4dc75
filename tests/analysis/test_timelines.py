"""Mean and median of features per frame, with intervals over source sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.made_tables import features_table
from napari_sam2_probe.analysis.timelines import (
    TIMELINE_COLUMNS,
    TimelineOptions,
    feature_timelines,
    resampled_medians,
)

QUICK = TimelineOptions(num_resamples=200)


@pytest.fixture(scope="module")
def features():
    return features_table({"clean": 0.0, "interjection": 1.0}, num_clips=21, positions=("1", "4"))


def line(table, kind, feature, position="4"):
    rows = table[(table["kind"] == kind) & (table["feature"] == feature) & (table["position"] == position)]
    return rows.set_index("frame")


def test_equals_plain_mean_and_median(features):
    table = feature_timelines(features, QUICK)
    assert tuple(table.columns) == TIMELINE_COLUMNS
    assert len(table) == 2 * 2 * 3 * 28
    found = line(table, "interjection", "short_term_l2")
    rows = features[(features["kind"] == "interjection") & (features["position"] == "4")]
    by_frame = rows.groupby("frame")["short_term_l2"]
    np.testing.assert_allclose(found["mean"], by_frame.mean())
    np.testing.assert_allclose(found["median"], by_frame.median())
    known = found.loc[1:]
    for what in ("mean", "median"):
        assert (known[f"{what}_low"] <= known[what]).all()
        assert (known[what] <= known[f"{what}_high"]).all()
    assert found["present_share"].loc[11:16].tolist() == [1, 0, 0, 0, 0, 1]
    assert (known["num_clips"] == 21).all()


def test_long_term_begins_where_the_window_is_full(features):
    assert line(feature_timelines(features, QUICK), "clean", "long_term_l2")["mean"].first_valid_index() == 5
    early = feature_timelines(features, TimelineOptions(full_window=False, num_resamples=10))
    assert line(early, "clean", "long_term_l2")["mean"].first_valid_index() == 2
    assert line(early, "clean", "short_term_l2")["mean"].first_valid_index() == 1


def test_prompted_references_can_be_left_out(features):
    options = TimelineOptions(prompted_references=False, num_resamples=10)
    assert line(feature_timelines(features, options), "clean", "short_term_l2")["mean"].first_valid_index() == 6


def test_what_is_missing(features):
    table = feature_timelines(features, QUICK)
    first = line(table, "clean", "short_term_l2").loc[0]
    assert np.isnan(first["mean"])
    assert first["num_clips"] == 0
    alone = feature_timelines(features[features["base_sequence"] == "sequence-2"], QUICK)
    assert alone["mean_low"].isna().all()
    assert alone["mean"].notna().any()
    assert feature_timelines(features.iloc[:0]).empty


def test_infinite_and_missing_values_are_left_out(features):
    broken = features.copy()
    some = broken["clip"] == "clean_00003"
    broken.loc[some & (broken["frame"] == 9), "short_term_l2"] = np.inf
    broken.loc[some & (broken["frame"] == 10), "short_term_l2"] = np.nan
    found = line(feature_timelines(broken, QUICK), "clean", "short_term_l2")
    assert found["num_clips"].loc[8:11].tolist() == [21, 20, 20, 21]
    assert np.isfinite(found["mean"].loc[1:]).all()


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=20),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_medians_equal_those_of_resamples_written_out(values, num_groups, seed):
    rng = np.random.default_rng(seed)
    numbers, codes = np.array(values, float), rng.integers(num_groups, size=len(values))
    weights = rng.integers(0, 4, size=(5, num_groups)).astype(float)
    for median, times in zip(resampled_medians(numbers, codes, weights), weights.astype(int), strict=True):
        drawn = np.repeat(numbers, times[codes])
        assert median == np.median(drawn) if drawn.size else np.isnan(median)
