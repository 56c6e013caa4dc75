"""Clicks on the video are prompts, whatever layer was added or chosen last."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import numpy as np
from qtpy.QtCore import QTimer

from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.layer_order import rank_of
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import is_video_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.gui.state import VideoEntry

_STILL = 5.0
"""Pixels of the screen that the mouse may move in a click; as many as napari grants."""


class PromptClicks:
    """Makes the layer for clicks active where another of the plugin would be, and takes clicks that miss it.

    What the user edits stays active, and what the user has chosen does when layers come: it may be about to be deleted.
    A click while a layer is active that does nothing with it but pan is a prompt too. With the right button or Alt
    it excludes what is under the mouse, whatever sign is chosen; on a point that is there it takes that one out.

    Parameters
    ----------
    viewer
        The viewer.
    wanted
        Gives the video that is worked on and its prompts; None without a video.
    tell
        Called with a sentence where a click can't be a prompt.

    Attributes
    ----------
    in_front
        Whether the user prompts: else nothing is done.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        wanted: Callable[[], tuple[VideoEntry, PromptLayers] | None],
        tell: Callable[[str], None],
    ) -> None:
        self._viewer = ref(viewer)
        self._wanted = wanted
        self._tell = tell
        self.in_front = False
        self._soon = QTimer(singleShot=True, interval=0)
        self._soon.timeout.connect(self._arm)
        self._due = False
        self._inserted: WeakSet[Layer] = WeakSet()
        self._connections = Connections()
        self._connections.add(viewer.layers.events.inserted, self._on_inserted)
        viewer.mouse_drag_callbacks.append(self._on_mouse)

    def arm(self) -> None:
        """Make the layer for clicks active, as soon as napari has done what it is doing."""
        self._due = True
        self._soon.start()

    def close(self) -> None:
        """Leave clicks to napari; calling it twice is harmless."""
        self._soon.stop()
        self._connections.close()
        viewer = self._viewer()
        if viewer is not None and self._on_mouse in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_mouse)

    def _on_inserted(self, event: Any) -> None:
        # What napari adds it makes active, after it has told of it.
        if rank_of(event.value) is not None:
            self._inserted.add(event.value)
            self._soon.start()

    def _arm(self) -> None:
        viewer, wanted, due, inserted = self._viewer(), self._wanted(), self._due, set(self._inserted)
        self._due = False
        self._inserted.clear()
        if viewer is None or wanted is None or not self.in_front:
            return
        active = viewer.layers.selection.active
        if _only_pans(active) and (due or active in inserted):
            wanted[1].show_points()

    def _on_mouse(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        """Take a click, not a drag; napari calls this when the mouse is pressed, and goes on with it as it moves."""
        sign, wanted, active = _sign_of(event), self._wanted(), viewer.layers.selection.active
        if sign is _Sign.NONE or not self.in_front or wanted is None or len(event.dims_displayed) != 2:
            return
        if state_of(viewer).click_tool:
            return
        adds = wanted[1].adds_points
        hit = wanted[1].point_at(event.position)
        napari_adds = adds and sign is _Sign.AS_CHOSEN and hit is None and _is_inside(wanted[0], event.position)
        if not (_only_pans(active) or adds) or napari_adds:
            # napari's own tool does what is wanted.
            return
        if adds and active is not None:
            # Else napari would add a point here, whatever is done with the click.
            active.mode = "pan_zoom"
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            # Else the picture would move with a hand that trembles.
            event.handled = event.handled or is_near(start, event.pos)
            yield
        wanted = self._wanted()
        if wanted is None:
            return
        if not is_near(start, event.pos):
            if adds and viewer.layers.selection.active is active:
                wanted[1].show_points()
        elif hit is not None and wanted[1].point_at(event.position) == hit:
            wanted[1].remove_point(hit)
        elif _is_inside(wanted[0], event.position):
            wanted[1].add_point(event.position, None if sign is _Sign.AS_CHOSEN else False)
        else:
            if adds:
                wanted[1].show_points()
            self._tell_of_miss(viewer, wanted[0], event.position)

    def _tell_of_miss(self, viewer: napari.Viewer, video: VideoEntry, position: Any) -> None:
        frame_idx = round(float(np.asarray(video.layer.world_to_data(position))[-3]))
        for layer in viewer.layers:
            if layer is not video.layer and layer.visible and is_video_layer(layer) and _holds(layer, position):
                self._tell(f"This is {layer.name}, and prompts go to {video.layer.name}: choose {layer.name} as Video.")
                return
        if frame_idx >= video.video.num_frames and _holds(video.layer, position):
            last = video.video.num_frames - 1
            self._tell(f"{video.layer.name} ends with frame {last}: go back to prompt it.")


class _Sign(Enum):
    """What a press of the mouse says about what is under it."""

    NONE = "nothing"
    AS_CHOSEN = "as the panel says"
    EXCLUDED = "excluded"


def _sign_of(event: Any) -> _Sign:
    modifiers = [str(getattr(key, "name", key)) for key in event.modifiers]
    if (event.button, modifiers) == (1, []):
        return _Sign.AS_CHOSEN
    return _Sign.EXCLUDED if (event.button, modifiers) in ((2, []), (1, ["Alt"])) else _Sign.NONE


def _only_pans(layer: Layer | None) -> bool:
    """Whether a click would do nothing with the active layer."""
    return layer is None or str(layer.mode) == "pan_zoom"


def is_near(start: Any, at: Any) -> bool:
    """Whether the mouse has moved so little from one place on the canvas to another that it is a click."""
    return float(np.linalg.norm(start - np.array(at))) < _STILL


def _holds(layer: Layer, position: Any) -> bool:
    """Whether a place lies in the picture of a layer, on whatever frame."""
    at = np.asarray(layer.world_to_data(position))
    rows_first = -3 if getattr(layer, "rgb", False) else -2
    size = np.asarray(layer.data.shape[rows_first:][:2])
    return bool(np.all((at[-2:] >= -0.5) & (at[-2:] < size - 0.5)))


def _is_inside(video: VideoEntry, position: Any) -> bool:
    at, source = np.asarray(video.layer.world_to_data(position))[-3:], video.video
    return bool(np.all((at >= -0.5) & (at < np.array((source.num_frames, source.height, source.width)) - 0.5)))
