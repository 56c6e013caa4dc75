"""The tool with which a pixel of the video is chosen: while it is on, clicks are no prompts, and Escape ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_sam2_probe.gui.napari_private import main_window
from napari_sam2_probe.gui.prompt_clicks import is_near
from napari_sam2_probe.gui.state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from napari.layers import Layer

TOOL = "look"


class LookTool:
    """Takes clicks on the video while it is on.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        Gives the layer whose pixels are meant; None while there is none.
    on_pixel
        Called with frame, y and x, in pixels of that layer.
    on_off
        Called when Escape ends it.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        layer: Callable[[], Layer | None],
        on_pixel: Callable[[int, float, float], None],
        on_off: Callable[[], None],
    ) -> None:
        self._viewer = ref(viewer)
        self._layer = layer
        self._on_pixel = on_pixel
        self._mode_before: tuple[ref[Layer], Any] | None = None
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), main_window(viewer))
        self._escape.setEnabled(False)
        self._escape.activated.connect(on_off)
        self.is_on = False

    def turn(self, on: bool) -> None:
        """Take clicks, or leave them to whatever else they are for."""
        viewer = self._viewer()
        if viewer is None or on == self.is_on:
            return
        self.is_on = on
        state = state_of(viewer)
        self._escape.setEnabled(on)
        if on:
            state.click_tool = TOOL
            viewer.mouse_drag_callbacks.insert(0, self._on_mouse)
            viewer.cursor.style = "crosshair"
        else:
            state.click_tool = ""
            if self._on_mouse in viewer.mouse_drag_callbacks:
                viewer.mouse_drag_callbacks.remove(self._on_mouse)
            self._give_mode_back()
            active = viewer.layers.selection.active
            viewer.cursor.style = "standard" if active is None else active.cursor

    def close(self) -> None:
        """Turn it off for good; calling it twice is harmless."""
        self.turn(False)
        try:
            self._escape.setParent(None)
            self._escape.deleteLater()
        except RuntimeError:
            # The window has taken it along.
            return

    def _on_mouse(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        """Take a click, not a drag, which moves the picture as always; napari calls this when the mouse is pressed."""
        if event.button != 1 or event.modifiers or len(event.dims_displayed) != 2:
            return
        self._only_pan(viewer.layers.selection.active)
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            event.handled = event.handled or is_near(start, event.pos)
            yield
        layer = self._layer()
        if layer is None or not is_near(start, event.pos):
            return
        frame, y, x = np.asarray(layer.world_to_data(event.position), float)[-3:]
        self._on_pixel(round(frame), float(y), float(x))

    def _only_pan(self, active: Layer | None) -> None:
        # Else napari would add a point, or paint, whatever is done with the click.
        if active is not None and str(active.mode) != "pan_zoom":
            self._give_mode_back()
            self._mode_before = ref(active), active.mode
            active.mode = "pan_zoom"

    def _give_mode_back(self) -> None:
        before, self._mode_before = self._mode_before, None
        layer = None if before is None else before[0]()
        if before is not None and layer is not None and str(layer.mode) == "pan_zoom":
            layer.mode = before[1]
