"""A probe run as napari layers: the video, the masks, and every map exactly over the video.

Pure conversion: nothing here needs a viewer or a screen. Layers have the axes (time, y, x); the unit of y and x is
the pixel of the video.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.figures.maps import COLOUR_MAPS
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.gui.lazy import RunStack, VideoStack
from napari_sam2_probe.probe.positions import BY_KEY, MEMORY_ATTENTION, STATISTICS, Position, Statistic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari.utils.colormaps import DirectLabelColormap
    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.frame_stack import FrameStack

LayerData = tuple[Any, dict[str, Any], Literal["image", "labels"]]
"""What napari adds as one layer: the array, the layer's arguments, and its type."""

METADATA_KEY = "napari_sam2_probe"
"""Layer metadata written here and read by the panels.

A dictionary with ``content``, one of the values below, and, for what a run gave, ``run`` (its folder); for a video also
``video`` (a `Video`); for true masks also ``frames`` (the same `Video`); for a map also ``position`` (its
number), ``key``, ``statistic`` and ``obj_id``, and for a difference of maps also ``twin`` (the folder of the run that
was subtracted). What was added to a video that is there holds ``of``, a weak reference
to the video's layer.
"""

VIDEO = "video"
TRUE_MASKS = "true masks"
MASKS = "masks"
MAP = "map"
DIFFERENCE = "map difference"
PROMPTS = "prompts"
TRUE_BOXES = "true boxes"
DECODED_BOXES = "decoded boxes"
PREDICTED_MASKS = "predicted masks"
OTHER_OUTCOME = "other outcome"
READERS = "readers"

AXIS_LABELS = ("time", "y", "x")
SHOWN_AT_FIRST: tuple[Position, Statistic] = (MEMORY_ATTENTION, "mean")
MAP_OPACITY = 0.6
MASK_OPACITY = 0.5
CONTRAST_PERCENTILES = (1.0, 99.0)
CONTRAST_FRAMES = 24


def run_to_layers(run: ProbeRun) -> list[LayerData]:
    """Return the layers of a probe run, bottom first: video, maps, masks.

    The maps of one object, position and statistic are one image layer; all are hidden but one. Frames where nothing
    was recorded are NaN, which napari draws transparent.

    Parameters
    ----------
    run
        The run. Its arrays are not read but for a few frames of each map, from which contrast limits are taken.

    Warns
    -----
    UserWarning
        If the video is no longer where the run found it; the other layers are returned without it.
    """
    return [*_video_layer(run), *_map_layers(run), _masks_layer(run)]


def map_transform(map_shape: tuple[int, int], video_shape: tuple[int, int]) -> dict[str, tuple[float, ...]]:
    """Return napari's ``scale`` and ``translate`` that lay a (T, h, w) map exactly over a (T, H, W) video.

    SAM 2 squeezes the H x W frame into a square, so the map covers the whole frame and its two axes scale
    differently. napari puts the *centre* of pixel 0 at `translate`: the centre of the first map pixel, which covers
    H/h video pixels from -0.5 on, lies at (H/h - 1)/2.
    """
    scale = tuple(outer / inner for outer, inner in zip(video_shape, map_shape, strict=True))
    return {"scale": (1.0, *scale), "translate": (0.0, *((factor - 1) / 2 for factor in scale))}


def contrast_limits(maps: FrameStack | NDArray[np.float32], frames: NDArray[np.intp]) -> tuple[float, float]:
    """Return limits for a map layer: percentiles of what is finite in up to 24 of `frames`, evenly spread.

    Parameters
    ----------
    maps
        (T, h, w) float32.
    frames
        The frames worth looking at. Where none holds a finite value, the limits are 0 and 1.
    """
    chosen = frames[np.linspace(0, len(frames) - 1, min(CONTRAST_FRAMES, len(frames))).astype(int)]
    values = np.asarray(maps[chosen])
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(values, CONTRAST_PERCENTILES))
    if high <= low:
        # A constant map: napari refuses limits that are equal, also once they are float32.
        half = max(abs(low), 1.0) * 1e-3
        return low - half, low + half
    return low, high


def object_colormap(obj_ids: Iterable[int]) -> DirectLabelColormap:
    """Return the colours of a labels layer in which objects look as in the figures."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, str] = {obj_id: object_colour(obj_id) for obj_id in obj_ids}
    return DirectLabelColormap(color_dict={None: "transparent", **colours})


def _video_layer(run: ProbeRun) -> Iterator[LayerData]:
    from napari_sam2_probe.video import open_video

    path = run.info.get("video", {}).get("path")
    if path is None:
        return
    try:
        source = open_video(path)
    except ProbeError as error:
        _warn_without_video(run, str(error))
        return
    shape = (source.num_frames, source.height, source.width)
    if shape != run.masks.shape:
        source.close()
        _warn_without_video(run, f"{path} is now {_times(shape)} but the run was made on {_times(run.masks.shape)}.")
        return
    yield (
        VideoStack(source),
        {"name": f"video · {_name(run)}", "rgb": True, **_common(run, content=VIDEO, video=source)},
        "image",
    )


def _masks_layer(run: ProbeRun) -> LayerData:
    keywords = {
        "name": f"masks · {_name(run)}",
        "opacity": MASK_OPACITY,
        "colormap": object_colormap(run.object_ids.tolist()),
        **_common(run, content=MASKS),
    }
    return RunStack(run.masks), keywords, "labels"


def recorded_maps(run: ProbeRun) -> list[Position]:
    """Return the positions whose maps the run holds, in the order of tables and panels."""
    return [BY_KEY[key] for key in run.map_keys]


def map_layer(run: ProbeRun, obj_id: int, position: Position, statistic: Statistic) -> LayerData:
    """Return the maps of one object, position and statistic as a layer exactly over the video.

    The array reads from disk what is there when it is looked at, so that a run that grows fills its layer.

    Raises
    ------
    KeyError
        If the run does not hold this map.
    ValueError
        If the run does not hold this object.
    """
    maps = maps_of(run, obj_id, position, statistic)
    keywords = {
        # The layer list shortens a name in its middle, so what tells layers apart stands at the ends.
        "name": f"{position.number} {statistic} of {position.title.lower()} · object {obj_id} · {_name(run)}",
        "opacity": MAP_OPACITY,
        "colormap": COLOUR_MAPS[statistic],
        "interpolation2d": "nearest",
        "contrast_limits": map_contrast(run, obj_id, position, statistic),
        # Else napari would keep what it read of a frame before that frame was tracked, or tracked again.
        "cache": False,
        **map_transform((maps.shape[1], maps.shape[2]), run.masks.shape[1:]),
        **_common(run, content=MAP, position=position.number, key=position.key, statistic=statistic, obj_id=obj_id),
    }
    return maps, keywords, "image"


def map_contrast(run: ProbeRun, obj_id: int, position: Position, statistic: Statistic) -> tuple[float, float]:
    """Return `contrast_limits` for one map of a run, as far as it is tracked."""
    obj_idx = run.object_ids.tolist().index(obj_id)
    tracked, prompted = run.tracked[obj_idx], run.prompted[obj_idx]
    # On a prompted frame memory attention does not run, and its map is of another magnitude than all others.
    ordinary = np.flatnonzero(tracked & ~prompted)
    return contrast_limits(
        maps_of(run, obj_id, position, statistic), ordinary if len(ordinary) else np.flatnonzero(tracked)
    )


def maps_of(run: ProbeRun, obj_id: int, position: Position, statistic: Statistic) -> RunStack:
    """Return the maps (T, h, w) of one object, position and statistic, read from disk when they are looked at.

    Raises
    ------
    KeyError, ValueError
        As in `map_layer`.
    """
    return RunStack(run.maps(position.key, statistic), run.object_ids.tolist().index(obj_id))


def _map_layers(run: ProbeRun) -> Iterator[LayerData]:
    for obj_idx, obj_id in enumerate(run.object_ids.tolist()):
        for position in recorded_maps(run):
            for statistic in STATISTICS:
                data, keywords, kind = map_layer(run, obj_id, position, statistic)
                shown = obj_idx == 0 and (position, statistic) == SHOWN_AT_FIRST
                yield data, keywords | {"visible": shown}, kind


def _common(run: ProbeRun, **content: Any) -> dict[str, Any]:
    return {"axis_labels": AXIS_LABELS, "metadata": {METADATA_KEY: {"run": str(run.path), **content}}}


def _name(run: ProbeRun) -> str:
    return Path(run.path).resolve().name


def _times(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} frames of {shape[2]} x {shape[1]} pixels"


def _warn_without_video(run: ProbeRun, reason: str) -> None:
    warnings.warn(
        f"The run {run.path} is shown without its video: {reason} Name where it lies now with --video, or open it.",
        stacklevel=4,
    )
