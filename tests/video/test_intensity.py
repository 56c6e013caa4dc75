from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.intensity import (
    apply_scaling,
    as_rgb,
    sampled_frame_indices,
    scaling_from_frames,
    scaling_from_limits,
)

FINITE = st.floats(-1e300, 1e300, allow_nan=False, allow_infinity=False)
FRAMES = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.uint16, np.int32]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)


@given(FINITE, FINITE, hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(allow_nan=False)))
def test_scaling_is_monotonic_and_hits_both_ends(a: float, b: float, values: np.ndarray) -> None:
    low, high = sorted((a, b))
    if low == high:
        high = math.nextafter(low, math.inf)
    scaling = scaling_from_limits((low, high))
    scaled = apply_scaling(np.sort(values), scaling)
    assert scaled.dtype == np.uint8
    assert (np.diff(scaled.astype(int)) >= 0).all()
    assert apply_scaling(np.array([low, high]), scaling).tolist() == [0, 255]
    assert apply_scaling(np.array([-np.inf, np.inf]), scaling).tolist() == [0, 255]


@given(FRAMES)
def test_percentile_scaling_of_any_finite_frame(frame: np.ndarray) -> None:
    frame = np.where(np.isfinite(frame), frame, 0).astype(frame.dtype)
    with np.errstate(over="ignore"):
        is_too_wide = not math.isfinite(float(frame.max()) - float(frame.min()))
    if is_too_wide:
        return
    scaling = scaling_from_frames([frame])
    assert scaling.low < scaling.high
    assert scaling.origin == "percentiles 0.1-99.9"
    order = np.argsort(frame, axis=None)
    assert (np.diff(apply_scaling(frame, scaling).ravel()[order].astype(int)) >= 0).all()


def test_formula_is_the_documented_one() -> None:
    frame = np.array([[90, 100, 149, 200, 300]], dtype=np.uint16)
    assert apply_scaling(frame, scaling_from_limits((100, 200))).tolist() == [[0, 0, 125, 255, 255]]


def test_percentiles_leave_out_the_outermost_thousandths_and_what_is_not_finite() -> None:
    frame = np.linspace(0, 1, 100_000).reshape(250, 400)
    frame[0, :50], frame[1, :50], frame[2, 0], frame[3, 0] = -1e6, 1e6, np.nan, np.inf
    scaling = scaling_from_frames([frame])
    assert scaling.low == pytest.approx(np.percentile(frame[np.isfinite(frame)], 0.1), abs=1e-4)
    assert scaling.high == pytest.approx(np.percentile(frame[np.isfinite(frame)], 99.9), abs=1e-4)


def test_a_subsampled_large_frame_gives_nearly_the_same_percentiles() -> None:
    frame = np.random.default_rng(0).normal(size=(1500, 2000))
    scaling = scaling_from_frames([frame])
    assert scaling.low == pytest.approx(np.percentile(frame, 0.1), abs=0.1)
    assert scaling.high == pytest.approx(np.percentile(frame, 99.9), abs=0.1)


@pytest.mark.parametrize("value", [0.0, 7.5, -1e308, 1e17])
def test_a_constant_video_is_black(value: float) -> None:
    frame = np.full((4, 5), value)
    assert not apply_scaling(frame, scaling_from_frames([frame])).any()


def test_high_offset_keeps_neighbouring_values_apart() -> None:
    frame = np.arange(256, dtype=np.float64)[None] + 2.0**40
    scaled = apply_scaling(frame, scaling_from_limits((2.0**40, 2.0**40 + 255)))
    assert scaled[0].tolist() == list(range(256))


@given(st.integers(1, 5000), st.integers(1, 64))
def test_sampled_frames_are_spread_from_first_to_last(num_frames: int, count: int) -> None:
    indices = sampled_frame_indices(num_frames, count)
    assert len(indices) == min(num_frames, count)
    assert indices[0] == 0
    assert indices[-1] == (num_frames - 1 if count > 1 else 0)
    if len(indices) > 2:
        assert max(np.diff(indices)) - min(np.diff(indices)) <= 1


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (0, math.inf), (math.nan, 1), (-1.7e308, 1.7e308)])
def test_limits_that_are_no_interval(limits: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"The contrast limits .* can't be used: give two finite numbers"):
        scaling_from_limits(limits)


def test_frames_without_a_number() -> None:
    with pytest.raises(InputError, match="hold no finite intensity"):
        scaling_from_frames([np.full((3, 3), np.nan)])


def test_values_too_far_apart() -> None:
    with pytest.raises(InputError, match="too far apart: rescale the video"):
        scaling_from_frames([np.array([[-1.7e308, 1.7e308]])])


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_as_rgb_repeats_gray_and_drops_alpha_in_a_new_array(shape: tuple[int, ...]) -> None:
    frame = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    rgb = as_rgb(frame)
    assert rgb.shape == (4, 5, 3)
    assert rgb.flags.c_contiguous
    assert not np.shares_memory(rgb, frame)
    for channel in range(3):
        np.testing.assert_array_equal(rgb[..., channel], frame if frame.ndim == 2 else frame[..., channel])
