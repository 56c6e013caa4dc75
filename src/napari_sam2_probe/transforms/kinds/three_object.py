"""Three similar objects move over and around the object of interest (the paper, section 3.1.5).

What makes them similar (option ``similarity``): ``colour``, objects of unrelated sequences with the colour statistics
of the object of interest; ``copies``, the object itself; ``any``, objects of unrelated sequences as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.colour import match_colours
from napari_sam2_probe.transforms.draw import ATTEMPTS, draw_source
from napari_sam2_probe.transforms.options import Choice
from napari_sam2_probe.transforms.overlay import overlay_clip
from napari_sam2_probe.transforms.paths import (
    clear_distance,
    estimate_obscured,
    half_extent,
    is_visible_at_start,
    place_on_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import Draw
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

OPTIONS: Mapping[str, Option] = {"similarity": Choice(("colour", "copies", "any"))}

_COUNT = 3
# Side of a cut-out (square root of its area) over the object's.
_RELATIVE_SIZE = (0.6, 1.0)
# Distances in units of that at which the two boxes no longer touch: of the start, and of the way that is gone.
_START = (0.6, 1.3)
_WAY = (0.7, 1.6)
# The obscured fraction must get into this range, on the estimate; frame 0 must stay below the last number.
_SUBSTANTIAL = (0.15, 0.95)
_LARGEST_AT_START = 0.5


def plan(draw: Draw) -> tuple[Distractor, ...]:
    """Draw three objects that start around the object of interest and move past it.

    Raises
    ------
    InputError
        If no three paths are found that leave enough of the object to see.
    """
    for _ in range(ATTEMPTS):
        first_angle = draw.rng.uniform(0, 2 * np.pi)
        angles = first_angle + 2 * np.pi * (np.arange(_COUNT) + draw.rng.uniform(-0.15, 0.15, _COUNT)) / _COUNT
        distractors = tuple(_draw_passing(draw, float(angle)) for angle in angles)
        estimate = estimate_obscured(draw, distractors)
        obscured = estimate[:, 0]
        if (
            is_visible_at_start(estimate)
            and obscured[0] <= _LARGEST_AT_START
            and _SUBSTANTIAL[0] <= obscured.max() <= _SUBSTANTIAL[1]
        ):
            return distractors
    raise InputError(
        f"No paths around object {draw.base.object_id} of {draw.base.sequence} were found: leave that sequence out, "
        "or add sequences with other objects."
    )


def make(recipe: Recipe, footage: Footage) -> Clip:
    """Return the base with the three cut-outs moving over it."""
    levels = [
        match_colours(footage, distractor, recipe.base) if recipe.options["similarity"] == "colour" else None
        for distractor in recipe.distractors
    ]
    return overlay_clip(footage, recipe, levels)


def _draw_passing(draw: Draw, angle: float) -> Distractor:
    rng, length = draw.rng, draw.num_frames
    size = draw.base_track.size(draw.base.start, length) * rng.uniform(*_RELATIVE_SIZE)
    if draw.options["similarity"] == "copies":
        track, start = draw.base_track, draw.base.start
    else:
        track, start = draw_source(draw, size)
    scale = size / track.size(start, length)
    base_extent = half_extent(draw.base_track, draw.base.start, length)
    outward = np.array([np.cos(angle), np.sin(angle)])
    distance = clear_distance(outward, base_extent + scale * half_extent(track, start, length))
    beginning = outward * distance * rng.uniform(*_START)
    # Towards a point near the object's centre, and beyond it where the way is longer than the distance.
    goal = rng.uniform(-0.5, 0.5, 2) * base_extent
    heading = (goal - beginning) / max(float(np.linalg.norm(goal - beginning)), 1e-6)
    velocity = heading * distance * rng.uniform(*_WAY) / max(length - 1, 1)
    return place_on_path(draw, track, start, scale, (beginning, velocity))
