"""Everything but the object of interest gone in the middle (the paper, section 3.1.3).

What takes the context's place (option ``fill``): ``black``; ``mean``, the mean colour of the context; ``blur``, the
context itself beyond recognition; ``sequence``, frames of an unrelated sequence. ``source_sequence`` stays the
object's own, whatever the fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.draw import draw_frames
from napari_sam2_probe.transforms.fit import cover
from napari_sam2_probe.transforms.options import Choice
from napari_sam2_probe.transforms.overlay import base_clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import Draw
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

OPTIONS: Mapping[str, Option] = {"fill": Choice(("black", "mean", "blur", "sequence"))}

# Standard deviation of the blur over the frame's diagonal: enough that no object can be told.
_BLUR_SHARE = 0.05
# The blur is computed on a reduced image; it holds no finer detail than this anyway.
_BLUR_REDUCTION = 8


def plan(draw: Draw) -> tuple[Distractor, ...]:
    """Draw the frames that fill the context, where the option asks for them."""
    return (draw_frames(draw, draw.lengths[1]),) if draw.options["fill"] == "sequence" else ()


def make(recipe: Recipe, footage: Footage) -> Clip:
    """Return the base with the context filled in the middle; the object's pixels stay as they are."""
    clip = base_clip(footage, recipe)
    assert clip.intact_frames is not None
    for t in recipe.interjection:
        context = clip.masks[t] == 0
        frame = clip.frames[t]
        match recipe.options["fill"]:
            case "black":
                frame[context] = 0
            case "mean":
                frame[context] = _mean_colour(frame, context)
            case "blur":
                frame[context] = _blur(frame, context)[context]
            case _:
                (foreign,) = recipe.distractors
                source_idx = foreign.start + t - recipe.interjection.start
                frame[context] = cover(footage.frame(foreign.sequence, source_idx), context.shape)[context]
        clip.context_present[t] = False
        clip.intact_frames[t] = False
    return clip


def _mean_colour(frame: NDArray[np.uint8], context: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.rint(frame[context].mean(0)).astype(np.uint8) if context.any() else np.zeros(3, np.uint8)


def _blur(frame: NDArray[np.uint8], context: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Blur the context alone, so that no shadow of the object is left in it."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    step = _BLUR_REDUCTION
    sigma = _BLUR_SHARE * float(np.hypot(*context.shape)) / step
    weight = context[::step, ::step].astype(np.float64)
    colour = frame[::step, ::step] * weight[..., None]
    # Far inside a large object no context is in reach; the mean colour, at a tiny weight, fills in.
    tiny = 1e-6
    blurred = gaussian_filter(colour, (sigma, sigma, 0)) + tiny * _mean_colour(frame, context)
    blurred /= (gaussian_filter(weight, sigma) + tiny)[..., None]
    image = Image.fromarray(np.clip(np.rint(blurred), 0, 255).astype(np.uint8))
    height, width = context.shape
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
