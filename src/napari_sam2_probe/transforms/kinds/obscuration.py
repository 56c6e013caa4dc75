"""An object of another sequence passes over the object of interest (the paper, section 3.1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.draw import ATTEMPTS, draw_source
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import NoOptions
from napari_sam2_probe.transforms.overlay import overlay_clip
from napari_sam2_probe.transforms.paths import (
    clear_distance,
    estimate_obscured,
    half_extent,
    is_visible_at_start,
    place_on_path,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

# When the cut-out is nearest to the object's centre, as a share of the clip, for each way to pass.
_MEETING = {"leaves": (0.05, 0.45), "enters": (0.55, 0.95), "crosses": (0.4, 0.6)}
# A margin over the distance at which the two boxes no longer touch.
_CLEARANCE = 1.15
# Side of the cut-out (square root of its area) over the object's.
_RELATIVE_SIZE = (0.8, 1.3)
# The obscured fraction must get above this, on the estimate; frame 0 must stay below the other.
_SUBSTANTIAL = 0.35
_LARGEST_AT_START = 0.6


class Obscuration(Transform[NoOptions]):
    """The object of interest is covered for part of the clip."""

    name = "obscuration"
    title = "Obscuration"
    description = "an object of another sequence passes over the object"
    masks_of_others = True
    overlays = True
    section = "3.1.4"
    stream = 4

    def count_others(self, options: NoOptions) -> int:
        """Return 1: the sequence that the object above is cut out of."""
        return 1

    def draw(self, context: SamplingContext, options: NoOptions) -> tuple[Distractor, ...]:
        """Draw an object and a path over the object of interest that starts or ends off it.

        Raises
        ------
        InputError
            If no path is found.
        """
        object_size = context.base_track.size(context.base.start, context.num_frames)
        for attempt in range(ATTEMPTS):
            # Thin objects hide little: they may grow until they do.
            size = object_size * context.rng.uniform(*_RELATIVE_SIZE) * 1.01**attempt
            distractor = _draw_crossing(context, size)
            estimate = estimate_obscured(context, [distractor])
            obscured = estimate[:, 0]
            if (
                is_visible_at_start(estimate)
                and obscured[0] <= _LARGEST_AT_START
                and obscured.max() >= _SUBSTANTIAL
                and 0 in (obscured[:2].max(), obscured[-2:].max())
            ):
                return (distractor,)
        raise InputError(
            f"No path over object {context.base.object_id} of {context.base.sequence} was found: leave that sequence "
            "out, or add sequences with other objects."
        )

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with the cut-out passing over it."""
        return overlay_clip(footage, recipe, [None])


def _draw_crossing(context: SamplingContext, size: float) -> Distractor:
    rng, length = context.rng, context.num_frames
    track, start = draw_source(context, size)
    scale = size / track.size(start, length)
    base_extent = half_extent(context.base_track, context.base.start, length)
    angle = rng.uniform(0, 2 * np.pi)
    direction = np.array([np.cos(angle), np.sin(angle)])
    distance = _CLEARANCE * clear_distance(direction, base_extent + scale * half_extent(track, start, length))
    way = list(_MEETING)[int(rng.integers(len(_MEETING)))]
    meeting = rng.uniform(*_MEETING[way]) * (length - 1)
    time_off = {"leaves": length - 1 - meeting, "enters": meeting, "crosses": min(meeting, length - 1 - meeting)}
    velocity: NDArray[np.float64] = direction * distance / max(time_off[way], 1.0)
    miss = rng.uniform(-0.3, 0.3, 2) * base_extent
    return place_on_path(context, track, start, scale, (miss - velocity * meeting, velocity))
