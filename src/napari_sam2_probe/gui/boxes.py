"""Boxes around objects as a shapes layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import TRUTH_COLOUR
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import METADATA_KEY, TRUE_BOXES
from napari_sam2_probe.gui.videos import placement
from napari_sam2_probe.video.masks import object_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.video.video import Video


def rectangle(frame_idx: int, edges: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Return the corners of a box as napari's shapes have them.

    Parameters
    ----------
    frame_idx
        The frame.
    edges
        (4,) as `napari_sam2_probe.decoder.boxes.box_edges`.
    height, width
        The video's.

    Returns
    -------
    corners
        (4, 3) float64: time, y, x. The box runs along the outer edges of its pixels, whose centres napari counts.
    """
    left, top, right, bottom = edges * (width, height, width, height) - 0.5
    return np.array([[frame_idx, y, x] for y, x in ((top, left), (top, right), (bottom, right), (bottom, left))])


def true_boxes(video: Video) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Return the corners of every object's box on every frame with a mask, and whose they are; reads all masks."""
    from napari_sam2_probe.decoder.boxes import box_edges

    corners, owners = [], []
    for frame_idx in range(video.frames.num_frames):
        labels = video.mask(frame_idx)
        if labels is None:
            continue
        for obj_id in object_ids(labels):
            corners.append(rectangle(frame_idx, box_edges(labels == obj_id), *labels.shape))
            owners.append(obj_id)
    return corners, owners


def add_true_boxes(
    viewer: napari.Viewer, open_video: Callable[[], Video], over: Layer | None, background: Background
) -> None:
    """Add the boxes of a video's true masks as a layer; video and masks are read beside the window.

    Parameters
    ----------
    viewer
        Where to add it.
    open_video
        Gives the video.
    over
        The layer of this video or of masks of its size, to lie over; None: where the video lies when it is opened.
    background
        Where to read.
    """

    def read() -> tuple[str, list[NDArray[np.float64]], list[int]]:
        video = open_video()
        return video.frames.name, *true_boxes(video)

    def add(boxes: tuple[str, list[NDArray[np.float64]], list[int]]) -> None:
        from napari.layers import Shapes
        from napari.utils.notifications import show_info

        name, corners, owners = boxes
        if corners:
            looks = {**_looks(owners), "edge_width": edge_width(corners), "name": f"ground-truth boxes · {name}"}
            layer = Shapes(corners, **looks, **({} if over is None else placement(over)))
            insert_in_order(viewer, layer, over)
        else:
            show_info(f"No true masks lie beside the video {name}.")

    background.submit("true boxes", read, add)


def edge_width(corners: list[NDArray[np.float64]]) -> float:
    """Return a width of lines that is seen also where a video is drawn small."""
    return max(1.5, float(np.concatenate(corners)[:, 1:].max()) / 200)


def _looks(owners: list[int]) -> dict[str, Any]:
    return {
        "shape_type": "rectangle",
        "edge_color": TRUTH_COLOUR,
        "face_color": "transparent",
        "features": {"object_id": owners},
        "metadata": {METADATA_KEY: {"content": TRUE_BOXES}},
    }
