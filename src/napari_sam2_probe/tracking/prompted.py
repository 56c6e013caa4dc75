"""A video in SAM 2 as far as prompts go: objects, their prompts and corrections, candidates, undo."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.history import History
from napari_sam2_probe.tracking.engine import NO_OBJ_SCORE, FrameEngine
from napari_sam2_probe.tracking.object_passes import ObjectPasses
from napari_sam2_probe.tracking.objects import Edit as StateEdit
from napari_sam2_probe.tracking.objects import TrackedObject
from napari_sam2_probe.tracking.observer import FramePass, PassKind
from napari_sam2_probe.tracking.outputs import FrameOutput, OutputStore
from napari_sam2_probe.tracking.results import FrameResult, SessionOptions
from napari_sam2_probe.tracking.spill import SpillFolder
from napari_sam2_probe.tracking.steps import ChooseStep, ClearStep, PromptStep, RedoStep, RemoveStep, StepLog, UndoStep
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.bank import Bank
    from napari_sam2_probe.tracking.observer import Observer
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.source import FrameSource


class PromptedVideo:
    """The objects and prompts of a `VideoSession`, which tracks them; see there.

    Parameters
    ----------
    model, source, options, observer
        As for `VideoSession`.

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
        self.source = source
        self.options = options or SessionOptions()
        self.observer = observer
        self._engine = FrameEngine(
            model,
            source,
            dtype=self.options.dtype,
            flags=self.options.flags,
            feature_budget=self.options.feature_budget,
            attention=self.options.attention,
        )
        self._passes = ObjectPasses(model, self._engine, self.options, observer)
        self._folder = SpillFolder(self.options.spill_parent)
        self._objects: dict[int, TrackedObject] = {}
        self.history: History[StateEdit] = History()
        self.log = StepLog()
        self._set_aside: dict[int, TrackedObject] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def obj_ids(self) -> tuple[int, ...]:
        """The objects, in the order in which they were added."""
        return tuple(self._objects)

    def prompts(self, obj_id: int) -> dict[int, Prompt]:
        """Return the prompts of an object by frame."""
        return dict(self._object(obj_id).prompts)

    def chosen(self, obj_id: int) -> dict[int, int]:
        """Return which candidate mask was chosen for an object, by frame, where one was."""
        return dict(self._object(obj_id).chosen)

    def latest_pass(self, frame_idx: int, obj_id: int) -> FramePass | None:
        """Return the pass that gave a frame its newest values; None if nothing ran there."""
        obj = self._object(obj_id)
        output = obj.output(frame_idx)
        return None if output is None else obj.pass_of(frame_idx, output)

    def prompt_keys(self) -> tuple[tuple[int, int], ...]:
        """Return frame and object of every prompt."""
        return tuple((t, o.obj_id) for o in self._objects.values() for t in o.prompts)

    def prompted_frames(self) -> list[int]:
        """Return every frame with a prompt for any object, in time order."""
        return sorted({t for o in self._objects.values() for t in o.prompts})

    def visited_frames(self, obj_id: int) -> list[int]:
        """Return the frames of an object that a propagation has passed, in time order."""
        undone = self._set_aside.get(obj_id)
        return sorted((undone or self._object(obj_id)).visited)

    def bank(self, frame_idx: int, obj_id: int) -> Bank | None:
        """Return what an object's frame read when it was tracked or corrected; None if it read no memory.

        Raises
        ------
        InputError
            If there is no such object.
        """
        obj = self._object(obj_id)
        output = obj.conditioning.get(frame_idx)
        if output is None and frame_idx in obj.tracked:
            output = obj.tracked.without_tensors(frame_idx)
        return None if output is None or output.provenance is None else output.provenance.bank

    def stored_output(self, frame_idx: int, obj_id: int) -> FrameOutput | None:
        """Return what is stored of an object's frame and read by others; None if nothing is.

        Raises
        ------
        InputError
            If there is no such object.
        """
        return self._object(obj_id).settled_output(frame_idx)

    def image_features(self, frame_idx: int) -> tuple[Tensor, ...]:
        """Return the image features of a frame, finest first, each (1, C, h, w)."""
        with self._engine.running():
            return self._engine.image_maps(frame_idx)

    # Prompts

    def add_prompt(self, prompt: Prompt) -> FrameResult:
        """Prompt one object on one frame, replacing its earlier prompt there.

        On a frame that was tracked already this is a correction: memory is used and the earlier mask is refined.
        An object that isn't there yet is added, also after tracking has started.

        Raises
        ------
        InputError
            If the prompt doesn't fit the video.
        """
        prompt.check(self.source)
        self._forget_undone()
        known = self._objects.get(prompt.obj_id)
        obj = known or TrackedObject(prompt.obj_id, OutputStore(self.options.output_budget, self._folder))
        before = None if known is None else obj.state(prompt.frame_idx)
        self._passes.prompt(obj, prompt)
        self._objects[prompt.obj_id] = obj
        self.history.add(StateEdit(prompt.obj_id, prompt.frame_idx, before, obj.state(prompt.frame_idx)))
        self.log.add(PromptStep(prompt))
        return self.result(prompt.frame_idx)

    def candidates(self, frame_idx: int, obj_id: int) -> tuple[NDArray[np.bool_], NDArray[np.float32]] | None:
        """Return the masks SAM 2 considered for an ambiguous prompt, with their predicted IoU.

        Returns
        -------
        tuple or None
            Masks (M, H, W) bool and IoU (M,) float32; None if the prompt there was not ambiguous.
        """
        candidates = self._object(obj_id).candidates.get(frame_idx)
        if candidates is None:
            return None
        with self._engine.running():
            masks = self._engine.at_video_size(candidates.low_res_masks[:, None])[:, 0] > 0
        return masks.cpu().numpy(), candidates.predicted_iou.float().cpu().numpy()

    def choose_candidate(self, frame_idx: int, obj_id: int, index: int) -> FrameResult:
        """Take another of the candidate masks as this frame's output.

        Raises
        ------
        InputError
            If there is no such candidate.
        """
        obj = self._object(obj_id)
        candidates = obj.candidates.get(frame_idx)
        if candidates is None or not 0 <= index < len(candidates.predicted_iou):
            raise InputError(
                f"Frame {frame_idx} has no candidate mask {index} for object {obj_id}: "
                "prompt with a single point to get candidates."
            )
        pending = obj.pending_conditioning if frame_idx in obj.pending_conditioning else obj.pending_correction
        if frame_idx not in pending:
            raise InputError(
                f"Object {obj_id} was tracked since its prompt on frame {frame_idx}: prompt there again to choose."
            )
        self._forget_undone()
        before = obj.state(frame_idx)
        self._passes.choose(obj, pending, frame_idx, index)
        self.history.add(StateEdit(obj_id, frame_idx, before, obj.state(frame_idx)))
        self.log.add(ChooseStep(frame_idx, obj_id, index))
        return self.result(frame_idx)

    def clear_prompt(self, frame_idx: int, obj_id: int) -> FrameResult:
        """Take back an object's prompt on a frame, if it has one.

        A conditioning frame becomes an ordinary tracked frame, as in the stock predictor; track again to let the
        others forget it.
        """
        obj = self._object(obj_id)
        if frame_idx not in obj.prompts:
            return self.result(frame_idx)
        self._forget_undone()
        before = obj.state(frame_idx)
        mappings = (obj.prompts, obj.candidates, obj.chosen, obj.pending_conditioning, obj.pending_correction)
        for mapping in mappings:
            mapping.pop(frame_idx, None)
        downgraded = obj.conditioning.pop(frame_idx, None)
        if downgraded is not None:
            obj.tracked[frame_idx] = downgraded
            obj.visited.pop(frame_idx, None)
        self.history.add(StateEdit(obj_id, frame_idx, before, obj.state(frame_idx)))
        self.log.add(ClearStep(frame_idx, obj_id))
        return self.result(frame_idx)

    def undo(self) -> FrameResult | None:
        """Take back the last prompt, chosen candidate or clearing; None if there is nothing to take back.

        What other frames were tracked to be in the meantime stays until they are tracked again.
        """
        edit = self.history.undo()
        if edit is None:
            return None
        self.log.add(UndoStep())
        if edit.before is None:
            # The step had brought the object in. It is kept, so that a redo finds what was tracked of it.
            self._set_aside[edit.obj_id] = self._objects.pop(edit.obj_id)
        else:
            self._objects[edit.obj_id].restore(edit.frame_idx, edit.before)
        return self.result(edit.frame_idx)

    def redo(self) -> FrameResult | None:
        """Do again what was taken back last; None if there is nothing."""
        edit = self.history.redo()
        if edit is None:
            return None
        self.log.add(RedoStep())
        if edit.before is None:
            self._objects[edit.obj_id] = self._set_aside.pop(edit.obj_id)
        else:
            self._objects[edit.obj_id].restore(edit.frame_idx, edit.after)
        return self.result(edit.frame_idx)

    def take_back(self) -> None:
        """Undo the last edit for good, so that it can't be redone."""
        self.undo()
        self._forget_undone()

    def knows(self, obj_id: int) -> bool:
        """Return whether there is an object, or one that a redo would bring back."""
        return obj_id in self._objects or obj_id in self._set_aside

    def remove_object(self, obj_id: int) -> None:
        """Forget an object and all that was tracked of it. This can't be undone."""
        obj = self._set_aside.pop(obj_id, None)
        if obj is None:
            obj = self._object(obj_id)
            del self._objects[obj_id]
        obj.tracked.close()
        self.history.change(lambda edit: None if edit.obj_id == obj_id else edit)
        self.log.add(RemoveStep(obj_id))
        if self.observer is not None:
            self.observer.removed(obj_id)

    def result(self, frame_idx: int) -> FrameResult:
        """Return what is known of a frame now, pending prompts included.

        Raises
        ------
        InputError
            If there is no such frame.
        """
        check_frame_idx(self.source, frame_idx)
        outputs = [obj.output(frame_idx) for obj in self._objects.values()]
        with self._engine.running():
            size = (1, 1, self.source.height, self.source.width)
            blank = torch.full(size, NO_OBJ_SCORE, device=self._engine.device)
            masks = [blank if out is None else self._engine.at_video_size(out.pred_masks) for out in outputs]
            return self._frame_result(frame_idx, outputs, torch.cat([blank[:0], *masks]))

    def close(self) -> None:
        """Stop reading ahead and remove temporary files."""
        self._engine.close()
        for obj in (*self._objects.values(), *self._set_aside.values()):
            obj.tracked.close()
        self._folder.close()

    def _frame_result(self, frame_idx: int, outputs: list[FrameOutput | None], masks: Tensor) -> FrameResult:
        return FrameResult(
            frame_idx=frame_idx,
            obj_ids=self.obj_ids,
            mask_logits=self._engine.without_overlap(masks),
            object_scores=np.array(
                [math.nan if out is None else float(out.object_score_logits) for out in outputs], np.float32
            ),
            predicted_iou=np.array([math.nan if out is None else out.predicted_iou for out in outputs], np.float32),
            kinds=tuple(PassKind.NOT_RUN if out is None else out.kind for out in outputs),
        )

    def _forget_undone(self) -> None:
        self.history.forget_undone()
        for obj_id, obj in self._set_aside.items():
            obj.tracked.close()
            if self.observer is not None:
                self.observer.removed(obj_id)
        self._set_aside.clear()

    def _object(self, obj_id: int) -> TrackedObject:
        if obj_id not in self._objects:
            there = ", ".join(map(str, self._objects)) or "none"
            raise InputError(f"There is no object {obj_id} (objects: {there}): add it with a prompt first.")
        return self._objects[obj_id]
