"""What the prompt layers hold, as a value: compared to see what changed, put back to take it back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.live.prompt_state import Key, PackedMask, PromptState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Place = tuple[float, float, float]
"""t, y, x in the data coordinates of a layer, where the first pixel's centre is (0, 0)."""


_NUM_CORNERS = 4
_CENTRE = 0.5
"""napari counts pixels from their centres, SAM 2 from their edges."""


@dataclass(frozen=True, slots=True)
class Click:
    """A point of the points layer."""

    place: Place
    obj_id: int
    positive: bool


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of the shapes layer, or another shape, which has other corners."""

    corners: tuple[Place, ...]
    obj_id: int

    @property
    def as_rectangle(self) -> Rectangle:
        """The upright rectangle around any other shape."""
        if len(self.corners) == _NUM_CORNERS:
            return self
        ((t, y0, x0), (_, y1, x1)) = np.min(self.corners, axis=0).tolist(), np.max(self.corners, axis=0).tolist()
        return replace(self, corners=((t, y0, x0), (t, y0, x1), (t, y1, x1), (t, y1, x0)))


@dataclass(frozen=True)
class Snapshot:
    """All prompts of all objects.

    Attributes
    ----------
    clicks, rectangles
        In the order of their layers.
    masks
        By frame and object.
    chosen
        Which candidate mask was chosen, by frame and object.
    """

    clicks: tuple[Click, ...] = ()
    rectangles: tuple[Rectangle, ...] = ()
    masks: Mapping[Key, PackedMask] = field(default_factory=dict)
    chosen: Mapping[Key, int] = field(default_factory=dict)

    def states(
        self, points_to_video: Callable[[Place], Place], boxes_to_video: Callable[[Place], Place], size: tuple[int, int]
    ) -> dict[Key, PromptState]:
        """Return what is said about each object on each frame.

        Parameters
        ----------
        points_to_video, boxes_to_video
            From the data coordinates of the points and the shapes layer to those of the video's.
        size
            Height and width of the video, to which boxes are cut.
        """
        states: dict[Key, PromptState] = {}
        for click in self.clicks:
            t, y, x = points_to_video(click.place)
            key = (round(t), click.obj_id)
            state = states.get(key, PromptState())
            states[key] = replace(state, points=(*state.points, (x + _CENTRE, y + _CENTRE, int(click.positive))))
        for rectangle in self.rectangles:
            corners = np.array([boxes_to_video(corner) for corner in rectangle.corners])
            key = (round(float(corners[0, 0])), rectangle.obj_id)
            box = box_around(corners[:, 1:], size)
            if box is not None:
                states[key] = replace(states.get(key, PromptState()), box=box)
        for key, mask in self.masks.items():
            states[key] = PromptState(mask=mask)
        for key, candidate in self.chosen.items():
            if key in states:
                states[key] = replace(states[key], candidate=candidate)
        return states

    def with_single_boxes(self, boxes_to_video: Callable[[Place], Place]) -> Snapshot:
        """Return it with rectangles alone, the latest of each object on each frame: SAM 2 takes one box."""
        shapes = [shape.as_rectangle for shape in self.rectangles]
        latest = {(round(boxes_to_video(shape.corners[0])[0]), shape.obj_id): shape for shape in shapes}
        return replace(self, rectangles=tuple(shape for shape in shapes if shape in latest.values()))

    def without(self, obj_id: int) -> Snapshot:
        """Return it without an object."""
        return Snapshot(
            tuple(click for click in self.clicks if click.obj_id != obj_id),
            tuple(rectangle for rectangle in self.rectangles if rectangle.obj_id != obj_id),
            {key: mask for key, mask in self.masks.items() if key[1] != obj_id},
            {key: candidate for key, candidate in self.chosen.items() if key[1] != obj_id},
        )


def snapshot_of(
    states: Mapping[Key, PromptState],
    video_to_points: Callable[[Place], Place],
    video_to_boxes: Callable[[Place], Place],
) -> Snapshot:
    """Return what the layers hold when they say `states`; the inverse of `Snapshot.states`."""
    clicks, rectangles, masks, chosen = [], [], {}, {}
    for key, state in states.items():
        frame_idx, obj_id = key
        for x, y, label in state.points:
            place = video_to_points((float(frame_idx), y - _CENTRE, x - _CENTRE))
            clicks.append(Click(place, obj_id, bool(label)))
        if state.box is not None:
            x0, y0, x1, y1 = (edge - _CENTRE for edge in state.box)
            outline = ((y0, x0), (y0, x1), (y1, x1), (y1, x0))
            corners = tuple(video_to_boxes((float(frame_idx), y, x)) for y, x in outline)
            rectangles.append(Rectangle(corners, obj_id))
        if state.mask is not None:
            masks[key] = state.mask
        if state.candidate is not None:
            chosen[key] = state.candidate
    return Snapshot(tuple(clicks), tuple(rectangles), masks, chosen)


def masks_in(labels: NDArray[np.integer], frame_idx: int) -> dict[Key, PackedMask]:
    """Return the mask of every object in a label image (H, W)."""
    return {(frame_idx, int(i)): PackedMask.pack(labels == i) for i in np.unique(labels) if i > 0}


def box_around(corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Return x0, y0, x1, y1 of (N, 2) places y, x, cut to a picture of this height and width; None if nothing is left.

    The places count from the first pixel's centre, the box from its edge.
    """
    low = np.clip(corners.min(axis=0) + _CENTRE, 0, size)
    high = np.clip(corners.max(axis=0) + _CENTRE, 0, size)
    if not (high > low).all():
        return None
    return float(low[1]), float(low[0]), float(high[1]), float(high[0])
