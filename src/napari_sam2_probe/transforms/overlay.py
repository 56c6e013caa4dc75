"""Cut-outs over a base: the pixels, and what is left to see of the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.cutout import cut_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Base, Recipe


def base_frames(footage: Footage, base: Base, num_frames: int) -> NDArray[np.uint8]:
    """Return the base's frames (T, H, W, 3)."""
    frames = footage.clip_memory("frames", (num_frames, *footage.frame(base.sequence, base.start).shape))
    for t in range(num_frames):
        frames[t] = footage.frame(base.sequence, base.start + t)
    return frames


def base_masks(footage: Footage, base: Base, num_frames: int) -> NDArray[np.uint8]:
    """Return the masks (T, H, W) of the base's object, 1 where it is."""
    masks = footage.clip_memory("masks", (num_frames, *footage.mask(base.sequence, base.start).shape))
    for t in range(num_frames):
        np.equal(footage.mask(base.sequence, base.start + t), base.object_id, out=masks[t].view(np.bool_))
    return masks


def base_clip(footage: Footage, recipe: Recipe) -> Clip:
    """Return the base as a clip, unchanged."""
    base, num_frames = recipe.base, recipe.num_frames
    return Clip(
        frames=base_frames(footage, base, num_frames),
        masks=base_masks(footage, base, num_frames),
        object_present=np.ones(num_frames, np.bool_),
        context_present=np.ones(num_frames, np.bool_),
        obscured_fraction=np.zeros(num_frames),
        source_sequence=(base.sequence,) * num_frames,
        source_frame=base.start + np.arange(num_frames, dtype=np.int64),
        intact_frames=np.ones(num_frames, np.bool_),
        intact_masks=np.ones(num_frames, np.bool_),
    )


def overlay_clip(footage: Footage, recipe: Recipe, levels: Sequence[Sequence[int] | None]) -> Clip:
    """Return the base with every distractor laid on it; what they hide is taken out of the object's mask.

    Parameters
    ----------
    footage
        Where the sequences are.
    recipe
        Its distractors are laid on in their order.
    levels
        For each distractor a table of levels for `cut_out`, or None.
    """
    clip = base_clip(footage, recipe)
    assert clip.intact_frames is not None
    assert clip.intact_masks is not None
    shape = (clip.masks.shape[1], clip.masks.shape[2])
    for t in range(clip.num_frames):
        mask = clip.masks[t]
        object_area = np.count_nonzero(mask)
        for distractor, table in zip(recipe.distractors, levels, strict=True):
            patch = cut_out(footage, distractor, t, shape, table)
            if patch is not None:
                patch.lay_on(clip.frames[t])
                mask[patch.region][patch.opaque] = 0
                clip.intact_frames[t] = False
        visible_area = np.count_nonzero(mask)
        clip.intact_masks[t] = visible_area == object_area
        clip.obscured_fraction[t] = 1 - visible_area / object_area
    return clip
