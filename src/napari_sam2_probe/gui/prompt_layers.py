"""Prompts as ordinary napari layers, and undo that spans all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.history import History
from napari_sam2_probe.gui.prompt_canvas import PromptCanvas
from napari_sam2_probe.gui.prompt_snapshot import Snapshot
from napari_sam2_probe.live.prompt_state import NOTHING, Key, PromptState, changes_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari
    from napari.layers import Labels, Layer, Points, Shapes

    from napari_sam2_probe.gui.state import VideoEntry

TOGGLE_KEY, UNDO_KEY, REDO_KEY = "N", "Control-Z", "Control-Shift-Z"

_Step = tuple[Snapshot, Snapshot]
"""What the layers held before and after."""


class PromptLayers:
    """What is said about the objects of one video: in layers, and as values.

    Parameters
    ----------
    viewer
        The viewer.
    video
        The video.
    """

    changed = Signal(object)
    """Something else is said now: `PromptState` by frame and object, for those that changed."""

    refused = Signal(str)
    """A prompt can't be used and was taken back: why."""

    sign_changed = Signal(bool)
    """New points are positive, or negative."""

    tool_changed = Signal(str)
    """The mouse gives other prompts on the video, as in `tool`."""

    history_changed = Signal()
    """There may be another step to undo or redo."""

    def __init__(self, viewer: napari.Viewer, video: VideoEntry) -> None:
        self._source = video.video
        keys = {TOGGLE_KEY: self.toggle_sign, UNDO_KEY: self.undo, REDO_KEY: self.redo}
        self._canvas = PromptCanvas(viewer, video, keys)
        self._snapshot = Snapshot()
        self._states: dict[Key, PromptState] = {}
        self._history: History[_Step] = History()
        self._obj_id = 1
        self._positive = True
        self._canvas.changed.connect(self._on_change)
        self._canvas.painted.connect(self._on_paint)
        self._canvas.removed.connect(self._on_layer_removed)
        self._canvas.tool_changed.connect(self._on_tool)

    @property
    def states(self) -> dict[Key, PromptState]:
        """All that is said, by frame and object."""
        return dict(self._states)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return self._history.can_redo

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that are there."""
        return self._canvas.layers

    @property
    def positive(self) -> bool:
        """Whether new points are on the object."""
        return self._positive

    @property
    def tool(self) -> str:
        """What the mouse gives on the video: "points", "boxes" or "masks"."""
        return self._canvas.tool

    def add_point(self, position: Sequence[float]) -> None:
        """Add a point where the world has these coordinates, and go on with points."""
        layer = self.show_points()
        layer.add(layer.world_to_data(position))

    def show_points(self) -> Points:
        """Make the points layer the active one, ready to add points."""
        return self._canvas.show_points()

    def show_boxes(self) -> Shapes:
        """Make the shapes layer the active one, ready to draw a rectangle."""
        return self._canvas.show_boxes()

    def show_masks(self) -> Labels:
        """Make the labels layer the active one, ready to paint."""
        return self._canvas.show_masks()

    def set_object(self, obj_id: int) -> None:
        """Let new prompts be for this object."""
        self._obj_id = obj_id
        self._canvas.set_defaults(obj_id, self._positive)

    def set_positive(self, positive: bool) -> None:
        """Let new points be on the object, or not on it."""
        if positive != self._positive:
            self._positive = positive
            self._canvas.set_defaults(self._obj_id, positive)
            self.sign_changed.emit(positive)

    def toggle_sign(self, *_: Any) -> None:
        """Turn the sign of the points that are selected while selecting, else that of new points."""
        selected = self._canvas.selected_points()
        if not selected:
            self.set_positive(not self._positive)
            return
        clicks = list(self._snapshot.clicks)
        for index in selected:
            clicks[index] = replace(clicks[index], positive=not clicks[index].positive)
        self._put(replace(self._snapshot, clicks=tuple(clicks)))
        self._canvas.select_points(selected)

    def choose(self, key: Key, candidate: int) -> None:
        """Take one of the candidate masks of a prompt."""
        if key in self._states:
            self._put(replace(self._snapshot, chosen={**self._snapshot.chosen, key: candidate}))

    def remove_object(self, obj_id: int) -> None:
        """Take out all prompts of an object, also from what can be undone."""
        self._history.change(lambda step: _without(step, obj_id))
        rest = self._snapshot.without(obj_id)
        self._canvas.write(rest, self._snapshot)
        self._snapshot = rest
        self._states = {key: state for key, state in self._states.items() if key[1] != obj_id}
        self.history_changed.emit()

    def set_looks(self, colours: Mapping[int, str], hidden: frozenset[int]) -> None:
        """Draw objects in these colours, but the hidden ones not at all."""
        self._canvas.set_looks(colours, hidden)

    def restore(self, states: Mapping[Key, PromptState]) -> None:
        """Say all this and nothing else, as one step that can be undone."""
        if any(state.mask is not None for state in states.values()):
            self.show_masks()
        if any(state.box is not None for state in states.values()):
            self.show_boxes()
        if any(state.points for state in states.values()):
            self.show_points()
        self._put(self._canvas.snapshot_of(states))

    def undo(self, *_: Any) -> None:
        """Take the last step back."""
        step = self._history.undo()
        if step is not None:
            self._go_to(step[0])

    def redo(self, *_: Any) -> None:
        """Do the step that was taken back last again."""
        step = self._history.redo()
        if step is not None:
            self._go_to(step[1])

    def reject(self, key: Key, applied: PromptState) -> None:
        """Show what holds instead of a prompt that the session has refused; of that nothing is left to undo."""
        if self._states.get(key, NOTHING).as_applied(key) == applied:
            return
        last = self._history.done[-1] if self._history.can_undo else None
        if last is not None and self._canvas.states(last[0]).get(key, NOTHING).as_applied(key) == applied:
            self._history.undo()
            before = last[0]
        else:
            others = {of: state for of, state in self._states.items() if of != key}
            before = self._canvas.snapshot_of(others if applied.is_empty else {**others, key: applied})
        self._history.forget_undone()
        self._canvas.write(before, self._snapshot)
        self._snapshot, self._states = before, self._canvas.states(before)
        self.history_changed.emit()

    def close(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self._canvas.close()

    def _on_tool(self) -> None:
        self.tool_changed.emit(self.tool)

    def _on_change(self) -> None:
        read = self._canvas.read(self._snapshot)
        try:
            tidied = self._canvas.tidied(read, self._snapshot)
        except InputError as error:
            self._canvas.write(self._snapshot, read)
            self.refused.emit(str(error))
            return
        if tidied != read:
            self._canvas.write(tidied, read)
        self._step(tidied)

    def _on_paint(self, frame_idx: int) -> None:
        others = {key: mask for key, mask in self._snapshot.masks.items() if key[0] != frame_idx}
        self._step(replace(self._snapshot, masks={**others, **self._canvas.read_masks(frame_idx)}))

    def _on_layer_removed(self, gone: dict[str, Any]) -> None:
        # Steps of a layer that is gone can't be shown any more.
        self._history.clear()
        self._commit(replace(self._snapshot, **gone))

    def _put(self, snapshot: Snapshot) -> None:
        self._canvas.write(snapshot, self._snapshot)
        self._step(snapshot)

    def _go_to(self, snapshot: Snapshot) -> None:
        self._canvas.write(snapshot, self._snapshot)
        self._commit(snapshot)

    def _step(self, snapshot: Snapshot) -> None:
        """Take a change that the layers show already, or refuse it and let them show what was before."""
        snapshot = self._without_old_choices(snapshot)
        try:
            for key, (_, wanted) in changes_between(self._states, self._canvas.states(snapshot)).items():
                if not wanted.is_empty:
                    wanted.prompt(key).check(self._source)
        except InputError as error:
            self._canvas.write(self._snapshot, snapshot)
            self.refused.emit(str(error))
            return
        if snapshot != self._snapshot:
            self._history.add((self._snapshot, snapshot))
        self._canvas.style()
        self._commit(snapshot)

    def _without_old_choices(self, snapshot: Snapshot) -> Snapshot:
        """Drop the choice among candidates that other words have brought forth."""
        states = self._canvas.states(snapshot)
        old = self._snapshot.chosen
        kept = {
            key: index
            for key, index in snapshot.chosen.items()
            if key in states
            and (key not in old or states[key].without_candidate == self._states.get(key, NOTHING).without_candidate)
        }
        return snapshot if kept == snapshot.chosen else replace(snapshot, chosen=kept)

    def _commit(self, snapshot: Snapshot) -> None:
        states = self._canvas.states(snapshot)
        changes = changes_between(self._states, states)
        self._snapshot, self._states = snapshot, states
        self.history_changed.emit()
        if changes:
            self.changed.emit({key: wanted for key, (_, wanted) in changes.items()})


def _without(step: _Step, obj_id: int) -> _Step | None:
    """Return a step without an object; None if nothing else was changed by it."""
    before, after = (snapshot.without(obj_id) for snapshot in step)
    return None if before == after else (before, after)
