"""From what a pass gave to what is stored of its frame, edits of what is stored included."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.tracking.observer import PassKind
from napari_sam2_probe.tracking.outputs import FrameOutput
from napari_sam2_probe.tracking.seen_masks import SeenMasks

if TYPE_CHECKING:
    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.memory_view import MemoryView
    from napari_sam2_probe.tracking.observer import FramePass


def output_of_pass(at: FramePass, out: dict[str, Any], memories: MemoryView, *, reverse: bool) -> FrameOutput:
    """Return what is stored of a pass.

    Parameters
    ----------
    at
        The pass.
    out
        What ``track_step`` gave.
    memories
        What the pass read.
    reverse
        Whether tracking goes backward in time.
    """
    output = FrameOutput(
        serial=at.serial,
        kind=at.kind,
        reverse=reverse,
        maskmem_features=out["maskmem_features"],
        pred_masks=out["pred_masks"],
        obj_ptr=out["obj_ptr"],
        object_score_logits=out["object_score_logits"],
        predicted_iou=math.nan if at.kind is PassKind.MASK_PROMPT else float(out["ious"].max()),
        provenance=memories.provenance,
        seen=SeenMasks.of_pass(out) if memories.keeps_masks else None,
    )
    kinds: tuple[EntryKind, ...] = ("pointer",) if output.maskmem_features is None else ("memory", "pointer")
    return as_stored(output, kinds, at.frame_idx, memories)


def as_stored(output: FrameOutput, kinds: tuple[EntryKind, ...], frame_idx: int, memories: MemoryView) -> FrameOutput:
    """Return an output as the edits of what is stored leave it."""
    if memories.intervention is None:
        return output
    return memories.intervention.stored(output, kinds, frame_idx, memories.obj_id, memories.stored)
