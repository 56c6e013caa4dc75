"""An object of another sequence passes over the object of interest (the paper, section 3.1.4).

In a share of the clips (option ``full``, in per cent) it is large enough to hide the object of interest completely for
a moment; in the others it never needs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.cutout import cut_out
from napari_sam2_probe.transforms.draw import ATTEMPTS, draw_source
from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import number
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
# Where all is to be hidden: side over the object's, what it grows by with every attempt, and how far off the middle of
# the object the path may go, in half extents.
_HIDING_SIZE = (1.5, 2.0)
_HIDING_GROWTH = 1.02
_HIDING_MISS = 0.1
# A cut-out is a little smaller than its mask, so the coarse estimate alone doesn't tell that nothing is left to see.
_TRIED_FRAMES = 3


@dataclass(frozen=True, slots=True)
class ObscurationOptions:
    """How much is hidden."""

    full: int = number(25, low=0, high=100)


class Obscuration(Transform[ObscurationOptions]):
    """The object of interest is covered for part of the clip."""

    name = "obscuration"
    title = "Obscuration"
    description = "an object of another sequence passes over the object"
    masks_of_others = True
    overlays = True
    section = "3.1.4"
    stream = 4
    options_type = ObscurationOptions

    def count_others(self, options: ObscurationOptions) -> int:
        """Return 1: the sequence that the object above is cut out of."""
        return 1

    def draw(self, context: SamplingContext, options: ObscurationOptions) -> tuple[Distractor, ...]:
        """Draw an object and a path over the object of interest that starts or ends off it.

        Raises
        ------
        InputError
            If no path is found.
        """
        # Another stream decides it, so that the other clips are what they would be without any of these.
        hiding = context.rng.spawn(1)[0].uniform(0, 100) < options.full
        object_size = context.base_track.size(context.base.start, context.num_frames)
        for attempt in range(ATTEMPTS):
            # Thin objects hide little: they may grow until they do.
            if hiding:
                size = object_size * context.rng.uniform(*_HIDING_SIZE) * _HIDING_GROWTH**attempt
                distractor = _draw_crossing(context, size, _HIDING_MISS)
            else:
                size = object_size * context.rng.uniform(*_RELATIVE_SIZE) * 1.01**attempt
                distractor = _draw_crossing(context, size)
            estimate = estimate_obscured(context, [distractor])
            obscured = estimate[:, 0]
            if (
                is_visible_at_start(estimate)
                and obscured[0] <= _LARGEST_AT_START
                and obscured.max() >= _SUBSTANTIAL
                and 0 in (obscured[:2].max(), obscured[-2:].max())
                and (not hiding or _hides_all(context, distractor, obscured))
            ):
                return (distractor,)
        raise InputError(
            f"No path over object {context.base.object_id} of {context.base.sequence} was found: leave that sequence "
            "out, or add sequences with other objects."
        )

    def render(self, recipe: Recipe, footage: Footage, options: ObscurationOptions) -> Clip:
        """Return the base with the cut-out passing over it."""
        return overlay_clip(footage, recipe, [None])


def _hides_all(context: SamplingContext, distractor: Distractor, obscured: NDArray[np.float64]) -> bool:
    """Tell whether nothing of the object is left on one of the frames on which most of it is hidden, pixel by pixel."""
    base = context.base
    for t in np.flatnonzero(obscured == 1)[:: max(1, int((obscured == 1).sum()) // _TRIED_FRAMES)].tolist():
        mask = context.footage.object_mask(base.sequence, base.start + t, base.object_id)
        patch = cut_out(context.footage, distractor, None, t, (mask.shape[0], mask.shape[1]))
        if patch is not None:
            mask[patch.region][patch.opaque] = 0
            if not mask.any():
                return True
    return False


def _draw_crossing(context: SamplingContext, size: float, largest_miss: float = 0.3) -> Distractor:
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
    miss = rng.uniform(-largest_miss, largest_miss, 2) * base_extent
    return place_on_path(context, track, start, scale, (miss - velocity * meeting, velocity))
