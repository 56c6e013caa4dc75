"""The layers that prompts are given in: points, rectangles, painted masks; made, read, written and coloured."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.napari_private import is_drawing
from napari_sam2_probe.gui.prompt_looks import PromptLooks
from napari_sam2_probe.gui.prompt_making import make_boxes, make_masks, make_points, point_size, prompt_features
from napari_sam2_probe.gui.prompt_snapshot import (
    Click,
    Place,
    Rectangle,
    Snapshot,
    box_around,
    masks_in,
    snapshot_of,
)
from napari_sam2_probe.gui.time_axis import shown_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import napari
    from napari.layers import Labels, Layer, Points, Shapes

    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.live.prompt_state import Key, PackedMask, PromptState


_CLICK_SIZE = 4
"""Pixels of the screen: napari makes a rectangle of two and a half where one only clicks."""


class PromptCanvas:
    """The prompt layers of one video.

    They are made when they are first wanted, lie over the video wherever its layer lies, and may be renamed, moved
    or deleted like any other.

    Parameters
    ----------
    viewer
        The viewer.
    video
        The video.
    keys
        What keys do in each of the layers.
    """

    changed = Signal()
    """The user changed something in a layer that is no mask."""

    painted = Signal(int)
    """The user painted on a frame."""

    tool_changed = Signal()
    """Another of the layers is active, or in another mode."""

    removed = Signal(object)
    """The user deleted a layer: the fields of a `Snapshot` that it held, empty."""

    def __init__(self, viewer: napari.Viewer, video: VideoEntry, keys: Mapping[str, Callable[..., None]]) -> None:
        self._viewer = viewer
        self._video = video
        self._keys = dict(keys)
        self._stroke = QTimer()
        self._stroke.setSingleShot(True)
        self._stroke.setInterval(0)
        self._stroke.timeout.connect(self._on_stroke)
        self._drawn = QTimer()
        self._drawn.setSingleShot(True)
        self._drawn.setInterval(0)
        self._drawn.timeout.connect(self._on_drawn)
        self._connections = Connections()
        self._points: Points | None = None
        self._boxes: Shapes | None = None
        self._masks: Labels | None = None
        self._writing = False
        self._looks = PromptLooks(point_size(video))
        self._connections.add(viewer.layers.events.removed, self._on_layer_removed)
        self._connections.add(viewer.layers.selection.events.active, self._on_tool)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that are there."""
        return tuple(layer for layer in (self._points, self._boxes, self._masks) if layer is not None)

    def show_points(self) -> Points:
        """Make the points layer the active one, ready to add points."""
        if self._points is None:
            self._points = self._add_points()
        return self._activate(self._points, "add")

    def show_boxes(self) -> Shapes:
        """Make the shapes layer the active one, ready to draw a rectangle."""
        if self._boxes is None:
            self._boxes = self._add_boxes()
        return self._activate(self._boxes, "add_rectangle")

    def show_masks(self) -> Labels:
        """Make the labels layer the active one, ready to paint."""
        if self._masks is None:
            self._masks = self._add_masks()
        return self._activate(self._masks, "paint")

    @property
    def tool(self) -> str:
        """What the mouse gives on the video: "points", "boxes" or "masks"."""
        active = self._viewer.layers.selection.active
        if active is None or str(active.mode) == "pan_zoom":
            return "points"
        return "boxes" if active is self._boxes else "masks" if active is self._masks else "points"

    @property
    def adds_points(self) -> bool:
        """Whether napari itself would make a point of a click."""
        points = self._points
        return points is not None and self._viewer.layers.selection.active is points and str(points.mode) == "add"

    def point_at(self, position: Sequence[float]) -> int | None:
        """Return which point is seen where the world has these coordinates, or None."""
        if self._points is None or not self._points.visible:
            return None
        found = self._points.get_value(position, world=True)
        return None if found is None else int(found)

    def set_defaults(self, obj_id: int, positive: bool) -> None:
        """Let new prompts be for this object, and new points have this sign."""
        chosen = obj_id != self._looks.obj_id
        self._looks.obj_id, self._looks.positive = obj_id, positive
        self._set_defaults()
        if chosen:
            self.style()

    def set_looks(self, colours: Mapping[int, str], hidden: frozenset[int]) -> None:
        """Draw objects in these colours, but the hidden ones not at all."""
        self._looks.colours, self._looks.hidden = dict(colours), hidden
        self._set_defaults()
        self.style()

    def selected_points(self) -> tuple[int, ...]:
        """Return the points that are selected, while points are being selected."""
        layer = self._points
        return () if layer is None or str(layer.mode) != "select" else tuple(sorted(layer.selected_data))

    def select_points(self, indices: Iterable[int]) -> None:
        """Select these points and no others."""
        if self._points is not None:
            with self._own_change():
                self._points.selected_data = set(indices)

    def close(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self._stroke.stop()
        self._drawn.stop()
        self._connections.close()
        for layer in self.layers:
            self._unbind(layer)
        self._points = self._boxes = self._masks = None

    # Reading.

    def read(self, now: Snapshot) -> Snapshot:
        """Return what the points and shapes layers hold, with the masks and choices of `now`."""
        return Snapshot(self._read_points(), self._read_boxes(), now.masks, now.chosen)

    def tidied(self, snapshot: Snapshot, before: Snapshot) -> Snapshot:
        """Return a snapshot in which boxes that the user has drawn stand for those that they replace.

        Raises
        ------
        InputError
            If a box that was not there before marks nothing.
        """
        for rectangle in set(snapshot.rectangles) - set(before.rectangles):
            self._check_drawn(rectangle)
        return snapshot.with_single_boxes(self._to_video(self._boxes))

    def _check_drawn(self, rectangle: Rectangle) -> None:
        source, to_video = self._video.video, self._to_video(self._boxes)
        corners = np.array([to_video(corner) for corner in rectangle.corners])
        if box_around(corners[:, 1:], (source.height, source.width)) is None:
            raise InputError(
                f"The box on frame {round(corners[0, 0])} holds nothing of the picture: draw it around the object."
            )
        seen = np.array([self._boxes.data_to_world(corner) for corner in rectangle.corners])  # type: ignore[union-attr]
        if np.ptp(seen[:, -2:], axis=0).max() * self._viewer.camera.zoom < _CLICK_SIZE:
            raise InputError("Drag to draw a box; a single click is too small.")

    def read_masks(self, frame_idx: int) -> dict[Key, PackedMask]:
        """Return the painted masks of a frame."""
        return {} if self._masks is None else masks_in(np.asarray(self._masks.data[frame_idx]), frame_idx)

    def states(self, snapshot: Snapshot) -> dict[Key, PromptState]:
        """Return what a snapshot says in pixels of the video."""
        size = (self._video.video.height, self._video.video.width)
        return snapshot.states(self._to_video(self._points), self._to_video(self._boxes), size)

    def snapshot_of(self, states: Mapping[Key, PromptState]) -> Snapshot:
        """Return what the layers hold when they say `states`."""
        return snapshot_of(states, self._from_video(self._points), self._from_video(self._boxes))

    def _read_points(self) -> tuple[Click, ...]:
        if self._points is None:
            return ()
        table = self._points.features
        rows = zip(self._points.data, table["obj_id"], table["positive"], strict=True)
        return tuple(Click(_place(place), int(obj_id), bool(positive)) for place, obj_id, positive in rows)

    def _read_boxes(self) -> tuple[Rectangle, ...]:
        if self._boxes is None:
            return ()
        rows = zip(self._boxes.data, self._boxes.features["obj_id"], strict=True)
        return tuple(Rectangle(tuple(_place(corner) for corner in shape), int(obj_id)) for shape, obj_id in rows)

    # Writing.

    def write(self, snapshot: Snapshot, before: Snapshot) -> None:
        """Show a snapshot in place of another."""
        with self._own_change():
            if self._points is not None:
                self._write_points(self._points, snapshot.clicks)
            if self._boxes is not None:
                self._write_boxes(self._boxes, snapshot.rectangles)
            if self._masks is not None:
                self._write_masks(self._masks, snapshot, before)
        # Features that are written anew bring defaults of their own.
        self._set_defaults()
        self.style()

    @staticmethod
    def _write_points(layer: Points, clicks: tuple[Click, ...]) -> None:
        layer.selected_data = set()
        layer.data = np.array([click.place for click in clicks]).reshape(-1, 3)
        layer.features = prompt_features(
            obj_id=[click.obj_id for click in clicks], positive=[click.positive for click in clicks]
        )

    @staticmethod
    def _write_boxes(layer: Shapes, rectangles: tuple[Rectangle, ...]) -> None:
        layer.selected_data = set()
        layer.data = []
        if rectangles:
            layer.add_rectangles([np.array(rectangle.corners) for rectangle in rectangles])
        layer.features = prompt_features(obj_id=[rectangle.obj_id for rectangle in rectangles])

    @staticmethod
    def _write_masks(layer: Labels, snapshot: Snapshot, before: Snapshot) -> None:
        painted = {key[0] for key in (*before.masks, *snapshot.masks)}
        for frame_idx in painted:
            labels = np.zeros(layer.data.shape[1:], layer.data.dtype)
            for (at, obj_id), mask in snapshot.masks.items():
                if at == frame_idx:
                    labels[mask.unpack()] = obj_id
            layer.data[frame_idx] = labels
        layer.refresh()

    def style(self) -> None:
        """Let colour and symbol say what the features say."""
        with self._own_change():
            if self._points is not None:
                self._looks.style_points(self._points, self._read_points())
            if self._boxes is not None:
                self._looks.style_boxes(self._boxes, self._read_boxes())
            if self._masks is not None:
                self._masks.colormap = self._looks.colormap()

    # The layers.

    def _add_points(self) -> Points:
        layer = self._points = make_points(self._video)
        self._connections.add(layer.events.data, self._on_points)
        self._add(layer)
        return layer

    def _add_boxes(self) -> Shapes:
        layer = self._boxes = make_boxes(self._video)
        self._connections.add(layer.events.data, self._on_shapes)
        # napari tells of pasted shapes by this alone.
        self._connections.add(layer.events.features, self._on_features)
        self._add(layer)
        return layer

    def _add_masks(self) -> Labels:
        layer = self._masks = make_masks(self._video, self._looks.colormap())
        self._connections.add(layer.events.paint, self._on_paint)
        self._add(layer)
        return layer

    def _add(self, layer: Layer) -> None:
        insert_in_order(self._viewer, layer, self._video.layer)
        self._bind(layer)
        self._connections.add(layer.events.mode, self._on_tool)
        self._set_defaults()

    def _bind(self, layer: Layer) -> None:
        for key, action in self._keys.items():
            layer.bind_key(key, action, overwrite=True)

    def _unbind(self, layer: Layer) -> None:
        for key in self._keys:
            with suppress(KeyError, ValueError):
                layer.bind_key(key, None)

    def _activate(self, layer: Any, mode: str) -> Any:
        self._viewer.layers.selection.active = layer
        # Hidden, it would have no mode but to pan, and what is said in it would not be seen.
        layer.visible = True
        layer.mode = mode
        return layer

    def _set_defaults(self) -> None:
        with self._own_change():
            if self._points is not None:
                self._looks.for_next_point(self._points)
            if self._boxes is not None:
                self._looks.for_next_box(self._boxes)
            if self._masks is not None:
                self._looks.for_next_stroke(self._masks)

    def _on_tool(self, _: Any) -> None:
        self.tool_changed.emit()

    def _on_change(self, event: Any) -> None:
        # What is about to change is told too; only what has changed matters.
        if not self._writing and not str(event.action).lower().endswith("ing"):
            self.changed.emit()

    def _on_points(self, event: Any) -> None:
        if not self._writing and str(event.action).lower().endswith("adding"):
            # napari would make the new point like the one that was selected last.
            self._set_defaults()
        self._on_change(event)

    def _on_shapes(self, event: Any) -> None:
        if self._boxes is not None and is_drawing(self._boxes):
            # napari is not done with what was drawn by hand: it can't be taken back or replaced yet.
            self._drawn.start()
        else:
            self._on_change(event)

    def _on_drawn(self) -> None:
        # Of a shape with many corners the first was told too.
        if self._boxes is not None and not is_drawing(self._boxes):
            self.changed.emit()

    def _on_features(self, _: Any) -> None:
        boxes = self._boxes
        # While a shape is drawn, it has features before it has its corners.
        if not self._writing and boxes is not None and not is_drawing(boxes) and len(boxes.features) == boxes.nshapes:
            self.changed.emit()

    def _on_paint(self, _: Any) -> None:
        # napari tells of some strokes just before it puts them into the array.
        if not self._writing:
            self._stroke.start()

    def _on_stroke(self) -> None:
        if self._masks is not None:
            self.painted.emit(shown_frame(self._viewer, self._masks))

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        if layer not in self.layers:
            return
        # napari's controls may hold a removed layer for as long as the window is open: it is to hold nothing more.
        self._unbind(layer)
        gone: dict[str, Any] = {}
        if layer is self._points:
            self._points, gone = None, {"clicks": ()}
        elif layer is self._boxes:
            self._boxes, gone = None, {"rectangles": ()}
        else:
            self._masks, gone = None, {"masks": {}}
        self.removed.emit(gone)

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before

    def _to_video(self, layer: Layer | None) -> Any:
        video = self._video.layer
        return lambda place: place if layer is None else _place(video.world_to_data(layer.data_to_world(place)))

    def _from_video(self, layer: Layer | None) -> Any:
        video = self._video.layer
        return lambda place: place if layer is None else _place(layer.world_to_data(video.data_to_world(place)))


def _place(values: Any) -> Place:
    t, y, x = (float(value) for value in values)
    return t, y, x
