"""What was done in a session, in order: enough to do it again, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import Direction

Key = tuple[int, int]
"""Frame and object."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptStep:
    """A prompt was given."""

    prompt: Prompt


@dataclass(frozen=True, slots=True, eq=False)
class ChooseStep:
    """One of the candidate masks of a prompt was chosen."""

    frame_idx: int
    obj_id: int
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class ClearStep:
    """The prompt of an object on a frame was cleared."""

    frame_idx: int
    obj_id: int


@dataclass(frozen=True, slots=True, eq=False)
class UndoStep:
    """The last edit was undone."""


@dataclass(frozen=True, slots=True, eq=False)
class RedoStep:
    """The edit that was undone last was redone."""


@dataclass(frozen=True, slots=True, eq=False)
class RemoveStep:
    """An object was removed."""

    obj_id: int


@dataclass(slots=True, eq=False)
class TrackStep:
    """A pass, or a stretch of one: it ends where something else was done while it waited.

    Attributes
    ----------
    number
        Which pass it belongs to; stretches of one pass have the same number.
    direction
        In time.
    start, end
        The first and last frame that were asked for; None for the default.
    first, num_frames
        The first frame of the stretch, and how many were tracked.
    prompts
        The prompts that were there, by frame and object.
    refused
        Whether it ended because something was missing, such as a prompt for an object.
    """

    number: int
    direction: Direction
    start: int | None
    end: int | None
    first: int = -1
    num_frames: int = 0
    prompts: tuple[Key, ...] = ()
    refused: bool = False

    @property
    def frames(self) -> range:
        """The frames that were tracked, in order."""
        step = 1 if self.direction == "forward" else -1
        return range(self.first, self.first + step * self.num_frames, step)

    def continues(self, before: TrackStep) -> bool:
        """Return whether this stretch goes on where another one ended."""
        ended = self.refused or before.refused
        return not ended and self.number == before.number and self.first == before.frames.stop


@dataclass(slots=True, eq=False)
class SweepStep:
    """Frames were compared again in time order.

    Attributes
    ----------
    num_frames
        How many, over all objects.
    complete
        Whether it came to its end.
    """

    num_frames: int = 0
    complete: bool = False


Edit = PromptStep | ChooseStep | ClearStep
Step = Edit | UndoStep | RedoStep | RemoveStep | TrackStep | SweepStep


class StepLog:
    """Notes what is done in a session."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._passes = 0

    def add(self, step: Step) -> None:
        """Note a step."""
        self._steps.append(step)

    def begin_pass(self) -> int:
        """Return a number for a new pass."""
        self._passes += 1
        return self._passes

    def frame_tracked(self, stretch: TrackStep, frame_idx: int, prompts: tuple[Key, ...]) -> TrackStep:
        """Note a tracked frame, in a new stretch of its pass if anything else was done meanwhile."""
        if not self._steps or self._steps[-1] is not stretch:
            stretch = TrackStep(stretch.number, stretch.direction, stretch.start, stretch.end, frame_idx, 0, prompts)
            self._steps.append(stretch)
        stretch.num_frames += 1
        return stretch

    def resolved(self) -> list[Step]:
        """Return the steps without those that were undone and left no trace.

        What was undone after a pass had run with it stays, and so does its undoing: the frames that the pass tracked
        are still what they were then.
        """
        steps = list(self._steps)
        # What is left out may have been all that kept something else in.
        while len(shorter := _without_undone(steps)) < len(steps):
            steps = shorter
        return _joined(steps)


def _without_undone(steps: Sequence[Step]) -> list[Step]:
    """Leave out each undo that was redone at once, and each edit that was undone at once for good."""
    redone: list[Step] = []
    for step in steps:
        if isinstance(step, RedoStep) and redone and isinstance(redone[-1], UndoStep):
            redone.pop()
        else:
            redone.append(step)
    droppable = _droppable_undos(redone)
    kept: list[Step] = []
    for step in redone:
        if isinstance(step, UndoStep) and kept and droppable.get(step) is kept[-1]:
            kept.pop()
        else:
            kept.append(step)
    return kept


def _joined(steps: Sequence[Step]) -> list[Step]:
    """Join stretches of a pass between which nothing is left."""
    joined: list[Step] = []
    for step in steps:
        before = joined[-1] if joined else None
        if isinstance(step, TrackStep) and isinstance(before, TrackStep) and step.continues(before):
            joined[-1] = replace(before, num_frames=before.num_frames + step.num_frames)
        else:
            joined.append(step)
    return joined


def _droppable_undos(steps: list[Step]) -> dict[UndoStep, Edit]:
    """Return what each undo took back, as far as it was not redone later and had dropped nothing that could be."""
    taken: dict[UndoStep, Edit] = {}
    done: list[Edit] = []
    undone: list[tuple[Edit, UndoStep]] = []
    dropped_something: set[Edit] = set()
    for step in steps:
        if isinstance(step, Edit):
            if undone:
                dropped_something.add(step)
            undone.clear()
            done.append(step)
        elif isinstance(step, UndoStep):
            edit = done.pop()
            undone.append((edit, step))
            if edit not in dropped_something:
                taken[step] = edit
        elif isinstance(step, RedoStep):
            edit, undo = undone.pop()
            done.append(edit)
            taken.pop(undo, None)
        elif isinstance(step, RemoveStep):
            done = [edit for edit in done if _obj_id(edit) != step.obj_id]
            for edit, undo in undone:
                if _obj_id(edit) == step.obj_id:
                    # What is removed must have been there.
                    taken.pop(undo, None)
            undone = [pair for pair in undone if _obj_id(pair[0]) != step.obj_id]
    return taken


def _obj_id(edit: Edit) -> int:
    return edit.prompt.obj_id if isinstance(edit, PromptStep) else edit.obj_id


def is_one_pass(steps: Sequence[Step]) -> bool:
    """Say whether all prompts come before a single pass, so that nothing that a frame read is replaced later."""
    kinds = [isinstance(step, TrackStep) for step in steps if not isinstance(step, SweepStep)]
    numbers = {step.number for step in steps if isinstance(step, TrackStep)}
    return len(numbers) == 1 and all(kinds[kinds.index(True) :])
