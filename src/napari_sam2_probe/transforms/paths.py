"""Paths of cut-outs relative to the object of interest, and how much of it they hide.

A path is a straight line at constant speed, relative to the line along which the object of interest moves. The
cut-out's own line of motion is taken off first, so that the path is what is seen; what its own motion has beyond
a straight line stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.catalogue import MINIMUM_VISIBLE_SHARE
from napari_sam2_probe.transforms.recipe import Distractor, Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.catalogue import ObjectTrack
    from napari_sam2_probe.transforms.draw import SamplingContext

# Overlaps are estimated on every n-th pixel, where n gives about this many rows.
_ESTIMATE_ROWS = 120


def line_of_motion(track: ObjectTrack, start: int, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return position in the first frame and velocity, each (x, y), of the line that fits the box centres best."""
    boxes = track.boxes[start : start + length]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    if length == 1:
        return centres[0], np.zeros(2)
    velocity, position = np.polyfit(np.arange(length), centres, 1)
    return position, velocity


def half_extent(track: ObjectTrack, start: int, length: int) -> NDArray[np.float64]:
    """Return half the mean width and half the mean height of an object's box in a window."""
    boxes = track.boxes[start : start + length]
    extent: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).mean(0) / 2
    return extent


def clear_distance(direction: NDArray[np.float64], extents: NDArray[np.float64]) -> float:
    """Return how far apart two boxes must be along a unit vector, centre to centre, not to touch.

    Parameters
    ----------
    direction
        Unit vector (x, y).
    extents
        The sum of both boxes' half widths and half heights.
    """
    return float(np.min(extents / np.maximum(np.abs(direction), 1e-6)))


def place_on_path(
    context: SamplingContext,
    track: ObjectTrack,
    start: int,
    scale: float,
    relative: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Distractor:
    """Place a cut-out on a path relative to the object of interest.

    Parameters
    ----------
    context
        The clip's base and length.
    track, start
        The object that is cut out, and its window's first frame.
    scale
        Size in the clip over size in the source.
    relative
        Position in frame 0 and velocity, each (x, y), of the cut-out's centre relative to the object's.
    """
    base_position, base_velocity = line_of_motion(context.base_track, context.base.start, context.num_frames)
    own_position, own_velocity = line_of_motion(track, start, context.num_frames)
    x, y = base_position + relative[0] - scale * own_position
    dx, dy = base_velocity + relative[1] - scale * own_velocity
    return Distractor(track.sequence, start, track.object_id, rounded(scale, x, y, dx, dy))


def rounded(scale: float, x: float, y: float, dx: float, dy: float) -> Placement:
    """Return a placement in digits that a person can read: far finer than a pixel."""
    return Placement(*(round(float(value), 4) for value in (scale, x, y, dx, dy)))


def estimate_obscured(context: SamplingContext, distractors: Sequence[Distractor]) -> NDArray[np.float64]:
    """Estimate the obscured fraction of the object of interest in every frame, on a coarse grid.

    Returns
    -------
    ndarray
        (T, 2): the fraction hidden, and the share of the frame that is left to see of the object.
    """
    base = context.base
    step = max(1, context.base_track.height // _ESTIMATE_ROWS)
    estimate = np.empty((context.num_frames, 2))
    for t in range(context.num_frames):
        visible = context.footage.object_mask(base.sequence, base.start + t, base.object_id)[::step, ::step]
        area = max(1, int(np.count_nonzero(visible)))
        for distractor in distractors:
            _hide(context, distractor, t, step, visible)
        left = int(np.count_nonzero(visible))
        estimate[t] = 1 - left / area, left / visible.size
    return estimate


def is_visible_at_start(estimate: NDArray[np.float64]) -> bool:
    """Tell whether enough of the object is left in frame 0 to prompt with; see `estimate_obscured`."""
    return bool(estimate[0, 1] >= 1.5 * MINIMUM_VISIBLE_SHARE or estimate[0, 0] == 0)


def _hide(context: SamplingContext, distractor: Distractor, t: int, step: int, visible: NDArray[np.bool_]) -> None:
    """Take what a cut-out hides in frame `t` out of a mask that holds every `step`-th pixel."""
    placement, object_id = distractor.placement, distractor.object_id
    if placement is None or object_id is None:
        return
    source_idx = distractor.start + t
    x0, y0, x1, y1 = context.catalogue.track(distractor.sequence, object_id).boxes[source_idx].tolist()
    x, y = placement.offset(t)
    columns, in_x = _source_indices(visible.shape[1], step, x, placement.scale, (x0, x1))
    rows, in_y = _source_indices(visible.shape[0], step, y, placement.scale, (y0, y1))
    # Most boxes don't meet: then the mask needn't be read.
    if visible[in_y, in_x].any():
        source = context.footage.object_pixels(distractor.sequence, source_idx, object_id)
        visible[in_y, in_x] &= ~source.mask[rows - y0][:, columns - x0]


def _source_indices(
    count: int, step: int, offset: float, scale: float, limits: tuple[int, int]
) -> tuple[NDArray[np.int64], slice]:
    source = np.floor((np.arange(count) * step + 0.5 - offset) / scale).astype(np.int64)
    first, last = np.searchsorted(source, limits)
    return source[first:last], slice(int(first), int(last))
