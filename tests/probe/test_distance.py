"""Equation 1 on small vectors whose distances can be worked out, and against NumPy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.captured import reference_features
from napari_sam2_probe.probe import distance
from napari_sam2_probe.probe.distance import FeatureOptions, ReferenceRing


def ring_of(*references, options=None):
    ring = ReferenceRing(options or FeatureOptions())
    for reference in references:
        ring.push(torch.tensor([reference]))
    return ring


def test_no_reference_no_distance():
    ring = ring_of()
    assert math.isnan(ring.short_term(torch.zeros(1, 3)).item())
    assert math.isnan(ring.long_term(torch.zeros(1, 3)).item())


def test_one_reference_gives_the_plain_distance_only():
    ring = ring_of([0.0, 0.0])
    assert ring.short_term(torch.tensor([[3.0, 4.0]])).item() == 5.0
    assert math.isnan(ring.long_term(torch.tensor([[3.0, 4.0]])).item())


def test_two_references_divide_by_the_population_variance():
    ring = ring_of([0.0, 0.0], [2.0, 4.0])
    # Means 1 and 2, variances 1 and 4.
    expected = math.hypot((4 - 1) / (1 + 1e-6), (10 - 2) / (4 + 1e-6))
    assert ring.long_term(torch.tensor([[4.0, 10.0]])).item() == pytest.approx(expected, rel=1e-6)
    assert ring.short_term(torch.tensor([[2.0, 5.0]])).item() == 1.0


def test_options_change_the_denominator():
    ring = ring_of([0.0], [4.0], options=FeatureOptions(denominator="standard deviation", epsilon=0.5))
    assert ring.long_term(torch.tensor([[7.0]])).item() == pytest.approx(5 / 2.5)


def test_the_oldest_of_six_goes():
    ring = ring_of(*[[float(k)] for k in range(6)])
    assert ring.long_term(torch.tensor([[3.0]])).item() == pytest.approx(0.0, abs=1e-6)
    assert ring.short_term(torch.tensor([[3.0]])).item() == 2.0


def test_elements_that_never_changed_have_no_variance_at_all():
    """Rounding errors in their mean would be weighed against epsilon and could outweigh everything else."""
    still = float(np.float32(0.1))
    ring = ring_of(*[[still]] * 3, options=FeatureOptions(denominator="standard deviation"))
    moved = np.float32(still) + np.float32(1)
    assert ring.long_term(torch.tensor([[float(moved)]])).item() == pytest.approx((moved - np.float32(still)) / 1e-6)


def test_a_reference_without_an_embedding_makes_distances_nan():
    ring = ring_of([1.0])
    ring.push(None)
    assert math.isnan(ring.short_term(torch.tensor([[1.0]])).item())
    assert math.isnan(ring.long_term(torch.tensor([[1.0]])).item())
    for value in (1.0, 2.0, 3.0, 4.0):
        ring.push(torch.tensor([[value]]))
        assert math.isnan(ring.long_term(torch.tensor([[1.0]])).item())
    assert ring.short_term(torch.tensor([[1.0]])).item() == 3.0
    ring.push(torch.tensor([[5.0]]))
    assert ring.long_term(torch.tensor([[3.0]])).item() == pytest.approx(0.0, abs=1e-6)


def test_a_missing_first_reference_counts_too():
    ring = ReferenceRing(FeatureOptions())
    ring.push(None)
    assert math.isnan(ring.short_term(torch.ones(1, 2)).item())
    ring.push(torch.ones(1, 2))
    assert ring.short_term(torch.ones(1, 2)).item() == 0.0
    # With one reference it would be without a number for want of a second.
    ring.push(torch.ones(1, 2))
    assert math.isnan(ring.long_term(torch.ones(1, 2)).item())


def test_clear_forgets():
    ring = ring_of([1.0], [2.0])
    ring.clear()
    assert math.isnan(ring.short_term(torch.tensor([[1.0]])).item())
    ring.push(torch.tensor([[4.0]]))
    assert ring.short_term(torch.tensor([[1.0]])).item() == 3.0
    assert math.isnan(ring.long_term(torch.tensor([[1.0]])).item())


def test_references_are_kept_in_float32_and_not_shared_with_the_caller():
    embedding = torch.ones(1, 4, dtype=torch.bfloat16)
    ring = ReferenceRing(FeatureOptions())
    ring.push(embedding)
    embedding.zero_()
    result = ring.short_term(torch.ones(1, 4, dtype=torch.bfloat16))
    assert result.item() == 0.0
    assert result.dtype is torch.float32


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 8),
    size=st.sampled_from([1, 5, 63, 64, 65, 200]),
    power=st.sampled_from([1.0, 0.5]),
)
def test_equal_to_numpy_over_any_number_of_pieces(seed, count, size, power):
    rng = np.random.default_rng(seed)
    embeddings = {t: rng.normal(size=size).astype(np.float32) for t in range(count + 1)}
    options = FeatureOptions(denominator="variance" if power == 1.0 else "standard deviation", epsilon=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distance, "_PIECE", 64)
        ring = ReferenceRing(options)
        for t in range(count):
            ring.push(torch.from_numpy(embeddings[t])[None])
        short, long = (f(torch.from_numpy(embeddings[count])[None]) for f in (ring.short_term, ring.long_term))
    exact = {t: e.astype(np.float64) for t, e in embeddings.items()}
    everywhere = dict.fromkeys(embeddings, True)
    expected = reference_features(exact, everywhere, list(range(count + 1)), power=power, epsilon=1e-3)[count]
    assert short.item() == pytest.approx(expected[0], rel=1e-5)
    if count < 2:
        assert math.isnan(long.item())
    else:
        assert long.item() == pytest.approx(expected[1], rel=2e-3)
