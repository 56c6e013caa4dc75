"""Ground truth is drawn as outlines, so that what is predicted, which is filled, can be told from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari_sam2_probe.figures.style import TRUTH_COLOUR
from napari_sam2_probe.gui.layers import METADATA_KEY, TRUE_MASKS

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from napari.utils.colormaps import DirectLabelColormap

_SMALL = 300
"""Pixels of a video's longer side up to which one of them is a line that is seen."""


def truth_colormap() -> DirectLabelColormap:
    """Return the colours of a layer of true masks: one for all objects."""
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: TRUTH_COLOUR, 0: "transparent"})


def outline_truth(viewer: napari.Viewer) -> None:
    """Outline all true masks that are in a viewer, now and from now on; calling it twice is harmless.

    napari takes no width of outlines where it makes a layer of what a reader gives.
    """
    if viewer in _WATCHED:
        return
    _WATCHED.add(viewer)
    for layer in viewer.layers:
        outline(layer)
    viewer.layers.events.inserted.connect(_on_inserted)


_WATCHED: WeakSet[napari.Viewer] = WeakSet()


def outline(layer: Layer) -> None:
    """Outline a layer if it holds true masks, once: the user may fill them again."""
    about = layer.metadata.get(METADATA_KEY)
    if isinstance(about, dict) and about.get("content") == TRUE_MASKS and not about.get("outlined"):
        about["outlined"] = True
        layer.contour = 1 if max(layer.data.shape[-2:]) <= _SMALL else 2


def _on_inserted(event: Any) -> None:
    outline(event.value)
