"""Decoded boxes in a viewer: dashed with a dark halo, and as new as the run they are read off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import BOX_HALO, DECODED_BOX_COLOUR
from napari_sam2_probe.gui.boxes import edge_width
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import DECODED_BOXES, METADATA_KEY
from napari_sam2_probe.gui.videos import placement

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Layer, Shapes, Vectors
    from numpy.typing import NDArray

    from napari_sam2_probe.gui.decoders import DecodedBoxes

DASHES = 5
"""Of each side of a box."""

_DASH = 0.6
"""Of a dash and the gap after it, the share that is drawn."""

_WIDER = 1.5
"""Width of a dash, of that of a solid line: half of it is gaps."""

_HALO = 1.8
"""Width of the halo, of that of a dash."""


def box_dashes(corners: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the dashes of boxes as napari's vectors have them: (N, 2, 3), where each begins and where it leads.

    Parameters
    ----------
    corners
        (4, 3) of each box: time, y, x.
    """
    if not corners:
        return np.zeros((0, 2, 3))
    boxes = np.stack(corners)
    sides = np.roll(boxes, -1, axis=1) - boxes
    # The last dash ends at the next corner, so that all corners are drawn.
    period = 1 / (DASHES - 1 + _DASH)
    starts = boxes[:, :, None] + sides[:, :, None] * (period * np.arange(DASHES))[:, None]
    steps = np.broadcast_to(sides[:, :, None] * (period * _DASH), starts.shape)
    return np.stack([starts, steps], axis=-2).reshape(-1, 2, 3)


def decoded_layers(viewer: napari.Viewer, path: Path) -> tuple[Shapes, Vectors] | None:
    """Return the layers with the decoded boxes of a run; None where they, or one of them, are not there."""
    found: dict[str, Any] = {}
    for layer in viewer.layers:
        about = layer.metadata.get(METADATA_KEY, {})
        if about.get("content") == DECODED_BOXES and about.get("boxes_of") == str(path):
            found.setdefault(about["part"], layer)
    return (found["boxes"], found["dashes"]) if len(found) == 2 else None


def show_decoded(viewer: napari.Viewer, path: Path, boxes: DecodedBoxes, over: Layer | None) -> None:
    """Show the decoded boxes of a run, in the layers that are there or in new ones.

    The boxes are a shapes layer, which is the dark halo of the dashes above it; both are shown and hidden together.

    Parameters
    ----------
    viewer
        The viewer.
    path
        The run's folder.
    boxes
        All boxes that there are by now.
    over
        The layer of the run's video or masks, to lie over.
    """
    there = decoded_layers(viewer, path)
    if there is None:
        _remove_rest(viewer, path)
        _add(viewer, path, boxes, over)
        return
    shapes, dashes = there
    if not _add_to(shapes, boxes):
        _replace(shapes, boxes)
    dashes.data = box_dashes(boxes.corners)


def _add(viewer: napari.Viewer, path: Path, boxes: DecodedBoxes, over: Layer | None) -> None:
    from napari.layers import Shapes, Vectors

    where = {} if over is None else placement(over)
    halo = Shapes(**_halo(boxes), metadata=_about(path, "boxes"), **where)
    dashes = Vectors(
        box_dashes(boxes.corners),
        edge_color=DECODED_BOX_COLOUR,
        edge_width=_WIDER * edge_width(boxes.corners),
        vector_style="line",
        name=f"{halo.name} (dashes)",
        metadata=_about(path, "dashes"),
        **where,
    )
    for layer in (halo, dashes):
        insert_in_order(viewer, layer, over)
    viewer.layers.link_layers([halo, dashes], ("visible",))


def _halo(boxes: DecodedBoxes) -> dict[str, Any]:
    return {
        "data": boxes.corners,
        "shape_type": "rectangle",
        "edge_color": BOX_HALO,
        "face_color": "transparent",
        "edge_width": _HALO * _WIDER * edge_width(boxes.corners),
        "features": {"object_id": boxes.owners},
        "name": f"decoded boxes · {boxes.title}",
    }


def _add_to(layer: Shapes, boxes: DecodedBoxes) -> bool:
    """Add the boxes that a layer lacks, unless it holds others; return whether that was so.

    A shape costs about a millisecond of the window, so those that are there stay.
    """
    wanted = {(int(box[0, 0]), owner): box for box, owner in zip(boxes.corners, boxes.owners, strict=True)}
    owners = layer.features["object_id"].tolist() if len(layer.data) else []
    for box, owner in zip(layer.data, owners, strict=True):
        same = wanted.pop((round(box[0, 0]), owner), None)
        # A layer may keep its numbers in single precision.
        if same is None or not np.allclose(box, same, atol=1e-3):
            return False
    if wanted:
        looks = _halo(boxes)
        names = ("shape_type", "edge_color", "face_color", "edge_width")
        layer.add([*wanted.values()], **{name: looks[name] for name in names})
        layer.features = {"object_id": [*owners, *(owner for _, owner in wanted)]}
        layer.selected_data = set()
    return True


def _replace(layer: Shapes, boxes: DecodedBoxes) -> None:
    layer.data = []
    _add_to(layer, boxes)


def _remove_rest(viewer: napari.Viewer, path: Path) -> None:
    """Remove one of the two layers that was left without the other."""
    for layer in list(viewer.layers):
        about = layer.metadata.get(METADATA_KEY, {})
        if about.get("content") == DECODED_BOXES and about.get("boxes_of") == str(path):
            viewer.layers.remove(layer)


def _about(path: Path, part: str) -> dict[str, Any]:
    return {METADATA_KEY: {"content": DECODED_BOXES, "boxes_of": str(path), "part": part}}
