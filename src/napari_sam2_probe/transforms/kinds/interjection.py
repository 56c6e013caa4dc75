"""Frames of an unrelated sequence inserted in the middle (the paper, section 3.1.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.draw import draw_frames
from napari_sam2_probe.transforms.fit import cover
from napari_sam2_probe.transforms.overlay import base_clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.draw import Draw
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

OPTIONS: Mapping[str, Option] = {}


def plan(draw: Draw) -> tuple[Distractor, ...]:
    """Draw the frames to insert."""
    return (draw_frames(draw, draw.lengths[1]),)


def make(recipe: Recipe, footage: Footage) -> Clip:
    """Return prefix and suffix, which follow each other in the base, with the foreign frames between them."""
    prefix, interjection, suffix = recipe.lengths
    (foreign,) = recipe.distractors
    base = base_clip(footage, replace(recipe, lengths=(prefix, 0, suffix)))
    shape = base.masks.shape[1:]
    inserted = np.arange(foreign.start, foreign.start + interjection, dtype=np.int64)
    frames = np.empty((recipe.num_frames, *base.frames.shape[1:]), np.uint8)
    frames[:prefix], frames[prefix + interjection :] = base.frames[:prefix], base.frames[prefix:]
    for t, frame_idx in zip(recipe.interjection, inserted.tolist(), strict=True):
        frames[t] = cover(footage.frame(foreign.sequence, frame_idx), shape)
    own = np.ones(recipe.num_frames, np.bool_)
    own[prefix : prefix + interjection] = False
    obscured = np.zeros(recipe.num_frames)
    obscured[~own] = np.nan
    return Clip(
        frames=frames,
        masks=np.insert(base.masks, [prefix] * interjection, 0, axis=0),
        object_present=own,
        context_present=own.copy(),
        obscured_fraction=obscured,
        source_sequence=tuple(recipe.base.sequence if is_own else foreign.sequence for is_own in own),
        source_frame=np.insert(base.source_frame, [prefix] * interjection, inserted),
    )
