"""Layers of the difference between a run's maps and those of the run that it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.maps import DIFFERENCE_COLOURS, symmetric_limits
from napari_sam2_probe.gui.layers import (
    AXIS_LABELS,
    CONTRAST_FRAMES,
    DIFFERENCE,
    MAP_OPACITY,
    METADATA_KEY,
    map_transform,
)
from napari_sam2_probe.gui.run_layers import layers_of_run
from napari_sam2_probe.probe.positions import BY_KEY

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.gui.look import OpenedLook
    from napari_sam2_probe.probe.positions import Statistic

Key = tuple[str, "Statistic"]


def difference_layer(opened: OpenedLook, key: str, statistic: Statistic) -> LayerData | None:
    """Return what napari needs for the layer of a difference; None where one of the runs doesn't hold the map.

    Limits are as far below 0 as above it, over up to 24 frames that are not prompted. Reads files: for a worker.
    """
    try:
        stack = opened.stack(key, statistic, "difference")
    except (KeyError, ValueError):
        return None
    view, position = opened.view, BY_KEY[key]
    prompted = view.run.prompted[view.obj_index]
    frames = [t for t in opened.frames if not prompted[t]] or [*opened.frames]
    chosen = [frames[k] for k in np.linspace(0, len(frames) - 1, min(CONTRAST_FRAMES, len(frames))).astype(int)]
    about = {
        "content": DIFFERENCE,
        "run": str(view.run.path),
        "twin": None if opened.twin is None else str(opened.twin.run.path),
        "position": position.number,
        "key": key,
        "statistic": statistic,
        "obj_id": view.obj_id,
    }
    keywords = {
        "name": f"{position.number} {statistic} difference · object {view.obj_id} · {opened.difference_title}",
        "opacity": MAP_OPACITY,
        "colormap": DIFFERENCE_COLOURS,
        "interpolation2d": "nearest",
        "contrast_limits": symmetric_limits(stack.read(t) for t in chosen) or (-1.0, 1.0),
        "cache": False,
        **map_transform((stack.shape[1], stack.shape[2]), view.run.masks.shape[1:]),
        "axis_labels": AXIS_LABELS,
        "metadata": {METADATA_KEY: about},
    }
    return stack, keywords, "image"


def difference_layers(viewer: napari.Viewer, path: Path, twin: Path, obj_id: int) -> dict[Key, Layer]:
    """Return the layers of the differences between two runs for an object, by key and statistic."""
    found: dict[Key, Layer] = {}
    for layer in layers_of_run(viewer, path, DIFFERENCE):
        about = layer.metadata[METADATA_KEY]
        if (about["twin"], about["obj_id"]) == (str(twin), obj_id):
            found.setdefault((about["key"], about["statistic"]), layer)
    return found
