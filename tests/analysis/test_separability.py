"""Separability: known distributions are found again, and what can't be measured says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from helpers.made_tables import features_table
from napari_sam2_probe.analysis.separability import (
    COMBINED,
    DIFFERENCE_COLUMNS,
    FEATURE_COLUMNS,
    SEPARABILITY_COLUMNS,
    SeparabilityOptions,
    separability,
    usable_frames,
)

PAIRS = (("4", "4r"), ("4", "1"), ("4r", "1"))
SHIFTS = {"clean": 0.0, "interjection": 1.2, "object-removal": 0.7, "context-removal": 0.9}


@pytest.fixture(scope="module")
def four_kinds():
    return features_table(SHIFTS, num_clips=60, positions=("1", "4", "4r"))


@pytest.fixture(scope="module")
def measured(four_kinds):
    return separability(four_kinds, SeparabilityOptions(num_resamples=400), pairs=PAIRS)


def row(result, **wanted):
    table = result.table
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


class TestTable:
    def test_a_row_for_each_position_feature_and_kind(self, measured):
        table = measured.table
        assert tuple(table.columns) == SEPARABILITY_COLUMNS
        assert len(table) == 3 * 4 * 4
        assert not table.duplicated(["position", "feature", "kind"]).any()
        by_kind = table.groupby("kind")["measure"].unique().map(list).to_dict()
        assert by_kind == {
            "clean": ["false_alarm_rate"],
            "context-removal": ["false_alarm_rate"],
            "interjection": ["auroc"],
            "object-removal": ["auroc"],
        }
        assert (table["reason"] == "").all()
        assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()

    def test_single_features_equal_sklearn(self, four_kinds, measured):
        used = usable_frames(four_kinds, measured.options)
        frames = used[(used["kind"] == "object-removal") & (used["position"] == "1")]
        for feature in FEATURE_COLUMNS:
            found = row(measured, position="1", feature=feature, kind="object-removal")
            assert found["value"] == pytest.approx(roc_auc_score(~frames["object_present"], frames[feature]))
            assert (found["num_absent"], found["num_present"]) == (240, 60 * 22)

    @pytest.mark.parametrize("kind", ["interjection", "object-removal"])
    def test_known_auroc_is_in_the_interval(self, measured, kind):
        for position in ("1", "4", "4r"):
            for feature, deviations in (*((f, 1) for f in FEATURE_COLUMNS), (COMBINED, None)):
                found = row(measured, position=position, feature=feature, kind=kind)
                # Three features that are as good as each other and share only the sequence's offset.
                spread = 1 if deviations else (0.3**2 + (1 - 0.3**2) / 3) ** 0.5
                truth = norm.cdf(SHIFTS[kind] / spread / 2**0.5)
                assert found["low"] - 0.025 <= truth <= found["high"] + 0.025

    def test_false_alarms_at_the_threshold_of_interjections(self, four_kinds, measured):
        used = usable_frames(four_kinds, measured.options)
        at_4 = used[used["position"] == "4"]
        setting = at_4[at_4["kind"] == "interjection"]
        for kind in ("clean", "context-removal"):
            found = row(measured, position="4", feature="long_term_l2", kind=kind)
            alarms = []
            for sequence, frames in at_4[at_4["kind"] == kind].groupby("base_sequence"):
                # Equal error on other sequences: where the ROC curve crosses the falling diagonal.
                others = setting[setting["base_sequence"] != sequence]
                false, hit, thresholds = roc_curve(
                    ~others["object_present"], others["long_term_l2"], drop_intermediate=False
                )
                best = np.argmin(np.abs(false - (1 - hit)).round(12))
                # Halfway to the next score below.
                alarms.append(frames["long_term_l2"] >= thresholds[best : best + 2].mean())
            assert found["value"] == pytest.approx(pd.concat(alarms).mean())
        # Context removal moves features as much as absence does; clean clips don't.
        clean, removed = (
            row(measured, position="4", feature=COMBINED, kind=kind)["value"] for kind in ("clean", "context-removal")
        )
        assert removed > clean

    def test_same_numbers_again(self, four_kinds, measured):
        again = separability(four_kinds.sample(frac=1, random_state=0), measured.options).table
        numbers = ["value", "low", "high"]
        np.testing.assert_allclose(again[numbers], measured.table[numbers], atol=2e-3)
        same = separability(four_kinds, measured.options).table
        np.testing.assert_array_equal(same[numbers], measured.table[numbers])


class TestDifferences:
    def test_equal_those_of_the_table_with_an_interval_of_pairs(self, measured):
        found = measured.differences
        assert tuple(found.columns) == DIFFERENCE_COLUMNS
        # Of the pairs only those that were recorded; clean and context removal have no AUROC.
        assert len(found) == 3 * 4 * 2
        for pair in found.itertuples():
            first, second = (
                row(measured, position=p, feature=pair.feature, kind=pair.kind) for p in (pair.position, pair.other)
            )
            assert pair.value == pytest.approx(first["value"] - second["value"])
            assert pair.low <= pair.value <= pair.high
            assert (pair.num_absent, pair.num_present) == (first["num_absent"], first["num_present"])

    def test_a_gate_is_seen(self):
        table = features_table({"object-removal": 0.0}, positions=("4", "4r"), num_clips=60)
        gated = (table["position"] == "4") & ~table["object_present"]
        table.loc[gated, "short_term_l2"] *= 1000
        found = separability(table, SeparabilityOptions(num_resamples=200), pairs=PAIRS).differences
        found = found.set_index("feature")
        assert found["low"]["short_term_l2"] > 0.4
        assert found["low"]["long_term_l2"] < 0.06

    def test_what_moves_both_alike_does_not_widen_the_interval(self):
        table = features_table({"object-removal": 1.0}, positions=("4",), num_clips=60)
        twice = pd.concat([table, table.assign(position="4r")])
        found = separability(twice, SeparabilityOptions(num_resamples=50), pairs=PAIRS).differences
        np.testing.assert_array_equal(found[["value", "low", "high"]], 0)

    def test_frames_of_one_position_only_are_left_out(self):
        table = features_table({"object-removal": 1.0}, positions=("4", "4r"))
        table.loc[(table["position"] == "4r") & (table["frame"] < 10), "short_term_l2"] = np.nan
        found = separability(table, SeparabilityOptions(num_resamples=50), pairs=PAIRS).differences
        assert (found["num_present"] == 40 * 14).all()
        nothing = table.assign(long_term_l2=table["long_term_l2"].where(table["position"] == "4"))
        found = separability(nothing, SeparabilityOptions(num_resamples=50), pairs=PAIRS).differences
        assert (found["reason"] == "no frame has both scores").all()


class TestCrossValidation:
    def test_nothing_is_learnt_from_noise(self):
        """Offsets of sequences that carry their own label would be learnt by a model that sees its own sequence."""
        table = features_table({"interjection": 0.0}, num_clips=60, num_sequences=12, between=0.95)
        found = row(separability(table, SeparabilityOptions(num_resamples=200)), feature=COMBINED)
        assert found["value"] < 0.6

    def test_scores_of_a_sequence_do_not_depend_on_it(self):
        table = features_table({"clean": 0.0, "interjection": 1.0}, num_clips=20, num_sequences=4)
        of_one = table["base_sequence"] == "sequence-1"
        other = table.copy()
        # Another relation of features and absence, in this sequence's interjections alone.
        flipped = of_one & (table["kind"] == "interjection")
        other.loc[flipped, list(FEATURE_COLUMNS)] = 1 / table.loc[flipped, list(FEATURE_COLUMNS)]
        options = SeparabilityOptions(num_resamples=10, num_folds=10)
        before, after = (separability(t, options).scores for t in (table, other))
        clean = (before["kind"] == "clean") & (before["base_sequence"] == "sequence-1")
        assert clean.any()
        np.testing.assert_array_equal(before.loc[clean, "score"], after.loc[clean, "score"])
        rest = (before["kind"] == "clean") & ~clean
        assert (before.loc[rest, "score"] != after.loc[rest, "score"]).any()

    def test_log_makes_the_model_blind_to_scale(self):
        table = features_table({"interjection": 1.0})
        scaled = table.assign(long_term_l2=table["long_term_l2"] * 1e6, short_term_l2=table["short_term_l2"] / 1e3)
        options = SeparabilityOptions(num_resamples=10)
        np.testing.assert_allclose(
            separability(table, options).scores["score"], separability(scaled, options).scores["score"], atol=1e-6
        )

    def test_zeros_are_allowed(self):
        table = features_table({"interjection": 1.0})
        table.loc[table["frame"] == 7, ["short_term_l2", "short_term_ratio"]] = 0.0
        found = row(separability(table, SeparabilityOptions(num_resamples=10)), feature=COMBINED)
        assert 0.5 < found["value"] <= 1

    def test_without_logarithm(self):
        table = features_table({"interjection": 1.0})
        found = row(separability(table, SeparabilityOptions(transform="none", num_resamples=10)), feature=COMBINED)
        assert 0.5 < found["value"] < row(separability(table), feature=COMBINED)["value"]


class TestFrames:
    def test_prompted_references_can_be_left_out(self, four_kinds):
        used = usable_frames(four_kinds, SeparabilityOptions(prompted_references=False))
        assert used["frame"].min() == 6
        assert usable_frames(four_kinds, SeparabilityOptions())["frame"].min() == 2
        assert usable_frames(four_kinds, SeparabilityOptions(full_window=True))["frame"].min() == 5

    def test_all_three_features_must_be_there(self, four_kinds):
        table = four_kinds.copy()
        table.loc[table["frame"] == 9, "short_term_ratio"] = np.nan
        table.loc[table["frame"] == 10, "long_term_l2"] = np.inf
        used = usable_frames(table, SeparabilityOptions())
        assert not used["frame"].isin([9, 10]).any()


class TestWhatIsMissing:
    def test_one_sequence(self):
        table = features_table({"interjection": 1.0}, num_sequences=1, num_clips=3)
        result = separability(table)
        single = row(result, feature="short_term_l2")
        assert np.isfinite(single["value"])
        assert np.isnan(single["low"])
        assert "one source sequence" in single["reason"]
        combined = row(result, feature=COMBINED)
        assert np.isnan(combined["value"])
        assert "source sequence" in combined["reason"]

    def test_one_clip(self):
        result = separability(features_table({"clean": 0.0, "interjection": 1.0}, num_clips=1, num_sequences=1))
        assert len(result.table) == 8
        assert (result.table["reason"] != "").all()

    def test_one_kind_without_absent_frames(self):
        result = separability(features_table({"clean": 0.0}))
        assert result.table["value"].isna().all()
        assert result.table["reason"].str.contains("no threshold, as interjection clips").all()

    def test_no_finite_absent_frame(self):
        table = features_table({"interjection": 1.0})
        table.loc[~table["object_present"], "long_term_l2"] = np.nan
        assert (separability(table).table["reason"] == "no absent frame has all three features").all()

    def test_no_finite_frame_at_one_position(self):
        table = features_table({"interjection": 1.0}, positions=("1", "5"))
        table.loc[table["position"] == "5", "short_term_l2"] = np.nan
        result = separability(table, SeparabilityOptions(num_resamples=10))
        reasons = result.table.groupby("position")["reason"].unique().map(list).to_dict()
        assert reasons == {"1": [""], "5": ["no frame has all three features"]}

    def test_a_fold_whose_training_has_one_class(self):
        """Absent frames in a single sequence: without it there is nothing to learn from."""
        table = features_table({"interjection": 1.0}, num_sequences=3, num_clips=12)
        gone = ~table["object_present"] & (table["base_sequence"] != "sequence-0")
        result = separability(table[~gone], SeparabilityOptions(num_resamples=50))
        scores = result.scores
        assert scores.loc[scores["base_sequence"] == "sequence-0", "score"].isna().all()
        assert scores.loc[scores["base_sequence"] != "sequence-0", "score"].notna().all()
        assert "one class" in row(result, feature=COMBINED)["reason"]

    def test_no_rows(self):
        empty = features_table({"interjection": 1.0}).iloc[:0]
        assert separability(empty).table.empty
