"""Boxes around objects as a shapes layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.videos import placement
from napari_sam2_probe.video.masks import object_ids

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.video import Sequence

TRUE_BOXES = "true boxes"
"""Value of ``content`` in the layer's metadata."""


def rectangle(frame_idx: int, edges: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Return the corners of a box as napari's shapes have them.

    Parameters
    ----------
    frame_idx
        The frame.
    edges
        (4,) as `napari_sam2_probe.analysis.boxes.box_edges`.
    height, width
        The video's.

    Returns
    -------
    corners
        (4, 3) float64: time, y, x. The box runs along the outer edges of its pixels, whose centres napari counts.
    """
    left, top, right, bottom = edges * (width, height, width, height) - 0.5
    return np.array([[frame_idx, y, x] for y, x in ((top, left), (top, right), (bottom, right), (bottom, left))])


def true_boxes(sequence: Sequence) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Return the corners of every object's box on every frame with a mask, and whose they are; reads all masks."""
    from napari_sam2_probe.analysis.boxes import box_edges

    corners, owners = [], []
    for frame_idx in range(sequence.num_frames):
        labels = sequence.mask(frame_idx)
        if labels is None:
            continue
        for obj_id in object_ids(labels):
            corners.append(rectangle(frame_idx, box_edges(labels == obj_id), *labels.shape))
            owners.append(obj_id)
    return corners, owners


def add_true_boxes(viewer: napari.Viewer, video: VideoEntry, background: Background) -> None:
    """Add the boxes of a video's true masks over its layer; the masks are read beside the window."""
    sequence = video.sequence
    assert sequence is not None

    def add(boxes: tuple[list[NDArray[np.float64]], list[int]]) -> None:
        from napari.utils.notifications import show_info

        corners, owners = boxes
        if not corners:
            show_info(f"No frame of {sequence.name} has an object.")
        elif video.layer in viewer.layers:
            viewer.add_shapes(corners, **_looks(owners), name=f"true boxes · {sequence.name}", **placement(video.layer))

    background.submit("true boxes", lambda: true_boxes(sequence), add)


def _looks(owners: list[int]) -> dict[str, Any]:
    return {
        "shape_type": "rectangle",
        "edge_color": [object_colour(obj_id) for obj_id in owners],
        "face_color": "transparent",
        "edge_width": 1,
        "features": {"object_id": owners},
        "metadata": {METADATA_KEY: {"content": TRUE_BOXES}},
    }
