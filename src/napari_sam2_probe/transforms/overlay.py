"""Cut-outs over a base: the pixels, and what is left to see of the object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.cutout import cut_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from napari_sam2_probe.transforms.cutout import Patch
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Base, Recipe


def base_masks(footage: Footage, base: Base, num_frames: int) -> NDArray[np.uint8]:
    """Return the masks (T, H, W) of the base's object, 1 where it is."""
    masks = footage.mask_memory((num_frames, *footage.shape(base.sequence)))
    masks[:] = 0
    for t in range(num_frames):
        pixels = footage.object_pixels(base.sequence, base.start + t, base.object_id)
        masks[t][pixels.region] = pixels.mask
    return masks


def base_clip(footage: Footage, recipe: Recipe) -> Clip:
    """Return the base as a clip, unchanged."""
    base, num_frames = recipe.base, recipe.num_frames
    return Clip(
        draw_frame=lambda t: footage.frame(base.sequence, base.start + t),
        masks=base_masks(footage, base, num_frames),
        object_present=np.ones(num_frames, np.bool_),
        context_present=np.ones(num_frames, np.bool_),
        obscured_fraction=np.zeros(num_frames),
        source_sequence=(base.sequence,) * num_frames,
        source_frame=base.start + np.arange(num_frames, dtype=np.int64),
        intact_frames=np.ones(num_frames, np.bool_),
        intact_masks=np.ones(num_frames, np.bool_),
    )


def overlay_clip(
    footage: Footage, recipe: Recipe, levels: Sequence[Sequence[int] | None], *, without: range = range(0)
) -> Clip:
    """Return the base with every distractor laid on it; what they hide is taken out of the object's mask.

    Parameters
    ----------
    footage
        Where the sequences are.
    recipe
        Its distractors are laid on in their order.
    levels
        For each distractor a table of levels for `cut_out`, or None.
    without
        Frames on which nothing is laid.
    """
    clip = base_clip(footage, recipe)
    assert clip.intact_frames is not None
    assert clip.intact_masks is not None
    shape = (clip.masks.shape[1], clip.masks.shape[2])
    patches: list[list[Patch]] = []
    for t in range(clip.num_frames):
        mask = clip.masks[t]
        object_area = np.count_nonzero(mask)
        laid = () if t in without else tuple(zip(recipe.distractors, levels, strict=True))
        cut = [cut_out(footage, *what, t, shape) for what in laid]
        patches.append([patch for patch in cut if patch is not None])
        for patch in patches[t]:
            mask[patch.region][patch.opaque] = 0
        visible_area = np.count_nonzero(mask)
        clip.intact_frames[t] = not patches[t]
        clip.intact_masks[t] = visible_area == object_area
        clip.obscured_fraction[t] = 1 - visible_area / object_area
    return replace(clip, draw_frame=lambda t: laid_on(clip.draw_frame(t), patches[t]))


def overlay_masks(footage: Footage, recipe: Recipe) -> NDArray[np.bool_]:
    """Return where something is laid on the base, (T, H, W) bool; the same as `overlay_clip` draws.

    Parameters
    ----------
    footage
        Where the sequences are.
    recipe
        Of a kind whose distractors are all laid on the base.
    """
    shape = footage.shape(recipe.base.sequence)
    masks = np.zeros((recipe.num_frames, *shape), np.bool_)
    for t in range(recipe.num_frames):
        for distractor in recipe.distractors:
            patch = cut_out(footage, distractor, None, t, shape)
            if patch is not None:
                masks[t][patch.region] |= patch.opaque
    return masks


def laid_on(frame: Image.Image, patches: Sequence[Patch]) -> Image.Image:
    """Return a frame with cut-outs laid on it in their order; the frame itself where there are none."""
    if not patches:
        return frame
    drawn = frame.copy()
    for patch in patches:
        patch.lay_on(drawn)
    return drawn
