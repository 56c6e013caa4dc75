"""What was done in a session, done again in another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.steps import (
    ChooseStep,
    ClearStep,
    PromptStep,
    RedoStep,
    RemoveStep,
    TrackStep,
    UndoStep,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import Direction, FrameResult
    from napari_sam2_probe.tracking.session import VideoSession
    from napari_sam2_probe.tracking.steps import Step


class Editable(Protocol):
    """A session whose prompts can be changed: one of `tracking`, or one that records it."""

    def add_prompt(self, prompt: Prompt) -> Any:
        """Prompt an object on a frame."""
        ...

    def choose_candidate(self, frame_idx: int, obj_id: int, index: int) -> Any:
        """Take another candidate mask."""
        ...

    def clear_prompt(self, frame_idx: int, obj_id: int) -> Any:
        """Take back what was said of an object on a frame."""
        ...

    def undo(self) -> Any:
        """Take back the last edit."""
        ...

    def redo(self) -> Any:
        """Do again what was taken back."""
        ...

    def remove_object(self, obj_id: int) -> Any:
        """Forget an object."""
        ...


def repeat_edit(session: Editable, step: Step) -> None:
    """Do one step again that tracks nothing; sweeps, which change nothing, are left to who wants them."""
    match step:
        case PromptStep():
            session.add_prompt(step.prompt)
        case ChooseStep():
            session.choose_candidate(step.frame_idx, step.obj_id, step.index)
        case ClearStep():
            session.clear_prompt(step.frame_idx, step.obj_id)
        case UndoStep():
            session.undo()
        case RedoStep():
            session.redo()
        case RemoveStep():
            session.remove_object(step.obj_id)


def repeat_steps(session: VideoSession, steps: Sequence[Step]) -> Iterator[FrameResult]:
    """Do steps again, with corrections between passes as they were given, and give each frame as it is tracked."""
    passes: dict[int, Iterator[FrameResult]] = {}
    for step in steps:
        if not isinstance(step, TrackStep):
            repeat_edit(session, step)
            continue
        yield from stretch_frames(step, passes, session.propagate)
    for frames in passes.values():
        frames.close()  # type: ignore[attr-defined]


def stretch_frames(
    step: TrackStep,
    passes: dict[int, Iterator[FrameResult]],
    begin: Callable[[Direction, int | None, int | None], Iterator[FrameResult]],
) -> Iterator[FrameResult]:
    """Track the frames of one stretch again.

    Parameters
    ----------
    step
        The stretch.
    passes
        Passes that are under way, by number; that of the stretch is gone on with, or begun and added.
    begin
        Begins a pass: direction, first and last frame.
    """
    if step.number not in passes:
        passes[step.number] = begin(step.direction, step.start, step.end)
    frames = passes[step.number]
    if step.refused:
        try:
            next(frames)
        except InputError:
            return
    for _ in range(step.num_frames):
        yield next(frames)


def planned_steps(prompts: Sequence[Prompt], passes: Sequence[tuple[Direction, range]]) -> list[Step]:
    """Return the steps of a session that is given its prompts and then tracks frames in each direction."""
    tracked = [
        TrackStep(number, direction, frames[0], frames[-1], frames[0], len(frames))
        for number, (direction, frames) in enumerate(passes)
    ]
    return [*map(PromptStep, prompts), *tracked]
