"""The passes of one object through SAM 2: prompts, chosen candidates, memories of prompted frames, tracking.

A pass changes the object alone. Who asked for it, whether it can be undone and what it is noted as is the session's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.tracking.engine import Candidates
from napari_sam2_probe.tracking.memory_view import MemoryView
from napari_sam2_probe.tracking.observer import FramePass, PassKind
from napari_sam2_probe.tracking.policies import policy_for
from napari_sam2_probe.tracking.storing import as_stored, output_of_pass

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.engine import FrameEngine
    from napari_sam2_probe.tracking.objects import TrackedObject
    from napari_sam2_probe.tracking.observer import Observer
    from napari_sam2_probe.tracking.outputs import FrameOutput
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import SessionOptions


class ObjectPasses:
    """Runs passes of objects of one session, numbered in their order.

    Parameters
    ----------
    model
        The model.
    engine
        What computes a frame.
    options
        How the session behaves.
    observer
        Who is shown the tensors of all positions; None for nobody.
    """

    def __init__(
        self, model: ObservedSAM2, engine: FrameEngine, options: SessionOptions, observer: Observer | None
    ) -> None:
        self._model = model
        self._engine = engine
        self._options = options
        self._observer = observer
        self._policy = policy_for(options.policy, engine.source)
        self._serial = 0

    def prompt(self, obj: TrackedObject, prompt: Prompt) -> None:
        """Run a prompt; its output is pending until `commit` encodes its memory."""
        t = prompt.frame_idx
        # Without a conditioning frame (all were taken back) there is no memory that a correction could start from.
        is_initial = t not in obj.visited or not obj.conditioning
        reverse = obj.visited.get(t, False)
        becomes_conditioning = is_initial or self._options.flags.add_all_frames_to_correct_as_cond
        if prompt.mask is not None:
            kind, previous = PassKind.MASK_PROMPT, None
        else:
            kind = PassKind.POINT_PROMPT if is_initial else PassKind.CORRECTION
            previous = obj.previous_output(t, conditioning=becomes_conditioning)
        at = FramePass(t, obj.obj_id, kind, self._next_serial())
        # What to read is tried out only where nothing is said of the frame.
        memories = self.memories(obj, tries=False)
        with self._engine.running(), self._watched(at):
            out = self._engine.prompted(
                self._engine.prompt_inputs(prompt),
                t,
                memories,
                is_initial=is_initial,
                reverse=reverse,
                previous_logits=None if previous is None else previous.pred_masks,
            )
        obj.prompts[t] = prompt
        obj.chosen.pop(t, None)
        _replace_or_drop(obj.candidates, t, _candidates(out) if prompt.mask is None else None)
        pending = obj.pending_conditioning if becomes_conditioning else obj.pending_correction
        with self._engine.running():
            pending[t] = output_of_pass(at, out, memories, reverse=reverse)

    def choose(self, obj: TrackedObject, pending: dict[int, FrameOutput], frame_idx: int, index: int) -> None:
        """Take another candidate mask as the pending output of a prompted frame."""
        old = pending[frame_idx]
        candidates = obj.candidates[frame_idx]
        target = FramePass(frame_idx, obj.obj_id, old.kind, self._next_serial())
        if self._observer is not None:
            self._observer.pass_copied(obj.pass_of(frame_idx, old), target)
        token = candidates.sam_tokens[min(index, len(candidates.sam_tokens) - 1)]
        memories = self.memories(obj)
        with self._engine.running(), self._watched(target):
            obj_ptr = self._model.pointer_of_token(token[None], old.object_score_logits)
            edits = memories.position_edits(frame_idx)
            if edits is not None:
                obj_ptr = edits.tensor("object_pointer", obj_ptr)
            masks = self._engine.filled(candidates.low_res_masks[None, index : index + 1])
            if self._observer is not None:
                self._observer.observe(target, "object_pointer", obj_ptr)
        iou = float(candidates.predicted_iou[index])
        chosen = replace(
            old,
            serial=target.serial,
            pred_masks=masks,
            obj_ptr=obj_ptr,
            predicted_iou=iou,
            maskmem_features=None,
            seen=None if old.seen is None else old.seen.taking(index),
        )
        pending[frame_idx] = as_stored(chosen, ("pointer",), frame_idx, memories)
        obj.chosen[frame_idx] = index

    def commit(self, obj: TrackedObject) -> None:
        """Encode the memory of an object's prompted frames and let them condition the others."""
        committed = ((obj.pending_correction, obj.tracked), (obj.pending_conditioning, obj.conditioning))
        for pending, outputs in committed:
            for frame_idx, output in pending.items():
                outputs[frame_idx] = self._with_memory(obj, frame_idx, output)
                self.clear_memory_around(obj, frame_idx)
            pending.clear()

    def track(self, obj: TrackedObject, frame_idx: int, *, reverse: bool) -> FrameOutput:
        """Track an object on a frame from its memories."""
        at = FramePass(frame_idx, obj.obj_id, PassKind.TRACKED, self._next_serial())
        memories = self.memories(obj)
        with self._watched(at):
            out = self._engine.tracked(frame_idx, memories, reverse=reverse)
        return output_of_pass(at, out, memories, reverse=reverse)

    def clear_memory_around(self, obj: TrackedObject, frame_idx: int) -> None:
        """Forget what was tracked around a prompted frame, where the flags of the model say so."""
        if not self._options.flags.clear_non_cond_mem_around_input:
            return
        reach = self._model.memory_temporal_stride_for_eval * self._model.num_maskmem
        for near in range(frame_idx - reach, frame_idx + reach + 1):
            obj.tracked.discard(near)

    def memories(self, obj: TrackedObject, *, tries: bool = True) -> MemoryView:
        """Return what a pass of an object can read, under the policy and the intervention of the session."""
        return MemoryView(
            obj,
            self._engine.maskmem_pos_enc,
            policy=self._policy,
            intervention=self._options.intervention or self._model.intervention,
            attempt=self._engine.attempted if tries else None,
        )

    def _watched(self, at: FramePass) -> AbstractContextManager[None]:
        return self._engine.watched(at, self._observer, unblanked=self._options.observe_unblanked)

    def _with_memory(self, obj: TrackedObject, frame_idx: int, output: FrameOutput) -> FrameOutput:
        if output.maskmem_features is not None:
            return output
        memories = self.memories(obj)
        with self._watched(obj.pass_of(frame_idx, output)):
            features = self._engine.encode_prompted_memory(
                frame_idx, memories, output.pred_masks, output.object_score_logits
            )
        return as_stored(replace(output, maskmem_features=features), ("memory",), frame_idx, memories)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial


def _candidates(out: dict[str, Any]) -> Candidates | None:
    if out["ious"].shape[1] < 2:
        return None
    return Candidates(out["low_res_multimasks"][0], out["ious"][0], out["sam_tokens"][0])


def _replace_or_drop(mapping: dict[int, Any], frame_idx: int, value: Any) -> None:
    if value is None:
        mapping.pop(frame_idx, None)
    else:
        mapping[frame_idx] = value
