"""What a cover does to pointers, against SciPy and by hand; contrasts of regions by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from napari_sam2_probe.analysis.contrast import region_contrasts
from napari_sam2_probe.analysis.cover import cover_effect


def clips(seed: int = 0):
    rng = np.random.default_rng(seed)
    fractions, distances = [], []
    for k in range(6):
        fraction = np.clip(np.sin(np.linspace(-0.6, np.pi + 0.6, 20)), 0, None).round(2)
        distance = 3 * k + 2 * fraction + rng.normal(0, 0.1, 20)
        distance[15:] += 1.5
        distance[0] = np.nan
        fractions.append(fraction)
        distances.append(distance)
    return distances, fractions, list("aabbcc")


def test_correlations_within_clips_are_scipys_means():
    distances, fractions, groups = clips()
    found = cover_effect(distances, fractions, groups)
    expected = [
        f(d[1:], x[1:]).statistic for f in (pearsonr, spearmanr) for d, x in zip(distances, fractions, strict=True)
    ]
    assert found.pearson.value == pytest.approx(np.mean(expected[:6]))
    assert found.spearman.value == pytest.approx(np.mean(expected[6:]))
    # Pooled, the differences between clips drown it.
    pooled = pearsonr(np.concatenate([d[1:] for d in distances]), np.concatenate([x[1:] for x in fractions])).statistic
    assert pooled < 0.3 < found.pearson.low


def test_what_is_left_after_a_cover():
    distances, fractions, groups = clips()
    found = cover_effect(distances, fractions, groups)
    after = [np.nanmean(d[(x == 0) & (np.arange(20) > 5)]) for d, x in zip(distances, fractions, strict=True)]
    before = [np.nanmean(d[(x == 0) & (np.arange(20) < 5)]) for d, x in zip(distances, fractions, strict=True)]
    assert found.difference.value == pytest.approx(np.mean(np.subtract(after, before)))
    assert found.difference.low > 1
    assert found.clips == (6, 6, 6, 6)


def test_clips_that_say_nothing_are_left_out():
    flat = np.ones(20)
    found = cover_effect([flat, np.full(20, np.nan)], [np.zeros(20), np.linspace(0, 1, 20)], ["a", "b"])
    assert found.clips == (0, 0, 0, 0)
    assert np.isnan(found.pearson.value)
    assert found.difference.reason


def test_contrasts_by_hand():
    rng = np.random.default_rng(1)
    values = []
    for _ in range(4):
        clip = np.stack([np.full(10, 3.0), np.full(10, 1.0), rng.normal(0, 1, 10)], axis=1)
        clip[5:, 1] = np.nan
        values.append(clip)
    object_context, other_context, object_other = region_contrasts(values, list("aabb"))
    assert (object_other.contrast.value, object_other.higher.value) == (0.5, 1.0)
    assert object_other.clips == 4
    by_hand = [np.mean((c[:, 0] - c[:, 2]) / (np.abs(c[:, 0]) + np.abs(c[:, 2]))) for c in values]
    assert object_context.contrast.value == pytest.approx(np.mean(by_hand))
    assert other_context.higher.value == pytest.approx(np.mean([np.mean(c[:5, 1] > c[:5, 2]) for c in values]))
    late = [np.arange(10) >= 5] * 4
    assert region_contrasts(values, list("aabb"), late)[1].clips == 0
