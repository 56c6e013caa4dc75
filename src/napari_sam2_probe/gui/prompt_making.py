"""Empty layers for prompts, which lie exactly over their video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from napari_sam2_probe.gui.layers import METADATA_KEY, PROMPTS
from napari_sam2_probe.gui.videos import placement

if TYPE_CHECKING:
    from napari.layers import Labels, Points, Shapes
    from napari.utils.colormaps import DirectLabelColormap

    from napari_sam2_probe.gui.state import VideoEntry

_POINT_SIZE_SHARE = 40
_EDGE_WIDTH_SHARE = 300
_RIM = 0.18
"""Of a point's size."""


def point_size(video: VideoEntry) -> float:
    """Return the size of a click in pixels of the video."""
    return max(2.0, max(video.video.height, video.video.width) / _POINT_SIZE_SHARE)


def make_points(video: VideoEntry) -> Points:
    """Make the layer for clicks."""
    from napari.layers import Points

    return Points(
        np.zeros((0, 3)),
        name=f"points · {video.layer.name}",
        features=prompt_features(obj_id=[], positive=[]),
        size=point_size(video),
        border_width=_RIM,
        opacity=1.0,
        **_about(video),
    )


def make_boxes(video: VideoEntry) -> Shapes:
    """Make the layer for rectangles."""
    from napari.layers import Shapes

    return Shapes(
        ndim=3,
        name=f"boxes · {video.layer.name}",
        features=prompt_features(obj_id=[]),
        face_color="transparent",
        edge_width=max(1.0, max(video.video.height, video.video.width) / _EDGE_WIDTH_SHARE),
        opacity=1.0,
        **_about(video),
    )


def make_masks(video: VideoEntry, colormap: DirectLabelColormap) -> Labels:
    """Make the layer for painted masks."""
    from napari.layers import Labels

    source = video.video
    # Zeros that nobody has touched take no memory, and only painted frames are touched.
    layer = Labels(
        np.zeros((source.num_frames, source.height, source.width), np.uint8),
        name=f"painted masks · {video.layer.name}",
        colormap=colormap,
        opacity=0.6,
        **_about(video),
    )
    layer.n_edit_dimensions = 2
    return layer


def prompt_features(**columns: list[Any]) -> Any:
    """Return the table of what a layer's prompts are: ``obj_id`` and ``positive``."""
    import pandas as pd

    types = {"obj_id": np.int64, "positive": bool}
    return pd.DataFrame({name: np.array(values, types[name]) for name, values in columns.items()})


def _about(video: VideoEntry) -> dict[str, Any]:
    metadata = {METADATA_KEY: {"content": PROMPTS, "of": ref(video.layer)}}
    return {**placement(video.layer), "metadata": metadata}
