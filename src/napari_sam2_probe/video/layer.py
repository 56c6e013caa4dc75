"""A napari image layer as a video, without importing napari."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.video import Video

METADATA_KEY = "napari_sam2_probe"
"""Where a layer that our window made says what it shows; ``source`` of it is the video."""


def is_layer(thing: Any) -> bool:
    """Return whether a thing is a layer of napari, or one in all that matters here."""
    return all(hasattr(thing, attribute) for attribute in ("data", "ndim", "metadata", "contrast_limits", "rgb"))


def layer_video(layer: Any, *, name: str | None = None) -> Video:
    """Return the video that an image layer shows.

    A layer that our window made gives its own video back. In any other, intensities but uint8 are scaled by the
    layer's contrast limits (gray) or by percentiles (colour). Nothing is read but, in the last case, sampled frames.

    Parameters
    ----------
    layer
        (T, Y, X), or (T, Y, X, 3|4) shown in colour; uint8, uint16 or float; NumPy, dask or zarr, multiscale too.
    name
        A short name for titles and tables; the layer's if None.

    Raises
    ------
    InputError
        If the layer has fewer or more axes, or no real numbers.
    """
    shown = layer.metadata.get(METADATA_KEY, {}).get("sequence") or layer.metadata.get(METADATA_KEY, {}).get("source")
    if shown is not None:
        return shown if isinstance(shown, Video) else Video(shown)
    if layer.ndim != 3:
        more = "choose one time series of it" if layer.ndim > 3 else "it is a single picture"
        raise InputError(
            f"The layer {layer.name!r} has {layer.ndim} axes, and a video has time, y and x (and colour): {more}."
        )
    data = layer.data[0] if layer.multiscale else layer.data
    limits = None if layer.rgb else (float(layer.contrast_limits[0]), float(layer.contrast_limits[1]))
    path = layer.source.path
    return Video(
        ArraySource(
            data,
            name=name or layer.name,
            contrast_limits=limits,
            path=None if path is None else str(Path(path).absolute()),
        )
    )
