"""Intensities that are not uint8 become uint8, by one linear scaling for the whole video."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.source import IntensityScaling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

PERCENTILES = (0.1, 99.9)
"""The percentiles of the sampled intensities that become 0 and 255."""

NUM_SAMPLED_FRAMES = 16
"""How many frames, evenly spread over the video, the percentiles are computed from."""

# Enough for stable percentiles; without a limit 16 frames of 4K video would be sorted whole.
_PIXELS_PER_FRAME = 1 << 17

BOOLEAN_SCALING = IntensityScaling(0.0, 1.0, "boolean")
"""False becomes 0, True becomes 255."""


def sampled_frame_indices(num_frames: int, count: int = NUM_SAMPLED_FRAMES) -> list[int]:
    """Return at most `count` frame indices spread evenly from the first frame to the last."""
    return sorted({round(i) for i in np.linspace(0, num_frames - 1, min(count, num_frames))})


def scaling_from_limits(limits: tuple[float, float]) -> IntensityScaling:
    """Return the scaling that maps the contrast `limits` (low, high) to 0 and 255.

    Raises
    ------
    InputError
        If a limit is not finite or low is not below high.
    """
    low, high = float(limits[0]), float(limits[1])
    if not (math.isfinite(high - low) and low < high):
        raise InputError(
            f"The contrast limits {low:g} and {high:g} can't be used: give two finite numbers, the lower one first."
        )
    return IntensityScaling(low, high, "contrast limits")


def scaling_from_frames(frames: Iterable[NDArray[Any]]) -> IntensityScaling:
    """Return the scaling by percentiles 0.1-99.9 of the intensities in `frames`.

    NaN and infinite values are left out. A video of one single value is mapped to black.

    Parameters
    ----------
    frames
        Sampled frames, each (H, W) or (H, W, C), any real dtype. Large ones are subsampled on a regular grid.

    Raises
    ------
    InputError
        If the frames hold no finite value, or values so far apart that their difference overflows.
    """
    samples = []
    for frame in frames:
        step = max(1, math.isqrt(frame.shape[0] * frame.shape[1] // _PIXELS_PER_FRAME))
        values = frame[::step, ::step].astype(np.float64).ravel()
        samples.append(values[np.isfinite(values)])
    values = np.concatenate(samples)
    if values.size == 0:
        raise InputError("The sampled frames hold no finite intensity: give a video that holds numbers.")
    # Not interpolated: between two huge values of opposite sign interpolation overflows.
    low, high = (float(v) for v in np.percentile(values, PERCENTILES, method="nearest"))
    if not math.isfinite(high - low):
        raise InputError(f"The intensities from {low:g} to {high:g} are too far apart: rescale the video.")
    if high == low:
        high = max(low + 1.0, math.nextafter(low, math.inf))
    return IntensityScaling(low, high, f"percentiles {PERCENTILES[0]}-{PERCENTILES[1]}")


def sampled_scaling(num_frames: int, read: Callable[[int], NDArray[Any]]) -> IntensityScaling:
    """Return the scaling of a video by percentiles of frames that `read` gives for evenly spread indices."""
    return scaling_from_frames(read(i) for i in sampled_frame_indices(num_frames))


def apply_scaling(frame: NDArray[Any], scaling: IntensityScaling) -> NDArray[np.uint8]:
    """Return `frame` as uint8: ``clip((x - low) / (high - low), 0, 1) * 255``, rounded to the nearest integer.

    Parameters
    ----------
    frame
        Any shape, any real dtype, no NaN.
    scaling
        The scaling of the video.
    """
    # In float64 whatever the input: float32 would merge neighbouring values of high offset.
    scaled = np.clip(frame.astype(np.float64), scaling.low, scaling.high)
    scaled -= scaling.low
    scaled /= scaling.high - scaling.low
    scaled *= 255
    return np.rint(scaled, out=scaled).astype(np.uint8)


def as_rgb(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W), (H, W, 3) or (H, W, 4) as a new (H, W, 3) array: gray repeated, alpha left out."""
    if frame.ndim == 2:
        return np.repeat(frame[..., np.newaxis], 3, axis=2)
    return frame[..., :3].copy()
