"""How many clips a batch is given: what fits, never none, never more than help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.probe.batch_size import CPU_CLIPS, MOST_CLIPS, batch_size_for, choose_batch_size
from napari_sam2_probe.tracking.results import SessionOptions


def test_on_a_cpu_the_number_is_fixed(twins):
    _, model, flags = twins(gate="open")
    assert choose_batch_size(model, SessionOptions(flags=flags)) == CPU_CLIPS


@given(free=st.integers(0, 10**12), fixed=st.integers(0, 10**9), clip=st.integers(1, 10**9))
def test_what_is_chosen_fits_and_one_more_would_not(free, fixed, clip):
    chosen = batch_size_for(free, lambda clips: fixed + clips * clip)
    assert 1 <= chosen <= MOST_CLIPS
    if chosen > 1:
        assert fixed + chosen * clip <= 0.8 * free + 1
    if chosen < MOST_CLIPS:
        assert fixed + (chosen + 1) * clip > 0.8 * free - 1


def test_a_peak_that_does_not_grow_is_no_division_by_zero():
    assert batch_size_for(10**9, lambda _clips: 1000) == MOST_CLIPS


def test_measured_on_a_gpu(twins):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    _, model, flags = twins(gate="open")
    try:
        assert choose_batch_size(model.to("cuda"), SessionOptions(flags=flags)) > 1
    finally:
        model.to("cpu")
