"""A moving object, cut out of another sequence, that is gone in the middle (the paper, section 3.1.2).

The pasted object is the object of interest; the base gives the background, and its own objects are part of it.
With lengths (28, 0, 0), or as `object-kept`, the same recipe never removes the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.catalogue import MINIMUM_VISIBLE_SHARE
from napari_sam2_probe.transforms.clip import Clip
from napari_sam2_probe.transforms.cutout import cut_out
from napari_sam2_probe.transforms.draw import ATTEMPTS, draw_source
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import NoOptions
from napari_sam2_probe.transforms.overlay import laid_on
from napari_sam2_probe.transforms.paths import line_of_motion, rounded
from napari_sam2_probe.transforms.recipe import Distractor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from napari_sam2_probe.transforms.cutout import Patch
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Recipe

# Side of the cut-out (square root of its area) over that of the base's object, and its limits over the frame's.
_RELATIVE_SIZE = (0.7, 1.2)
_FRAME_SHARE = (0.1, 0.35)
# Drift over the clip and the least way that the object goes in all, in sides of the cut-out.
_DRIFT = (0.3, 1.2)
_LEAST_WAY = 0.25
# An object that still doesn't fit into the frame after so many draws loses its own line of motion.
_PATIENCE = ATTEMPTS // 4


class ObjectRemoval(Transform[NoOptions]):
    """A pasted object of interest that is away for a while."""

    name = "object-removal"
    title = "Object removal"
    description = "a pasted object that is gone in the middle"
    object_present: ClassVar[Literal["always", "not in the interjection"]] = "not in the interjection"
    masks_of_others = True
    section = "3.1.2"
    kept = "object-kept"
    stream = 2

    def count_others(self, options: NoOptions) -> int:
        """Return 1: the sequence that the object is cut out of."""
        return 1

    def draw(self, context: SamplingContext, options: NoOptions) -> tuple[Distractor, ...]:
        """Draw an object and a path on which it moves and stays wholly in the frame.

        Raises
        ------
        InputError
            If no such path is found.
        """
        for distractor in draw_pasted(context):
            return (distractor,)
        raise nothing_to_paste(context)

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with the object pasted in prefix and suffix."""
        return pasted_clip(footage, recipe, without=recipe.interjection)


def draw_pasted(context: SamplingContext) -> Iterator[Distractor]:
    """Draw objects that move and stay wholly in the frame, one after the other, until patience ends."""
    shape = (context.base_track.height, context.base_track.width)
    frame_size = float(np.sqrt(np.prod(shape)))
    base_size = context.base_track.size(context.base.start, context.num_frames)
    for attempt in range(ATTEMPTS):
        size = float(np.clip(base_size * context.rng.uniform(*_RELATIVE_SIZE), *(frame_size * np.array(_FRAME_SHARE))))
        distractor = _draw_inside(context, shape, size * 0.99**attempt, keep_line=attempt < _PATIENCE)
        if distractor is not None:
            yield distractor


def nothing_to_paste(context: SamplingContext) -> InputError:
    """Return the message for where `draw_pasted` gives nothing."""
    return InputError(
        f"No object was found that can be pasted on {context.base.sequence}: add sequences whose object is in "
        f"{context.num_frames} frames in a row and small enough to stay in the frame."
    )


def pasted_clip(footage: Footage, recipe: Recipe, *, without: range = range(0)) -> Clip:
    """Return the base with the recipe's object pasted on it, which is the object of interest.

    Parameters
    ----------
    footage
        Where the sequences are.
    recipe
        Its only distractor is pasted.
    without
        Frames on which it is not.
    """
    base = recipe.base
    (pasted,) = recipe.distractors
    num_frames = recipe.num_frames
    height, width = footage.shape(base.sequence)
    masks = footage.mask_memory((num_frames, height, width))
    masks[:] = 0
    present = np.array([t not in without for t in range(num_frames)])
    patches: dict[int, Patch] = {}
    for t in np.flatnonzero(present).tolist():
        patch = cut_out(footage, pasted, None, t, (height, width))
        if patch is not None:
            patches[t] = patch
            masks[t][patch.region] = patch.opaque

    def draw_frame(t: int) -> Image.Image:
        frame = footage.frame(base.sequence, base.start + t)
        return laid_on(frame, [patches[t]]) if t in patches else frame

    return Clip(
        draw_frame=draw_frame,
        masks=masks,
        object_present=present,
        context_present=np.ones(num_frames, np.bool_),
        obscured_fraction=np.where(present, 0.0, np.nan),
        source_sequence=(base.sequence,) * num_frames,
        source_frame=base.start + np.arange(num_frames, dtype=np.int64),
        intact_frames=np.array([t not in patches for t in range(num_frames)]),
        intact_masks=np.zeros(num_frames, np.bool_),
    )


def _draw_inside(
    context: SamplingContext, shape: tuple[int, int], size: float, *, keep_line: bool
) -> Distractor | None:
    """Draw an object of this size and a path in the frame; None where it doesn't fit or hardly moves."""
    rng, length = context.rng, context.num_frames
    track, start = draw_source(context, size)
    scale = size / track.size(start, length)
    angle = rng.uniform(0, 2 * np.pi)
    drift = np.array([np.cos(angle), np.sin(angle)]) * size * rng.uniform(*_DRIFT) / max(length - 1, 1)
    _, own_velocity = line_of_motion(track, start, length)
    if not keep_line:
        drift -= scale * own_velocity
    moved = np.arange(length)[:, None] * drift
    boxes = scale * track.boxes[start : start + length] + np.hstack([moved, moved])
    # The soft edge takes one pixel more than the box.
    lowest = 1 - boxes[:, :2].min(0)
    highest = np.array(shape[::-1]) - 1 - boxes[:, 2:].max(0)
    way = float(np.linalg.norm(drift + scale * own_velocity)) * (length - 1)
    first_area = scale**2 * track.areas[start]
    if (
        (lowest > highest).any()
        or (way < _LEAST_WAY * size and length > 1)
        or first_area < 1.5 * MINIMUM_VISIBLE_SHARE * np.prod(shape)
    ):
        return None
    x, y = rng.uniform(lowest, highest)
    return Distractor(track.sequence, start, track.object_id, rounded(scale, x, y, *drift))
