"""Channel statistics against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam2_probe.probe.statistics import channel_statistics


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)),
        elements=st.floats(-1e3, 1e3, width=32),
    )
)
def test_equal_to_numpy(array):
    mean, variance = channel_statistics(torch.from_numpy(array)).numpy()[0]
    exact = array[0].astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=1e-4, atol=1e-2)


def test_clips_of_a_batch_are_each_by_itself():
    tensor = torch.randn(3, 8, 4, 5, generator=torch.Generator().manual_seed(1))
    together = channel_statistics(tensor)
    for k in range(3):
        torch.testing.assert_close(together[k], channel_statistics(tensor[k : k + 1])[0])


def test_variance_is_the_populations():
    tensor = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)
    assert channel_statistics(tensor).flatten().tolist() == [2.0, 1.0]


def test_a_large_offset_does_not_drown_the_variance():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    shifted = channel_statistics(values + 4096)[0]
    assert shifted[1].item() == pytest.approx(1.25, rel=1e-6)


def test_a_bfloat16_tensor_is_reduced_in_float32():
    tensor = torch.randn(1, 256, 3, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    result = channel_statistics(tensor)[0]
    assert result.dtype is torch.float32
    assert result.shape == (2, 3, 4)
    torch.testing.assert_close(result[0], tensor[0].double().mean(dim=0).float(), rtol=1e-5, atol=1e-6)
