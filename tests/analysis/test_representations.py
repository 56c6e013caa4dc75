"""Linear probes, CKA, and object or context, against scikit-learn, definitions written out, and what is built in."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from napari_sam2_probe.analysis.cka import cka_estimate, unbiased_cka
from napari_sam2_probe.analysis.linear_probe import PENALTY, ProbeData, probe_classes, probe_numbers, ridge
from napari_sam2_probe.analysis.object_or_context import mean_correlation, object_or_context


def hsic_by_definition(k: np.ndarray, m: np.ndarray) -> float:
    """The U-statistic of Song et al., equation 4: a mean over all ordered quadruples of different things."""
    n = len(k)
    values = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(n), 4)]
    return float(np.mean(values))


def test_unbiased_cka_is_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 5)), rng.normal(size=(7, 3)) + 2
    k, m = x @ x.T, y @ y.T
    expected = hsic_by_definition(k, m) / np.sqrt(hsic_by_definition(k, k) * hsic_by_definition(m, m))
    assert unbiased_cka(x, y) == pytest.approx(expected, rel=1e-9)


def test_frames_of_a_clip_count_as_one_thing():
    rng = np.random.default_rng(7)
    # Two representations with nothing in common, each the same on all frames of a clip.
    first, second = (np.repeat(rng.normal(size=(30, 1, 8)), 6, axis=1) for _ in range(2))
    found = cka_estimate([(first[:, t], second[:, t]) for t in range(6)], [f"s{k // 3}" for k in range(30)])
    assert found.low < 0.05
    assert abs(found.value) < 0.12
    pooled = unbiased_cka(*(one.reshape(180, 8) for one in (first, second)))
    assert pooled > found.value + 0.1


def test_cka_knows_rotations_and_is_not_fooled_by_many_channels():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert unbiased_cka(x, 3 * x @ rotation + 5) == pytest.approx(1)
    wide = [rng.normal(size=(20, 2000)) for _ in range(2)]
    centred = [w - w.mean(0) for w in wide]
    biased = np.linalg.norm(centred[0].T @ centred[1]) ** 2
    biased /= np.linalg.norm(centred[0].T @ centred[0]) * np.linalg.norm(centred[1].T @ centred[1])
    assert biased > 0.9
    assert abs(unbiased_cka(*wide)) < 0.2
    found = cka_estimate([wide], np.repeat(list("abcd"), 5))
    assert found.low < 0 < found.high


@pytest.mark.parametrize("channels", [5, 90])
def test_the_probe_is_scikit_learns_ridge(channels):
    rng = np.random.default_rng(2)
    x, y, others = rng.normal(3, 2, (60, channels)), rng.normal(size=(60, 2)), rng.normal(3, 2, (10, channels))
    scaler = StandardScaler().fit(x)
    expected = Ridge(alpha=PENALTY * 60).fit(scaler.transform(x), y).predict(scaler.transform(others))
    np.testing.assert_allclose(ridge(x, y, others), expected, atol=1e-9)


def rows(signal: float, seed: int = 3):
    rng = np.random.default_rng(seed)
    clips = np.repeat([f"c{k}" for k in range(16)], 12)
    base = np.repeat([f"s{k // 2}" for k in range(16)], 12)
    labels = np.tile(np.arange(12) < 4, 16)
    embeddings = rng.normal(size=(192, 10))
    embeddings[:, 0] += signal * labels
    # Every clip is easily told from every other, which must not help.
    embeddings[:, 1] += np.repeat(rng.normal(0, 20, 16), 12)
    embeddings[0] = np.nan
    return ProbeData(embeddings, labels, clips, base), {f"c{k}": {f"s{k // 2}"} for k in range(16)}


def test_a_probe_finds_what_is_there_and_nothing_else():
    there, sequences = rows(3)
    found = probe_classes(there, sequences, num_resamples=200)
    assert found.value.low > 0.9
    assert found.selectivity.low > 0.2
    assert (found.rows, found.clips) == (191, 16)
    nothing = [probe_classes(rows(0, seed)[0], sequences, num_resamples=5) for seed in range(60)]
    assert abs(np.mean([found.value.value for found in nothing]) - 0.5) < 0.03
    # Nor below: what is held out lies on the other side of the mean of what is fitted to.
    assert abs(np.mean([found.shuffled.value for found in nothing]) - 0.5) < 0.03


def test_numbers_beside_their_mean():
    data, sequences = rows(0)
    rng = np.random.default_rng(4)
    targets = np.stack([data.embeddings[:, 2], data.embeddings[:, 3]], axis=1) + rng.normal(0, 0.1, (192, 2))
    data = ProbeData(data.embeddings, targets, data.clips, data.base)
    found, mean, gain = probe_numbers(data, sequences, lambda a, b: -np.abs(a - b).mean(axis=1), num_resamples=200)
    assert found.value.low > mean.high
    assert gain.value == pytest.approx(found.value.value - mean.value)
    assert found.selectivity.low > 0.3


def test_correlations_over_pairs_are_numpys():
    rng = np.random.default_rng(5)
    a, b = rng.normal(100, 1, (9, 4)), rng.normal(size=(9, 4))
    b[:, :2] += a[:, :2]
    a[:, 3] = 1
    weights = np.stack([np.ones(9), np.bincount([0, 0, 1, 3, 4, 5, 7, 8, 8], minlength=9)])
    expected = []
    for row in weights.astype(int):
        drawn = np.repeat(np.arange(9), row)
        expected.append(np.mean([np.corrcoef(a[drawn, c], b[drawn, c])[0, 1] for c in range(3)]))
    np.testing.assert_allclose(mean_correlation(a, b, weights), expected, rtol=1e-9)


@pytest.mark.parametrize(("object_weight", "low", "high"), [(1.0, 0.9, 1.0), (0.5, 0.35, 0.65), (0.0, 0.0, 0.1)])
def test_object_or_context_finds_what_was_built_in(object_weight, low, high):
    rng = np.random.default_rng(6)
    groups = [f"s{k % 8}" for k in range(40)]

    def pair(weight: float):
        shared = rng.normal(size=(40, 30))
        return tuple(np.sqrt(weight) * shared + np.sqrt(1 - weight) * rng.normal(size=(40, 30)) for _ in range(2))

    found = object_or_context(pair(object_weight), groups, pair(1 - object_weight), groups, num_resamples=200)
    assert low <= found.object_share.value <= high
    assert found.pairs == (40, 40)
    assert found.object_share.low <= found.object_share.value <= found.object_share.high
