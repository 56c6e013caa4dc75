"""A video in SAM 2: prompts, corrections, propagation in both directions, undo.

The numbers are those of the stock ``SAM2VideoPredictor`` built with the same flags, to the last bit, but frames
are read when needed, and outputs leave memory for disk when there are many.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import whole
from napari_sam2_probe.tracking.branch import track_branch
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.prompted import PromptedVideo
from napari_sam2_probe.tracking.replay import Replay
from napari_sam2_probe.tracking.steps import SweepStep, TrackStep
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.intervening import Donors
    from napari_sam2_probe.tracking.interventions import Edit
    from napari_sam2_probe.tracking.looking import FrameAttention
    from napari_sam2_probe.tracking.memory_view import MemoryView
    from napari_sam2_probe.tracking.objects import TrackedObject
    from napari_sam2_probe.tracking.observer import Observer
    from napari_sam2_probe.tracking.outputs import FrameOutput
    from napari_sam2_probe.tracking.results import Direction, FrameResult, RepeatedFrame, SessionOptions
    from napari_sam2_probe.video.source import FrameSource


class VideoSession(PromptedVideo):
    """One video in SAM 2.

    Not safe for several threads at once: one thread at a time calls it. Use it as a context manager, or call
    `close`, so that threads and temporary files are given back.

    Parameters
    ----------
    model
        The model, in eval mode on its device.
    source
        The video.
    options
        How the session behaves.
    observer
        Somebody who is shown the tensors of all positions; None costs nothing.

    Attributes
    ----------
    history
        What can be undone and redone; only the session changes it.
    log
        What was done, so that it can be done again.
    """

    def __init__(
        self,
        model: ObservedSAM2,
        source: FrameSource,
        options: SessionOptions | None = None,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(model, source, options, observer)
        self._replay = Replay(self._engine, observer, unblanked=self.options.observe_unblanked)

    def propagate(
        self, direction: Direction = "forward", start: int | None = None, end: int | None = None
    ) -> Iterator[FrameResult]:
        """Track all objects through the video, giving each frame as it is done.

        Parameters
        ----------
        direction
            Forward or backward in time.
        start
            The first frame to give; by default the earliest conditioning frame going forward and the latest
            going backward.
        end
            The last frame to give, included; by default the end of the video in that direction.

        Yields
        ------
        FrameResult
            In the order of tracking. Closing the generator stops tracking and keeps what is done.

        Raises
        ------
        InputError
            If an object has no prompt, or a frame is not in the video.
        """
        stretch = TrackStep(self.log.begin_pass(), direction, start, end)
        reverse = direction == "backward"
        with self._refusals_noted(stretch):
            with self._engine.running():
                self._commit_prompts()
            frames = self._frames(reverse, start, end)
        if not reverse:
            for obj in self._objects.values():
                self._replay.references(obj, frames.start)
        for frame_idx in frames:
            with self._engine.running():
                # Prompts given while this generator waited count from here on.
                with self._refusals_noted(stretch):
                    self._commit_prompts()
                result = self._propagate_frame(frame_idx, reverse)
            stretch = self.log.frame_tracked(stretch, frame_idx, self.prompt_keys())
            yield result

    def sweep(self) -> Iterator[int]:
        """Show every frame's tensors again in time order, so that an observer can compare frames with earlier ones.

        Needed after a backward pass. Each pass is repeated with just what it could see when it ran, so its
        tensors are the same; where that is gone (a later pass has replaced it) the sweep of the object ends, and
        the rest must be tracked again. Masks and memory are left as they are.

        Yields
        ------
        int
            How many frames have been shown.
        """
        step = SweepStep()
        self.log.add(step)
        for obj in self._objects.values():
            for _ in self._replay.sweep(obj):
                step.num_frames += 1
                yield step.num_frames
        step.complete = True

    def repeat(
        self, frame_idx: int, obj_id: int, edits: Sequence[Edit] = (), donors: Donors | None = None
    ) -> RepeatedFrame:
        """Track a frame again with just what it read, under further edits; nothing is stored and nobody is shown it.

        Image features that are still there are not computed again.

        Parameters
        ----------
        frame_idx, obj_id
            The frame and object.
        edits
            What is changed, after the edits that the session has anyway.
        donors
            Gives the runs that these edits take from, in place of the session's own donors.

        Raises
        ------
        InputError
            If the frame was not tracked from memory, or what it read was replaced since.
        """
        return self._replay.again(self._object(obj_id), frame_idx, tuple(edits), donors)

    def look(self, frame_idx: int, obj_id: int) -> FrameAttention:
        """Repeat a frame with just what it read, and return where it looked, pixel by pixel.

        Parameters
        ----------
        frame_idx, obj_id
            A frame that was tracked from memory, or prompted first; and the object.

        Raises
        ------
        InputError
            If nothing ran there, what it read was replaced since, or it is a correction, whose pass can't be repeated.
        """
        check_frame_idx(self.source, frame_idx)
        return self._replay.look(self._object(obj_id), frame_idx)

    def what_if(
        self,
        frames: range,
        obj_id: int,
        edits: Sequence[Edit] = (),
        donors: Donors | None = None,
    ) -> Iterator[tuple[int, RepeatedFrame]]:
        """Track frames under further edits, each reading what the ones before it came to; the session stays as it is.

        Parameters
        ----------
        frames
            In the order of tracking: ``range(16, 28)``, or ``range(8, 3, -1)`` to go backward. What comes before the
            first is read as it was tracked.
        obj_id, edits, donors
            As in `repeat`.

        Yields
        ------
        frame_idx, RepeatedFrame
            Frames with a prompt, which stay what they are, are left out.

        Raises
        ------
        InputError
            If a frame is not in the video, or an edit can't be done.
        """
        for frame_idx in frames:
            check_frame_idx(self.source, frame_idx)

        def memories(branch: TrackedObject) -> MemoryView:
            view = self._passes.memories(branch)
            if edits:
                view.intervention = (view.intervention or Intervention()).then(tuple(edits), donors)
            return view

        yield from track_branch(self._engine, self._object(obj_id), frames, memories)

    # The steps

    def _commit_prompts(self) -> None:
        """Encode the memory of prompted frames and let them condition the others.

        Raises
        ------
        InputError
            If there is no object, or one without a prompt.
        """
        if not self._objects:
            raise InputError("Nothing to track yet: give a point, a box or a mask on a frame first.")
        for obj in self._objects.values():
            self._passes.commit(obj)
            if not obj.conditioning:
                raise InputError(f"Object {obj.obj_id} has no prompt: give one, or remove the object.")
            for frame_idx in obj.conditioning:
                obj.tracked.discard(frame_idx)

    def _propagate_frame(self, frame_idx: int, reverse: bool) -> FrameResult:
        outputs: list[FrameOutput | None] = []
        for obj in self._objects.values():
            output = obj.conditioning.get(frame_idx)
            if output is None:
                output = self._passes.track(obj, frame_idx, reverse=reverse)
                obj.tracked[frame_idx] = output
            else:
                self._passes.clear_memory_around(obj, frame_idx)
            obj.visited[frame_idx] = reverse
            outputs.append(output)
            if self.observer is not None:
                score = float(output.object_score_logits)
                self.observer.frame_committed(obj.pass_of(frame_idx, output), score, reverse=reverse)
        masks = torch.cat([out.pred_masks.to(self._engine.device) for out in outputs if out is not None])
        return self._frame_result(frame_idx, outputs, self._engine.at_video_size(masks))

    def _frames(self, reverse: bool, start: int | None, end: int | None) -> range:
        prompted = [t for obj in self._objects.values() for t in obj.conditioning]
        last = self.source.num_frames - 1
        if start is None:
            start = max(prompted) if reverse else min(prompted)
        if end is None:
            end = 0 if reverse else last
        for name, frame in (("start", start), ("end", end)):
            if not 0 <= whole(frame, name) <= last:
                raise InputError(f"The {name} frame {frame} is not in the video, whose frames are 0 to {last}.")
        return range(start, end - 1, -1) if reverse else range(start, end + 1)

    @contextmanager
    def _refusals_noted(self, stretch: TrackStep) -> Iterator[None]:
        """Note in the log that a pass could not go on: what was committed before stays so."""
        try:
            yield
        except InputError:
            self.log.add(replace(stretch, num_frames=0, refused=True))
            raise
