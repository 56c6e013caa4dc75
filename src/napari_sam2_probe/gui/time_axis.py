"""Between the time slider and the frames of a video, whatever axes and scales the viewer has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

TIME = -3
"""The axis of time, counted from the last: layers have (..., time, y, x), and napari aligns last axes."""


def shown_frame(viewer: napari.Viewer, layer: Layer | None = None) -> int:
    """Return the frame that the time slider stands on; 0 where there is no time axis.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        A layer whose frames are counted, where it is stretched or shifted in time; None: one frame a step.
    """
    if viewer.dims.ndim < -TIME:
        return 0
    point = viewer.dims.point
    if layer is None or layer.ndim < -TIME:
        return round(point[TIME])
    return round(layer.world_to_data(point)[TIME])


def show_frame(viewer: napari.Viewer, frame_idx: int, layer: Layer | None = None) -> None:
    """Move the time slider to a frame; beyond its ends it stays at the end."""
    ndim = viewer.dims.ndim
    if ndim < -TIME:
        return
    value = float(frame_idx)
    if layer is not None and layer.ndim >= -TIME:
        position = list(layer.world_to_data(viewer.dims.point))
        position[TIME] = frame_idx
        value = layer.data_to_world(position)[TIME]
    low, high, _ = viewer.dims.range[TIME]
    viewer.dims.set_point(ndim + TIME, min(max(value, low), high))
