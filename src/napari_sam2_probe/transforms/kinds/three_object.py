"""Three similar objects move over and around the object of interest (the paper, section 3.1.5).

What makes them similar (option ``similarity``): ``colour``, objects of unrelated sequences with the colour statistics
of the object of interest; ``copies``, the object itself; ``any``, objects of unrelated sequences as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.colour import match_colours
from napari_sam2_probe.transforms.draw import ATTEMPTS, draw_source
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.overlay import overlay_clip
from napari_sam2_probe.transforms.paths import (
    clear_distance,
    estimate_obscured,
    half_extent,
    is_visible_at_start,
    place_on_path,
)

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

_COUNT = 3
# Side of a cut-out (square root of its area) over the object's.
_RELATIVE_SIZE = (0.6, 1.0)
# Distances in units of that at which the two boxes no longer touch: of the start, and of the way that is gone.
_START = (0.6, 1.3)
_WAY = (0.7, 1.6)
# The obscured fraction must get into this range, on the estimate; frame 0 must stay below the last number.
_SUBSTANTIAL = (0.15, 0.95)
_LARGEST_AT_START = 0.5


@dataclass(frozen=True, slots=True)
class ThreeObjectOptions:
    """What makes the objects similar."""

    similarity: Literal["colour", "copies", "any"] = "colour"


class ThreeObject(Transform[ThreeObjectOptions]):
    """Others that look alike."""

    name = "three-object"
    title = "Three objects"
    description = "three similar objects move over and around the object"
    masks_of_others = True
    overlays = True
    section = "3.1.5"
    stream = 5
    options_type = ThreeObjectOptions

    def count_others(self, options: ThreeObjectOptions) -> int:
        """Return 3, or 0 where the objects are copies of the object itself."""
        return 0 if options.similarity == "copies" else _COUNT

    def draw(self, context: SamplingContext, options: ThreeObjectOptions) -> tuple[Distractor, ...]:
        """Draw three objects that start around the object of interest and move past it.

        Raises
        ------
        InputError
            If no three paths are found that leave enough of the object to see.
        """
        for _ in range(ATTEMPTS):
            first_angle = context.rng.uniform(0, 2 * np.pi)
            angles = first_angle + 2 * np.pi * (np.arange(_COUNT) + context.rng.uniform(-0.15, 0.15, _COUNT)) / _COUNT
            distractors = tuple(_draw_passing(context, options, float(angle)) for angle in angles)
            estimate = estimate_obscured(context, distractors)
            obscured = estimate[:, 0]
            if (
                is_visible_at_start(estimate)
                and obscured[0] <= _LARGEST_AT_START
                and _SUBSTANTIAL[0] <= obscured.max() <= _SUBSTANTIAL[1]
            ):
                return distractors
        raise InputError(
            f"No paths around object {context.base.object_id} of {context.base.sequence} were found: leave that "
            "sequence out, or add sequences with other objects."
        )

    def render(self, recipe: Recipe, footage: Footage, options: ThreeObjectOptions) -> Clip:
        """Return the base with the three cut-outs moving over it."""
        levels = [
            match_colours(footage, distractor, recipe.base) if options.similarity == "colour" else None
            for distractor in recipe.distractors
        ]
        return overlay_clip(footage, recipe, levels)


def _draw_passing(context: SamplingContext, options: ThreeObjectOptions, angle: float) -> Distractor:
    rng, length = context.rng, context.num_frames
    size = context.base_track.size(context.base.start, length) * rng.uniform(*_RELATIVE_SIZE)
    if options.similarity == "copies":
        track, start = context.base_track, context.base.start
    else:
        track, start = draw_source(context, size)
    scale = size / track.size(start, length)
    base_extent = half_extent(context.base_track, context.base.start, length)
    outward = np.array([np.cos(angle), np.sin(angle)])
    distance = clear_distance(outward, base_extent + scale * half_extent(track, start, length))
    beginning = outward * distance * rng.uniform(*_START)
    # Towards a point near the object's centre, and beyond it where the way is longer than the distance.
    goal = rng.uniform(-0.5, 0.5, 2) * base_extent
    heading = (goal - beginning) / max(float(np.linalg.norm(goal - beginning)), 1e-6)
    velocity = heading * distance * rng.uniform(*_WAY) / max(length - 1, 1)
    return place_on_path(context, track, start, scale, (beginning, velocity))
