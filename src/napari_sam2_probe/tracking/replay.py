"""Passes shown again: an observer that compares frames with earlier ones needs the earlier ones' tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.bank import Bank
from napari_sam2_probe.tracking.branch import repeated_frame
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.looking import FrameLook
from napari_sam2_probe.tracking.memory_view import MemoryView
from napari_sam2_probe.tracking.observer import PassKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_sam2_probe.tracking.engine import FrameEngine
    from napari_sam2_probe.tracking.intervening import Donors
    from napari_sam2_probe.tracking.interventions import Edit
    from napari_sam2_probe.tracking.looking import FrameAttention
    from napari_sam2_probe.tracking.objects import TrackedObject
    from napari_sam2_probe.tracking.observer import Observer
    from napari_sam2_probe.tracking.outputs import FrameOutput
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import RepeatedFrame


class Replay:
    """Shows frames of an object that were tracked before, without changing what was tracked.

    A pass is repeated with just what it could see when it ran, so its tensors are the same.

    Parameters
    ----------
    engine
        Runs the frames.
    observer
        Who is shown them; None if nobody looks.
    unblanked
        Whether position 5u is shown too.
    """

    def __init__(self, engine: FrameEngine, observer: Observer | None, *, unblanked: bool) -> None:
        self._engine = engine
        self._observer = observer
        self._unblanked = unblanked

    def references(self, obj: TrackedObject, start: int) -> None:
        """Show the frames that the observer wants to have seen before a forward pass from `start`."""
        if self._observer is None:
            return
        for frame_idx in self._observer.required_references(obj.obj_id, start):
            output = obj.settled_output(frame_idx)
            if output is not None:
                with self._engine.running():
                    if self._show(obj, frame_idx, output):
                        self._observer.reference_replayed(obj.pass_of(frame_idx, output))

    def sweep(self, obj: TrackedObject) -> Iterator[int]:
        """Show all frames of an object in time order, as far as what their passes saw is still there.

        Yields
        ------
        int
            The frame shown.
        """
        frames = sorted(obj.visited)
        if frames:
            self.references(obj, frames[0])
        for frame_idx in frames:
            output = obj.settled_output(frame_idx)
            if output is None:
                continue
            with self._engine.running():
                if not self._show(obj, frame_idx, output):
                    break
                if self._observer is not None:
                    score = float(output.object_score_logits)
                    self._observer.frame_committed(obj.pass_of(frame_idx, output), score, reverse=False)
            yield frame_idx

    def again(
        self, obj: TrackedObject, frame_idx: int, edits: tuple[Edit, ...], donors: Donors | None = None
    ) -> RepeatedFrame:
        """Repeat a tracked frame with what it read, under further edits; nobody is shown it and nothing is stored.

        Raises
        ------
        InputError
            If the frame was not tracked from memory, or what it read was replaced since.
        """
        output = obj.settled_output(frame_idx)
        if output is None or output.kind is not PassKind.TRACKED:
            what = "was not tracked" if output is None else "was prompted"
            raise InputError(
                f"Frame {frame_idx} {what} for object {obj.obj_id}: choose a frame that was tracked from memory."
            )
        memories = self._memories(obj, output, edits, donors)
        if memories is None:
            raise InputError(
                f"What frame {frame_idx} read for object {obj.obj_id} was replaced since: track the frame again first."
            )
        shown: dict[str, Tensor] = {}
        with self._engine.running(), self._engine.model.tapped(shown.__setitem__):
            out = self._engine.repeated(frame_idx, memories, reverse=output.reverse)
            return repeated_frame(self._engine, out, shown)

    def look(self, obj: TrackedObject, frame_idx: int) -> FrameAttention:
        """Repeat a frame and return where it looked; see `VideoSession.look`."""
        output = obj.output(frame_idx)
        if output is None:
            raise InputError(f"Frame {frame_idx} was not tracked for object {obj.obj_id}: choose one that was.")
        if output.kind is PassKind.CORRECTION:
            raise InputError(
                f"Frame {frame_idx} was corrected for object {obj.obj_id}, and what the correction started from is not "
                "kept: choose a frame that was tracked, or prompted first."
            )
        is_tracked = output.kind is PassKind.TRACKED
        memories = self._memories(obj, output) if is_tracked else MemoryView(obj, self._engine.maskmem_pos_enc)
        if memories is None:
            raise InputError(
                f"What frame {frame_idx} read for object {obj.obj_id} was replaced since: track the frame again first."
            )
        look, prompt = FrameLook(self._engine.model.attention_places()), obj.prompts.get(frame_idx)
        with self._engine.running(), look.looking():
            if is_tracked:
                out = self._engine.repeated(frame_idx, memories, reverse=output.reverse)
            else:
                assert prompt is not None
                out = self._engine.prompted(
                    self._engine.prompt_inputs(prompt),
                    frame_idx,
                    memories,
                    is_initial=True,
                    reverse=False,
                    previous_logits=None,
                )
            score = float(out["object_score_logits"])
        if not math.isclose(score, float(output.object_score_logits), rel_tol=1e-3, abs_tol=1e-3):
            raise InputError(
                f"Frame {frame_idx} was prompted several times for object {obj.obj_id}, and what came before the last "
                "time is not kept: choose another frame."
            )
        read = memories.provenance
        bank = Bank(frame_idx, ()) if read is None else read.bank
        return look.result(obj.obj_id, bank, memories.tokens_read, 0 if is_tracked else _num_prompts(prompt))

    def _memories(
        self, obj: TrackedObject, output: FrameOutput, edits: tuple[Edit, ...] = (), donors: Donors | None = None
    ) -> MemoryView | None:
        """Return what a pass read; None if it isn't there any more."""
        read = output.provenance
        assert read is not None
        if any(obj.settled_serial(t) != serial for t, serial in read.serials.items()):
            return None
        intervention = read.intervention
        if edits:
            intervention = (intervention or Intervention()).then(edits, donors)
        return MemoryView(obj, self._engine.maskmem_pos_enc, intervention=intervention, repeat=read.chosen)

    def _show(self, obj: TrackedObject, frame_idx: int, output: FrameOutput) -> bool:
        """Repeat a tracked frame's pass; return whether what it could see was still there.

        Observers keep what prompted frames showed, so these need no repeating.
        """
        if output.kind is not PassKind.TRACKED:
            return True
        memories = self._memories(obj, output)
        if memories is not None:
            at = obj.pass_of(frame_idx, output)
            with self._engine.watched(at, self._observer, unblanked=self._unblanked):
                self._engine.tracked(frame_idx, memories, reverse=output.reverse)
        return memories is not None


def _num_prompts(prompt: Prompt | None) -> int:
    """Return how many tokens of the decoder stand for a prompt: its points, and two for a box; a mask has none."""
    if prompt is None or prompt.mask is not None:
        return 0
    return len(prompt.points) + (0 if prompt.box is None else 2)
