"""Everything but the object of interest gone in the middle (the paper, section 3.1.3).

What takes the context's place (option ``fill``): ``black``; ``mean``, the mean colour of the context; ``blur``, the
context itself beyond recognition; ``sequence``, frames of an unrelated sequence. ``source_sequence`` stays the
object's own, whatever the fill.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from napari_sam2_probe.transforms.draw import draw_frames
from napari_sam2_probe.transforms.fit import cover
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.overlay import base_clip
from napari_sam2_probe.video.masks import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

# Standard deviation of the blur over the frame's diagonal: enough that no object can be recognised.
_BLUR_SHARE = 0.05
# The blur is computed on a reduced image; it holds no finer detail than this anyway.
_BLUR_REDUCTION = 8


@dataclass(frozen=True, slots=True)
class ContextRemovalOptions:
    """What takes the context's place."""

    fill: Literal["black", "mean", "blur", "sequence"] = "black"


class ContextRemoval(Transform[ContextRemovalOptions]):
    """The object alone in the interjection."""

    name = "context-removal"
    title = "Context removal"
    description = "everything but the object gone in the middle"
    kept = "clean"
    section = "3.1.3"
    stream = 3
    options_type = ContextRemovalOptions

    def count_others(self, options: ContextRemovalOptions) -> int:
        """Return 1 where frames of another sequence fill the context."""
        return 1 if options.fill == "sequence" else 0

    def draw(self, context: SamplingContext, options: ContextRemovalOptions) -> tuple[Distractor, ...]:
        """Draw the frames that fill the context, where the option asks for them."""
        return (draw_frames(context, context.lengths[1]),) if options.fill == "sequence" else ()

    def render(self, recipe: Recipe, footage: Footage, options: ContextRemovalOptions) -> Clip:
        """Return the base with the context filled in the middle; the object's pixels stay as they are."""
        clip = base_clip(footage, recipe)
        assert clip.intact_frames is not None
        middle = slice(recipe.interjection.start, recipe.interjection.stop)
        clip.context_present[middle] = False
        clip.intact_frames[middle] = False

        def draw_frame(t: int) -> Image.Image:
            if t not in recipe.interjection:
                return clip.draw_frame(t)
            frame, mask = np.array(clip.draw_frame(t)), clip.masks[t].view(np.bool_)
            fill: NDArray[np.uint8] | int
            match options.fill:
                case "black":
                    fill = 0
                case "mean":
                    fill = _mean_colour(frame, mask)
                case "blur":
                    fill = _blur(frame, mask)
                case _:
                    (foreign,) = recipe.distractors
                    source_idx = foreign.start + t - recipe.interjection.start
                    fill = np.asarray(cover(footage.frame(foreign.sequence, source_idx), mask.shape))
            _fill_around(frame, mask, fill)
            return Image.fromarray(frame)

        return replace(clip, draw_frame=draw_frame)


def _fill_around(frame: NDArray[np.uint8], mask: NDArray[np.bool_], fill: NDArray[np.uint8] | int) -> None:
    """Replace all of a frame but the object, in place."""
    x0, y0, x1, y1 = bounding_box(mask)
    box, inside = frame[y0:y1, x0:x1], mask[y0:y1, x0:x1]
    pixels = box[inside]
    frame[:] = fill
    box[inside] = pixels


def _mean_colour(frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mean colour of what is not the object."""
    x0, y0, x1, y1 = bounding_box(mask)
    total = _sum(frame.reshape(-1, 3)) - _sum(frame[y0:y1, x0:x1][mask[y0:y1, x0:x1]])
    area = mask.size - np.count_nonzero(mask)
    return np.rint(total / area).astype(np.uint8) if area else np.zeros(3, np.uint8)


def _sum(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = pixels.sum(0, dtype=np.int64)
    return total


def _blur(frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Blur the context alone, so that no shadow of the object is left in it."""
    from scipy.ndimage import gaussian_filter

    context = ~mask
    step = _BLUR_REDUCTION
    sigma = _BLUR_SHARE * float(np.hypot(*context.shape)) / step
    weight = context[::step, ::step].astype(np.float64)
    colour = frame[::step, ::step] * weight[..., None]
    # Far inside a large object no context is in reach; the mean colour, at a tiny weight, fills in.
    tiny = 1e-6
    blurred = gaussian_filter(colour, (sigma, sigma, 0)) + tiny * _mean_colour(frame, mask)
    blurred /= (gaussian_filter(weight, sigma) + tiny)[..., None]
    image = Image.fromarray(np.clip(np.rint(blurred), 0, 255).astype(np.uint8))
    height, width = context.shape
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
