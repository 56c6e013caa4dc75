"""Pointers in two dimensions, and their distance against how much of the object is obscured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from napari_sam2_probe.analysis.pointers import obscuration_response, project_pointers, twin_distances
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder.boxes import box_edges


def pointers(seed, num_frames=28, channels=256):
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((num_frames, channels)) * np.geomspace(1, 0.1, channels)
    return np.cumsum(steps, axis=0).astype(np.float32)


class TestProjection:
    def test_equals_scikit_learn(self):
        first, second = pointers(0), pointers(1, num_frames=20)
        projection = project_pointers([first, second])
        pca = PCA(n_components=2, svd_solver="full").fit(np.concatenate([first, second]).astype(np.float64))
        for ours, run in zip(projection.coordinates, (first, second), strict=True):
            theirs = pca.transform(run.astype(np.float64))
            signs = np.sign((ours * theirs).sum(axis=0))
            np.testing.assert_allclose(ours, theirs * signs, atol=1e-9)
        np.testing.assert_allclose(projection.explained_variance_ratio, pca.explained_variance_ratio_)
        np.testing.assert_allclose(projection.mean, pca.mean_)

    def test_pointers_of_models_that_differ_are_refused(self):
        with pytest.raises(InputError, match="of 8 and 256 numbers"):
            project_pointers([pointers(0), pointers(1, channels=8)])
        with pytest.raises(InputError, match="one model"):
            twin_distances(pointers(0), range(28), pointers(1, channels=8), range(28))

    def test_the_sign_is_fixed(self):
        components = project_pointers([pointers(3)]).components
        for row in components:
            assert row[np.abs(row).argmax()] > 0
        # Mirrored pointers have the same axes, so mirrored coordinates.
        there, back = project_pointers([pointers(3)]), project_pointers([-pointers(3)])
        np.testing.assert_allclose(there.coordinates[0], -back.coordinates[0], atol=1e-9)

    def test_frames_without_pointer_are_left_out_and_stay_nan(self):
        run = pointers(4)
        gaps = run.copy()
        gaps[[2, 9]] = np.nan
        projection = project_pointers([gaps])
        assert np.flatnonzero(np.isnan(projection.coordinates[0]).any(axis=1)).tolist() == [2, 9]
        without = project_pointers([np.delete(run, [2, 9], axis=0)])
        np.testing.assert_allclose(np.delete(projection.coordinates[0], [2, 9], axis=0), without.coordinates[0])

    def test_pointers_that_are_all_the_same(self):
        same = np.repeat(pointers(5, num_frames=1), 17, axis=0)
        projection = project_pointers([same])
        np.testing.assert_allclose(projection.coordinates[0], 0, atol=1e-12)
        np.testing.assert_array_equal(projection.explained_variance_ratio, 0)

    def test_two_different_pointers_span_one_axis(self):
        run = np.repeat(pointers(6, num_frames=2), [3, 4], axis=0)
        projection = project_pointers([run])
        np.testing.assert_allclose(projection.explained_variance_ratio, [1, 0])
        distance = np.linalg.norm(run[0].astype(np.float64) - run[-1])
        assert abs(projection.coordinates[0][0, 0] - projection.coordinates[0][-1, 0]) == pytest.approx(distance)

    @pytest.mark.parametrize("runs", [[], [np.full((3, 8), np.nan)]])
    def test_nothing_to_project(self, runs):
        with pytest.raises(InputError, match="no object pointer"):
            project_pointers(runs)


class TestTwinDistances:
    def test_frames_are_matched_by_source_frame(self):
        twin = pointers(0, num_frames=6)
        clip = twin[[3, 1, 5]] + np.float32(1)
        distances = twin_distances(clip, [13, 11, 15], twin, range(10, 16))
        np.testing.assert_allclose(distances, 16, rtol=1e-5)

    def test_other_sequences_and_gaps_have_no_distance(self):
        twin = pointers(0, num_frames=4)
        clip = twin.copy()
        clip[1] = np.nan
        frames = [("dog", 0), ("dog", 1), ("cat", 2), ("dog", 9)]
        distances = twin_distances(clip, frames, twin, [("dog", n) for n in range(4)])
        np.testing.assert_array_equal(distances, [0, np.nan, np.nan, np.nan])


class TestObscuration:
    def clips(self, num_clips=8, num_frames=20):
        rng = np.random.default_rng(7)
        fractions = [np.clip(rng.uniform(-0.3, 1, num_frames), 0, 1) for _ in range(num_clips)]
        distances = [3 * f + rng.normal(0, 1) + rng.normal(0, 0.3, num_frames) for f in fractions]
        return distances, fractions

    def test_coefficients_equal_scipy(self):
        distances, fractions = self.clips()
        response = obscuration_response(distances, fractions)
        pooled = np.concatenate(distances), np.concatenate(fractions)
        for ours, theirs in (
            (response.pearson, stats.pearsonr(*pooled)),
            (response.spearman, stats.spearmanr(*pooled)),
        ):
            assert ours.coefficient == pytest.approx(theirs.statistic)
            assert ours.naive_p_value == pytest.approx(theirs.pvalue, rel=1e-6)
            assert ours.interval is not None
            assert ours.interval[0] < ours.coefficient < ours.interval[1]
            assert (ours.num_clips, ours.num_frames) == (8, 160)

    def test_clips_are_resampled_not_frames(self):
        """Ten copies of a clip's frames add nothing: the interval stays as wide."""
        distances, fractions = self.clips()
        once = obscuration_response(distances, fractions)
        tenfold = obscuration_response([np.tile(d, 10) for d in distances], [np.tile(f, 10) for f in fractions])
        np.testing.assert_allclose(tenfold.pearson.interval, once.pearson.interval, atol=1e-9)
        assert tenfold.pearson.naive_p_value < once.pearson.naive_p_value

    def test_interval_covers_as_scipy_bootstrap_does(self):
        distances, fractions = self.clips(num_clips=12)

        def pearson(indices):
            return stats.pearsonr(
                np.concatenate([distances[i] for i in indices]), np.concatenate([fractions[i] for i in indices])
            ).statistic

        theirs = stats.bootstrap(
            (np.arange(12),), pearson, n_resamples=2000, method="percentile", vectorized=False, rng=1
        ).confidence_interval
        ours = obscuration_response(distances, fractions).pearson.interval
        np.testing.assert_allclose(ours, theirs, atol=0.03)

    @pytest.mark.parametrize("name", ["pearson", "spearman"])
    def test_equals_resamples_written_out(self, name):
        """Rounded, so that there are ties within and between clips."""
        distances, fractions = self.clips(num_clips=5, num_frames=8)
        distances, fractions = [d.round() for d in distances], [f.round(1) for f in fractions]
        response = obscuration_response(distances, fractions, num_resamples=50, seed=3)
        coefficients = []
        for drawn in np.random.default_rng(3).integers(5, size=(50, 5)):
            pooled = (np.concatenate([values[i] for i in drawn]) for values in (distances, fractions))
            coefficients.append(getattr(stats, f"{name}r")(*pooled).statistic)
        np.testing.assert_allclose(getattr(response, name).interval, np.quantile(coefficients, [0.025, 0.975]))

    def test_source_sequences_can_be_resampled(self):
        """Copies of clips under their sequence's name add nothing."""
        distances, fractions = self.clips(num_clips=6)
        names = [f"sequence-{n}" for n in range(6)]
        once = obscuration_response(distances, fractions, source_sequences=names).spearman
        twice = obscuration_response(distances * 2, fractions * 2, source_sequences=names * 2).spearman
        np.testing.assert_allclose(twice.interval, once.interval, atol=1e-9)
        assert "6 source sequences" in str(twice)
        alone = obscuration_response(distances, fractions, source_sequences=["one"] * 6).spearman
        assert alone.interval is None
        assert "one source sequence, so no interval" in str(alone)

    def test_the_seed_decides(self):
        clips = self.clips()
        assert obscuration_response(*clips, seed=1).pearson == obscuration_response(*clips, seed=1).pearson
        assert obscuration_response(*clips, seed=1).pearson != obscuration_response(*clips, seed=2).pearson

    def test_one_clip_has_no_interval_and_says_so(self):
        distances, fractions = self.clips(num_clips=1)
        response = obscuration_response(distances, fractions)
        assert response.pearson.interval is None
        assert "one clip" in str(response.pearson)
        assert "naive p" in str(response.pearson)
        assert "8 clips" in str(obscuration_response(*self.clips()).spearman)

    def test_frames_without_either_are_left_out_and_zeros_marked(self):
        response = obscuration_response([[1.0, np.nan, 2.0, 3.0], [np.nan, 4.0]], [[0.0, 0.5, np.nan, 0.2], [0.0, 0.0]])
        np.testing.assert_array_equal(response.distance, [1, 3, 4])
        np.testing.assert_array_equal(response.clip_index, [0, 0, 1])
        np.testing.assert_array_equal(response.frame_index, [0, 3, 1])
        np.testing.assert_array_equal(response.unobscured, [True, False, True])

    @pytest.mark.parametrize(
        ("distances", "fractions"),
        [([], []), ([[np.nan]], [[0.5]]), ([[1.0, 1, 1], [1, 1, 1]], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])],
    )
    def test_where_no_correlation_exists(self, distances, fractions):
        correlation = obscuration_response(distances, fractions).spearman
        assert np.isnan(correlation.coefficient)
        assert correlation.interval is None
        assert "undefined" in str(correlation)


class TestBoxes:
    def test_edges_are_outer_and_relative(self):
        mask = np.zeros((10, 20), bool)
        mask[2:5, 4:10] = True
        np.testing.assert_allclose(box_edges(mask), [0.2, 0.2, 0.5, 0.5])
        np.testing.assert_array_equal(box_edges(np.ones((3, 7), bool)), [0, 0, 1, 1])

    def test_over_time(self):
        masks = np.zeros((3, 8, 8), np.uint8)
        masks[0, 0, 0] = 2
        masks[2, 7, 7] = 2
        masks[1] = 1
        edges = np.stack([box_edges(labels == 2) for labels in masks])
        np.testing.assert_allclose(edges, [[0, 0, 1 / 8, 1 / 8], [np.nan] * 4, [7 / 8, 7 / 8, 1, 1]])
