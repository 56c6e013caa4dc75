"""A session in SAM 2 whose run grows on disk: the one engine of the window, of scripts, and of runs made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.growing_run import GrowingRun
from napari_sam2_probe.live.plan import Plan
from napari_sam2_probe.live.synchronizer import PromptSynchronizer
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.record import check_prompt
from napari_sam2_probe.tracking.repeating import repeat_edit, stretch_frames
from napari_sam2_probe.tracking.steps import SweepStep, TrackStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.live.prompt_state import Key, PromptState
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import Direction, FrameResult
    from napari_sam2_probe.tracking.steps import Step
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth


class RecordedSession(GrowingRun):
    """Prompts, passes and undo in a `VideoSession`, all of it written down as it happens.

    Not safe for several threads at once: one thread at a time calls it.

    Its parameters are those of `GrowingRun`.

    Attributes
    ----------
    direction
        In which the last frame was tracked.
    """

    def __init__(
        self,
        source: FrameSource,
        loaded: Model,
        folder: Callable[[], Path],
        options: RunOptions | None = None,
        truth: ClipTruth | None = None,
        *,
        obj_ids: Iterable[int] = (),
        info: Mapping[str, Any] | None = None,
        prompts: Sequence[Prompt] = (),
    ) -> None:
        super().__init__(source, loaded, folder, options, truth, obj_ids=obj_ids, info=info, prompts=prompts)
        self._synchronizer = PromptSynchronizer(self.session)
        self._plan = Plan(source.num_frames)
        self._passes: list[tuple[Direction, range]] = []
        self._frames: Iterator[FrameResult] | None = None
        self._swept = True
        self.direction: Direction = "forward"

    def close(self, **changes: Any) -> None:
        """Give up what is left to track, and close the run; see `GrowingRun.close`."""
        self.give_up_passes()
        super().close(**changes)

    # Prompts.

    @property
    def applied(self) -> dict[Key, PromptState]:
        """The prompts that the session has, by frame and object."""
        return self._synchronizer.applied

    @property
    def can_undo(self) -> bool:
        """Whether there is a prompt, a choice or a clearing to undo."""
        return self.session.history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self.session.history.can_redo

    def add_prompt(self, prompt: Prompt) -> FrameResult:
        """Give a prompt; see `VideoSession.add_prompt`."""
        check_prompt(prompt, self.source)
        result = self.session.add_prompt(prompt)
        self._note_edit(prompt.frame_idx, prompt.obj_id)
        return result

    def choose_candidate(self, frame_idx: int, obj_id: int, index: int) -> FrameResult:
        """Take another candidate mask; see `VideoSession.choose_candidate`."""
        result = self.session.choose_candidate(frame_idx, obj_id, index)
        self._note_edit(frame_idx, obj_id)
        return result

    def clear_prompt(self, frame_idx: int, obj_id: int) -> FrameResult:
        """Take back all prompts of an object on a frame; see `VideoSession.clear_prompt`."""
        result = self.session.clear_prompt(frame_idx, obj_id)
        self._note_edit(frame_idx, obj_id)
        return result

    def undo(self) -> FrameResult | None:
        """Undo the last prompt, choice or clearing; None if there is nothing to undo."""
        result = self.session.undo()
        if result is not None:
            self._note_edit(result.frame_idx, None)
        return result

    def redo(self) -> FrameResult | None:
        """Redo what was undone last; None if there is nothing to redo."""
        result = self.session.redo()
        if result is not None:
            self._note_edit(result.frame_idx, None)
        return result

    def sync(self, key: Key, wanted: PromptState) -> FrameResult:
        """Let the session have just this prompt for an object on a frame; see `PromptSynchronizer.sync`."""
        if not wanted.is_empty:
            check_prompt(wanted.prompt(key), self.source)
        self._synchronizer.sync(key, wanted)
        self._note_edit(*key)
        return self.session.result(key[0])

    def remove_object(self, obj_id: int) -> list[int]:
        """Forget an object and all that was tracked of it, and return the frames that it was on. It can't be undone."""
        frames = {frame_idx for frame_idx, of in self.session.prompt_keys() if of == obj_id}
        if self.session.knows(obj_id):
            frames |= set(self.session.visited_frames(obj_id))
            self.session.remove_object(obj_id)
        # An object that was added, but never prompted, is in no run.
        if self.writer is not None and obj_id in self.writer.obj_ids:
            self.writer.clear_object(obj_id)
            self.save_info(finished=False)
        return sorted(frames)

    def _note_edit(self, frame_idx: int, obj_id: int | None) -> None:
        self._plan.touch(frame_idx)
        if self.writer is None:
            if not self.session.prompt_keys():
                return
            try:
                self.begin(obj_id)
            except BaseException:
                # A prompt that can't be written down was not given.
                self.session.take_back()
                raise
        assert self.writer is not None
        if obj_id is not None:
            self.writer.add_object(obj_id)
        self.save_info(finished=False)

    # Tracking.

    @property
    def frames_left(self) -> int:
        """How many frames of the passes that were begun are still to be tracked."""
        return sum(len(frames) for _, frames in self._passes)

    def begin_passes(self, direction: RunDirection, start: int | None = None, end: int | None = None) -> int:
        """Get ready to track all objects, and return how many frames that takes; passes under way are given up.

        Parameters
        ----------
        direction
            In time.
        start, end
            The first and last frame. By default tracking goes on where it stopped or where prompts have changed, and
            begins at the earliest prompt (going backward, at the latest) if nothing has.

        Raises
        ------
        InputError
            If there is no prompt, or a frame doesn't fit.
        """
        prompted = self.session.prompted_frames()
        if not prompted:
            raise InputError("Add a prompt first: a point, a box or a mask on a frame.")
        self.give_up_passes()
        if (start, end) == (None, None):
            self._passes = self._plan.passes(direction, prompted)
        else:
            self._passes = [self._explicit_pass(direction, start, end, prompted)]
            self._plan.run_only(*self._passes[0])
        return self.frames_left

    def _explicit_pass(
        self, direction: RunDirection, start: int | None, end: int | None, prompted: list[int]
    ) -> tuple[Direction, range]:
        if direction == "both":
            raise InputError("A first or last frame can't be given for both directions: choose forward or backward.")
        final = self.source.num_frames - 1
        step = 1 if direction == "forward" else -1
        last = (final if step > 0 else 0) if end is None else end
        first = self._plan.start(direction, prompted) if start is None else start
        if start is None and (last - first) * step < 0:
            # All is up to date that far: the same again.
            first = prompted[0] if step > 0 else prompted[-1]
        for name, frame_idx in (("first", first), ("last", last)):
            if not 0 <= frame_idx <= final:
                raise InputError(
                    f"The {name} frame {frame_idx} is not in {self.source.name}: choose one of 0 to {final}."
                )
        frames = range(first, last + step, step)
        if not frames:
            raise InputError(f"No frame lies between the first, {first}, and the last, {last}, going {direction}.")
        return direction, frames

    def next_frame(self) -> FrameResult | None:
        """Track, write and return the next frame of the passes that were begun; None when they are done.

        Raises
        ------
        InputError, ResourceError
            If an object has no prompt, a frame can't be read, or memory or disk don't suffice.
        """
        while self._passes:
            direction, frames = self._passes[0]
            if self._frames is None:
                self._frames = self._begin_pass(direction, frames[0], frames[-1])
            result = next(self._frames, None)
            if result is not None:
                self._passes[0] = (direction, frames[1:])
                self.direction = direction
                self._take(result, direction)
                return result
            self._frames = None
            self._passes.pop(0)
        return None

    def give_up_passes(self) -> None:
        """Forget what is left to track, but where to go on."""
        if self._frames is not None:
            self._frames.close()  # type: ignore[attr-defined]
            self._frames = None
        for direction, frames in self._passes:
            self._plan.stopped(direction, frames)
        self._passes = []

    def sweep(self) -> Iterator[int]:
        """Bring features up to date where frames were not tracked in time order; gives how many are done."""
        if not self._swept:
            yield from self.session.sweep()
            self._swept = True

    @property
    def frames_to_sweep(self) -> int:
        """How many frames a sweep looks at, over all objects."""
        return sum(len(self.session.visited_frames(obj_id)) for obj_id in self.session.obj_ids)

    def _begin_pass(self, direction: Direction, start: int | None, end: int | None) -> Iterator[FrameResult]:
        # What was tracked of objects whose prompts have all been undone is no longer true.
        assert self.writer is not None
        for obj_id in self.writer.obj_ids:
            if obj_id not in self.session.obj_ids:
                self.writer.clear_object(obj_id)
        return self.session.propagate(direction, start, end)

    def _take(self, result: FrameResult, direction: Direction) -> None:
        self._swept = self._swept and direction == "forward"
        self.write(result)

    # All of it again.

    def repeat(self, steps: Iterable[Step]) -> Iterator[FrameResult]:
        """Do what was done in another session, and give each frame as it is tracked.

        Parameters
        ----------
        steps
            What was done, as ``run.json`` says it (`runs.steps_file`).
        """
        passes: dict[int, Iterator[FrameResult]] = {}
        for step in steps:
            if isinstance(step, TrackStep):
                yield from self._repeat_stretch(step, passes)
            else:
                self._repeat_step(step)
        for frames in passes.values():
            frames.close()  # type: ignore[attr-defined]

    def _repeat_stretch(self, step: TrackStep, passes: dict[int, Iterator[FrameResult]]) -> Iterator[FrameResult]:
        for result in stretch_frames(step, passes, self._begin_pass):
            self._take(result, step.direction)
            yield result
        if step.num_frames:
            self._plan.run_only(step.direction, step.frames)

    def _repeat_step(self, step: Step) -> None:
        if not isinstance(step, SweepStep):
            repeat_edit(self, step)
            return
        for shown in self.session.sweep():
            if shown == step.num_frames and not step.complete:
                break
        self._swept = step.complete
