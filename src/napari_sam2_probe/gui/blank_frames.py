"""Nothing is drawn of a map on frames where it holds no value, whatever the graphics driver makes of NaN.

napari draws NaN transparent. Drivers that compute as if there were no NaN (Mesa 26 is one) draw it in the lowest colour
instead, and a frame that was never tracked would look like one that was.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import numpy as np

from napari_sam2_probe.gui.layers import DIFFERENCE, MAP, METADATA_KEY
from napari_sam2_probe.gui.napari_private import drawn_node, shown_slice

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


def hide_blank_frames(viewer: napari.Viewer) -> None:
    """Do so for all maps, and differences of maps, in a viewer, now and from now on; calling it twice is harmless."""
    if viewer in _WATCHED:
        return
    _WATCHED.add(viewer)
    for layer in viewer.layers:
        _follow(ref(viewer), layer)
    follow = partial(_follow_inserted, ref(viewer))
    # Once napari itself has made what it draws of the layer.
    viewer.layers.events.inserted.connect(follow, position="last")


_WATCHED: WeakSet[napari.Viewer] = WeakSet()


def _follow_inserted(viewer: ref[napari.Viewer], event: Any) -> None:
    _follow(viewer, event.value)


def _follow(viewer: ref[napari.Viewer], layer: Layer) -> None:
    if layer.metadata.get(METADATA_KEY, {}).get("content") not in (MAP, DIFFERENCE):
        return
    hide = partial(_hide_if_blank, viewer, ref(layer))
    # After napari has shown it.
    layer.events.set_data.connect(hide, position="last")
    layer.events.visible.connect(hide, position="last")
    hide()


def _hide_if_blank(viewer: ref[napari.Viewer], layer: ref[Layer], _: Any = None) -> None:
    window, shown = viewer(), layer()
    if window is None or shown is None or shown not in window.layers:
        return
    node = drawn_node(window, shown)
    if node is not None and np.isnan(shown_slice(shown)).all():
        node.visible = False
