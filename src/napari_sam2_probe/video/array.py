"""A video that is an array: what a napari image layer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.fingerprint import fingerprint_frames
from napari_sam2_probe.video.intensity import (
    BOOLEAN_SCALING,
    apply_scaling,
    as_rgb,
    sampled_scaling,
    scaling_from_limits,
)
from napari_sam2_probe.video.lazy_frames import read_frame
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import IntensityScaling


class ArraySource:
    """Frames of a NumPy, dask, zarr or like array, read one at a time.

    Parameters
    ----------
    array
        (T, H, W) gray or (T, H, W, 3|4) RGB(A): anything with ``shape``, ``dtype`` and indexing by frame. bool,
        integers or floats; the alpha channel is left out. uint8 is taken as it is; anything else is scaled, bool
        so that True becomes 255.
    name
        A short name for titles and tables.
    contrast_limits
        The intensities (low, high) that become 0 and 255. Without them the percentiles 0.1-99.9 of frames sampled
        now, at most 16, are used. uint8 and bool are never scaled by them.
    path
        Where the array lies, if it lies somewhere.

    Raises
    ------
    InputError
        If the array hasn't such a shape or dtype, is empty, or the contrast limits can't be used.
    """

    def __init__(
        self,
        array: Any,
        *,
        name: str = "array",
        contrast_limits: tuple[float, float] | None = None,
        path: str | None = None,
    ) -> None:
        shape, dtype = _checked_shape_and_dtype(array, name)
        self._array = array
        self._shape = shape
        self._dtype = dtype
        self.name = name
        self.path = path
        self.num_frames, self.height, self.width = shape[:3]
        self.fps: float | None = None
        self.scaling = self._make_scaling(contrast_limits)

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as (H, W, 3) uint8 RGB.

        Raises
        ------
        InputError
            If there is no such frame, the array can't give it as it promised, or it holds NaN.
        """
        check_frame_idx(self, frame_idx)
        frame = self._read_raw(frame_idx)
        if self._dtype.kind == "f" and np.isnan(frame).any():
            raise InputError(
                f"Frame {frame_idx} of {self.name} holds NaN: fill the missing values (for example with 0) first."
            )
        if self.scaling is not None:
            frame = apply_scaling(frame, self.scaling)
        return as_rgb(frame)

    def fingerprint(self) -> str:
        """Return a hash of shape, dtype, scaling and of the first, middle and last frame."""
        return fingerprint_frames(self._shape, self._dtype, self.scaling, self._read_raw)

    def close(self) -> None:
        """Do nothing: the array belongs to whoever made it."""

    def _read_raw(self, frame_idx: int) -> NDArray[Any]:
        frame = read_frame(self._array, frame_idx, self._shape[1:], self._dtype, self.name)
        return frame[..., :3] if frame.ndim == 3 else frame

    def _make_scaling(self, contrast_limits: tuple[float, float] | None) -> IntensityScaling | None:
        if self._dtype == np.uint8:
            return None
        if self._dtype == np.bool_:
            return BOOLEAN_SCALING
        if contrast_limits is not None:
            return scaling_from_limits(contrast_limits)
        return sampled_scaling(self.num_frames, self._read_raw)


def _checked_shape_and_dtype(array: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        shape = tuple(int(n) for n in array.shape)
        dtype = np.dtype(array.dtype)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{name} is not a video: give an array with a shape and a NumPy dtype, not {type(array).__name__}."
        ) from error
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (3, 4))):
        raise InputError(
            f"{name} has the shape {shape}: a video is (T, Y, X), or (T, Y, X, 3) or (T, Y, X, 4) in colour."
        )
    if 0 in shape:
        raise InputError(f"{name} has the shape {shape} and so no pixels: give a video with at least one frame.")
    if dtype.kind not in "buif":
        raise InputError(f"{name} has the dtype {dtype}: a video is bool, integer or float.")
    return shape, dtype
