"""One time series of a layer with more axes (planes, channels, wells) as a layer of its own, which is a video."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.gui.layers import AXIS_LABELS, METADATA_KEY, VIDEO
from napari_sam2_probe.video.frame_stack import FrameStack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari
    from napari.layers import Image
    from numpy.typing import NDArray

TIME_LABELS = ("t", "time", "frame")
"""Labels of an axis that is time, whatever their case."""


class TimeSeries(FrameStack):
    """The pictures over time in an array of more axes, (T, Y, X) or (T, Y, X, 3|4).

    Parameters
    ----------
    array
        Anything with ``shape``, ``dtype`` and basic indexing.
    time
        The axis of time.
    fixed
        The index on every other axis but those of a picture.
    """

    def __init__(self, array: Any, time: int, fixed: Mapping[int, int]) -> None:
        picture = [axis for axis in range(len(array.shape)) if axis != time and axis not in fixed]
        super().__init__((array.shape[time], *(array.shape[axis] for axis in picture)), array.dtype)
        self._array, self._time, self._fixed = array, time, dict(fixed)

    def read(self, frame_idx: int) -> NDArray[Any]:
        """Return a frame."""
        at = self._fixed | {self._time: frame_idx}
        return np.asarray(self._array[tuple(at.get(axis, slice(None)) for axis in range(len(self._array.shape)))])


def time_axis_of(layer: Image) -> int:
    """Return the axis of time: the one that is labelled so, else the first, where images over time have it."""
    labels = [str(label).lower() for label in layer.axis_labels[:-2]]
    return next((axis for axis, label in enumerate(labels) if label in TIME_LABELS), 0)


def take_time_series(viewer: napari.Viewer, layer: Image) -> tuple[Image, str]:
    """Add the time series of a layer that lies where the sliders stand, in place of the layer, which is hidden.

    Nothing is copied or read. One that was taken before is found again.

    Parameters
    ----------
    viewer
        The viewer of the layer.
    layer
        Of more axes than time, y and x.

    Returns
    -------
    taken
        The layer (T, Y, X) that was added.
    told
        What was done, in a sentence or two for the user.
    """
    time, fixed = time_axis_of(layer), _where_sliders_stand(viewer, layer)
    fixed.pop(time)
    where = ", ".join(f"{_axis_name(layer, axis)} {index}" for axis, index in fixed.items())
    told = f"{layer.name!r} was taken at {where}, with {_axis_name(layer, time)} as time. "
    layer.visible = False
    taken_from = {"taken_from": weakref.ref(layer), "time": time, "fixed": fixed}
    for other in viewer.layers:
        if taken_from.items() <= other.metadata.get(METADATA_KEY, {}).items():
            other.visible = True
            return other, told
    array = layer.data[0] if layer.multiscale else layer.data
    taken = viewer.add_image(
        TimeSeries(array, time, fixed),
        name=f"{layer.name} ({where})",
        rgb=layer.rgb,
        metadata={METADATA_KEY: {"content": VIDEO, **taken_from}},
        affine=axes_to_world(layer, (time, layer.ndim - 2, layer.ndim - 1), fixed),
        axis_labels=AXIS_LABELS,
        **({} if layer.rgb else {"contrast_limits": layer.contrast_limits, "colormap": layer.colormap}),
    )
    if viewer.dims.ndim > taken.ndim:
        told += "The slider above y and x is now its time; remove the hidden layer to have no other sliders."
    return taken, told


def axes_to_world(layer: Any, axes: Sequence[int], at: Mapping[int, int] | None = None) -> NDArray[np.float64]:
    """Return the affine matrix that takes some data axes of a layer to the same axes of the world.

    Parameters
    ----------
    layer
        Any layer.
    axes
        N of its axes.
    at
        The data coordinates on others; 0 on those that are not named.

    Returns
    -------
    (N + 1, N + 1) float64
    """
    chosen = np.asarray(axes)
    origin = np.zeros(layer.ndim)
    for axis, index in (at or {}).items():
        origin[axis] = index
    start = np.asarray(layer.data_to_world(origin))[chosen]
    matrix = np.eye(len(chosen) + 1)
    matrix[:-1, -1] = start
    for column, axis in enumerate(chosen):
        step = origin.copy()
        step[axis] += 1
        matrix[:-1, column] = np.asarray(layer.data_to_world(step))[chosen] - start
    return matrix


def _where_sliders_stand(viewer: napari.Viewer, layer: Image) -> dict[int, int]:
    """Return the index on every axis of a layer but those of a picture."""
    at = layer.world_to_data(viewer.dims.point)
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return {axis: int(np.clip(round(at[axis]), 0, shape[axis] - 1)) for axis in range(layer.ndim - 2)}


def _axis_name(layer: Image, axis: int) -> str:
    label = str(layer.axis_labels[axis])
    # What napari calls an axis that nobody named counts from the last one.
    return f"axis {axis}" if label.startswith("axis ") else label
