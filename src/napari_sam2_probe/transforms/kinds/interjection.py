"""Frames of an unrelated sequence inserted in the middle (the paper, section 3.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.draw import draw_frames
from napari_sam2_probe.transforms.fit import cover
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import NoOptions

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe


class Interjection(Transform[NoOptions]):
    """Something else is shown for a while."""

    name = "interjection"
    title = "Interjection"
    description = "frames of an unrelated sequence inserted in the middle"
    object_present = "not in the interjection"
    keeps_time = False
    kept = "clean"
    section = "3.1.1"
    stream = 1

    def count_others(self, options: NoOptions) -> int:
        """Return 1: the sequence that is shown."""
        return 1

    def draw(self, context: SamplingContext, options: NoOptions) -> tuple[Distractor, ...]:
        """Draw the frames to insert."""
        return (draw_frames(context, context.lengths[1]),)

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return prefix and suffix, which follow each other in the base, with the foreign frames between them."""
        (foreign,) = recipe.distractors
        base = recipe.base
        own = np.ones(recipe.num_frames, np.bool_)
        own[recipe.interjection.start : recipe.interjection.stop] = False
        source_frame = np.empty(recipe.num_frames, np.int64)
        source_frame[own] = base.start + np.arange(own.sum())
        source_frame[~own] = foreign.start + np.arange(recipe.lengths[1])
        source_sequence = tuple(base.sequence if is_own else foreign.sequence for is_own in own)
        height, width = footage.shape(base.sequence)
        masks = footage.mask_memory((recipe.num_frames, height, width))
        for t, frame_idx in enumerate(source_frame.tolist()):
            masks[t] = footage.object_mask(base.sequence, frame_idx, base.object_id) if own[t] else 0
        return Clip(
            draw_frame=lambda t: cover(footage.frame(source_sequence[t], int(source_frame[t])), (height, width)),
            masks=masks,
            object_present=own,
            context_present=own.copy(),
            obscured_fraction=np.where(own, 0.0, np.nan),
            source_sequence=source_sequence,
            source_frame=source_frame,
            intact_frames=np.ones(recipe.num_frames, np.bool_),
            intact_masks=own.copy(),
        )
