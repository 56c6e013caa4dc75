"""As much light elsewhere: the pixels change as much as in object removal, but not the object.

The pasted object of `object-removal` stays. On the frames from which it is removed there, an area of its form, half a
frame away, becomes brighter (or darker, where it is too bright for that) until the mean absolute difference from
`object-kept` is what removing the object makes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.cutout import cut_out
from napari_sam2_probe.transforms.kinds.object_removal import ObjectRemoval, pasted_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import NoOptions
    from napari_sam2_probe.transforms.recipe import Recipe

# Halvings of the strength: far finer than a level of a pixel.
_STEPS = 24


class Flash(ObjectRemoval):
    """Light beside a pasted object that stays."""

    name = "flash"
    title = "Flash"
    description = "as much light elsewhere as object-removal takes away; the object stays"
    object_present = "always"
    kept = "object-kept"
    section = ""

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the clip of `object-kept` with another area lit in the interjection."""
        clip = pasted_clip(footage, recipe)
        assert clip.intact_frames is not None
        clip.intact_frames[recipe.interjection.start : recipe.interjection.stop] = False
        (pasted,) = recipe.distractors
        shape = footage.shape(recipe.base.sequence)

        def draw_frame(t: int) -> Image.Image:
            patch = cut_out(footage, pasted, None, t, shape) if t in recipe.interjection else None
            if patch is None:
                return clip.draw_frame(t)
            frame = np.array(clip.draw_frame(t))
            without = np.asarray(footage.frame(recipe.base.sequence, recipe.base.start + t))
            _light(frame, patch.region, patch.opaque, _difference(frame, without))
            return Image.fromarray(frame)

        return replace(clip, draw_frame=draw_frame)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(one.astype(np.int16) - other).sum(dtype=np.int64))


def _light(frame: NDArray[np.uint8], region: tuple[slice, slice], opaque: NDArray[np.bool_], wanted: int) -> None:
    """Change a frame in place, away from the object, by `wanted` levels summed over pixels and channels."""
    here = np.zeros(frame.shape[:2], np.bool_)
    here[region] = True
    there = np.zeros_like(here)
    there[region] = opaque
    height, width = frame.shape[:2]
    away = np.roll(there, (height // 2, width // 2), axis=(0, 1)) & ~here
    for area in (away, ~here):
        pixels = frame[area]
        for goal in (255, 0):
            if _difference(np.full_like(pixels, goal), pixels) >= wanted:
                frame[area] = _towards(pixels, goal, wanted)
                return
    # As far as it goes: the object fills nearly all of the frame.
    frame[~here] = 255


def _towards(pixels: NDArray[np.uint8], goal: int, wanted: int) -> NDArray[np.uint8]:
    """Move pixels towards a level, all by the same share of their way, until they have changed by `wanted` in all."""
    way = goal - pixels.astype(np.float64)
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        changed = np.abs(np.rint(middle * way)).sum()
        low, high = (middle, high) if changed < wanted else (low, middle)
    moved: NDArray[np.uint8] = (pixels + np.rint(high * way)).astype(np.uint8)
    return moved
