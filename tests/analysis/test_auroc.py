"""AUROC equals scikit-learn's, its bootstrap that of written-out resamples, and its interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from napari_sam2_probe.analysis.auroc import auroc, auroc_estimate, equal_error_threshold
from napari_sam2_probe.analysis.bootstrap import group_codes, group_weights, mean_estimate


@st.composite
def scored(draw):
    """Scores with ties, and both classes."""
    size = draw(st.integers(2, 40))
    scores = draw(st.lists(st.integers(-5, 5), min_size=size, max_size=size))
    positive = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(lambda p: 0 < sum(p) < len(p)))
    return np.array(scores, float), np.array(positive)


class TestAuroc:
    @given(scored())
    def test_equals_sklearn(self, frames):
        scores, positive = frames
        assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)

    @given(scored())
    def test_only_order_counts(self, frames):
        scores, positive = frames
        assert auroc(np.exp(scores) * 3 - 7, positive) == auroc(scores, positive)

    @given(scored())
    def test_swapped_classes_and_signs(self, frames):
        scores, positive = frames
        assert auroc(scores, ~positive) == pytest.approx(1 - auroc(scores, positive), abs=1e-12)
        assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive), abs=1e-12)

    @pytest.mark.parametrize("positive", [[True, True], [False, False]])
    def test_one_class_has_none(self, positive):
        assert np.isnan(auroc([1.0, 2.0], positive))
        estimate = auroc_estimate([1.0, 2.0], positive, ["a", "b"])
        assert np.isnan(estimate.value)
        assert "one class" in estimate.reason


class TestBootstrap:
    def frames(self, num_groups=6, seed=3):
        rng = np.random.default_rng(seed)
        groups = rng.integers(num_groups, size=80)
        positive = rng.random(80) < 0.3
        return (positive + rng.normal(0, 1, 80) + 0.1 * groups).round(1), positive, groups

    def test_equals_resamples_written_out(self):
        scores, positive, groups = self.frames()
        weights = group_weights(6, 200, seed=5).astype(int)
        written_out = []
        for times in weights:
            drawn = np.concatenate([np.repeat(np.flatnonzero(groups == g), times[g]) for g in range(6)])
            written_out.append(roc_auc_score(positive[drawn], scores[drawn]))
        estimate = auroc_estimate(scores, positive, groups, num_resamples=200, seed=5)
        assert estimate.value == pytest.approx(roc_auc_score(positive, scores))
        np.testing.assert_allclose([estimate.low, estimate.high], np.quantile(written_out, [0.025, 0.975]))

    def test_copies_of_frames_add_nothing(self):
        scores, positive, groups = self.frames()
        once = auroc_estimate(scores, positive, groups)
        tenfold = auroc_estimate(np.tile(scores, 10), np.tile(positive, 10), np.tile(groups, 10))
        np.testing.assert_allclose([tenfold.low, tenfold.high], [once.low, once.high])

    def test_interval_covers_what_is_true(self):
        """Normal scores in 20 groups, whose AUROC is known: 95 % intervals hold it nearly as often."""
        truth, rng, covered = norm.cdf(1 / 2**0.5), np.random.default_rng(0), 0
        for _ in range(200):
            groups = np.repeat(np.arange(20), 30)
            positive = np.tile(np.arange(30) < 8, 20)
            # What frames of a group have in common moves both classes alike, and leaves the AUROC's truth as it is
            # for a pair from different groups.
            common = rng.normal(0, 0.6, 20)[groups]
            scores = positive + common + rng.normal(0, 0.8, len(groups))
            estimate = auroc_estimate(scores, positive, groups, num_resamples=300)
            covered += estimate.low <= truth <= estimate.high
        assert 0.86 <= covered / 200 <= 0.995

    def test_groups_of_one_class_are_no_obstacle(self):
        scores, positive = np.array([0.0, 1, 2, 3]), np.array([False, False, True, True])
        estimate = auroc_estimate(scores, positive, ["a", "a", "b", "b"])
        assert (estimate.value, estimate.high, estimate.num_groups) == (1, 1, 2)
        # Two groups that agree leave much doubt: the exact bound.
        assert estimate.low == pytest.approx(0.025**0.5)

    def test_one_group_has_no_interval_and_nan_is_left_out(self):
        estimate = auroc_estimate([np.nan, 0.0, 1.0], [True, False, True], ["a", "b", "b"])
        assert estimate.value == 1
        assert np.isnan(estimate.low)
        assert "only one source sequence" in str(estimate)

    def test_nothing_at_all(self):
        assert "no frame" in auroc_estimate([np.nan], [True], ["a"]).reason
        assert "no values" in str(mean_estimate([np.nan], ["a"]))

    def test_weights_are_draws_with_replacement(self):
        weights = group_weights(7, 500, seed=1)
        assert (weights.sum(axis=1) == 7).all()
        np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)
        np.testing.assert_array_equal(weights, group_weights(7, 500, seed=1))
        assert (weights != group_weights(7, 500, seed=2)).any()

    def test_mean_is_over_entries(self):
        estimate = mean_estimate([1.0, 1, 1, 5, np.nan], ["a", "a", "a", "b", "c"], num_resamples=4000)
        assert estimate.value == 2
        assert estimate.num_groups == 2
        assert (estimate.low, estimate.high) == (1, 5)

    def test_codes_follow_sorted_names(self):
        codes, num_groups = group_codes(["goat", "dog", "goat"])
        assert (codes.tolist(), num_groups) == ([1, 0, 1], 2)


class TestThreshold:
    def test_errors_are_equal(self):
        rng = np.random.default_rng(0)
        positive = rng.random(20000) < 0.2
        scores = rng.normal(0, 1, 20000) + 1.5 * positive
        threshold = equal_error_threshold(scores, positive)
        assert threshold == pytest.approx(0.75, abs=0.05)
        assert (scores[~positive] >= threshold).mean() == pytest.approx((scores[positive] < threshold).mean(), abs=2e-3)

    def test_lies_in_the_gap_of_what_can_be_separated(self):
        assert equal_error_threshold([1.0, 2, 6, 9], [False, False, True, True]) == 4

    def test_is_missing_with_one_class(self):
        assert np.isnan(equal_error_threshold([1.0, 2], [True, True]))

    @given(scored())
    def test_follows_a_monotone_transform(self, frames):
        """Scaling scores scales the threshold, so that the same frames are called positive."""
        scores, positive = frames
        called = scores >= equal_error_threshold(scores, positive)
        np.testing.assert_array_equal(called, 4 * scores >= equal_error_threshold(4 * scores, positive))
