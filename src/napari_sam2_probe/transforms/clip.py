"""A made clip: frames, masks and what is known of every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Clip:
    """A clip made from a recipe (the paper, section 3.1).

    Attributes
    ----------
    draw_frame
        Draws a frame, an RGB image, whenever it is called: where frames are used one after the other, or some of
        them not at all, none has to be kept. The image may be shared: don't draw on it.
    masks
        (T, H, W) uint8 label images; the object of interest is 1, and only its visible part is drawn.
    object_present
        (T,) bool. Whether the object of interest is in the frame; fully hidden still counts as present.
    context_present
        (T,) bool. Whether the object's own background is in the frame.
    obscured_fraction
        (T,) float64 in [0, 1], NaN where the object is absent: |object and overlay| / |object|.
    source_sequence
        (T,) the sequence that gave each frame its background.
    source_frame
        (T,) int64, the frame index in that sequence; by it a clip is matched with its twin.
    intact_frames
        (T,) bool: frames that show their source frame as it is, fitted to the clip's size and nothing else. None
        where that is not known, as after a corruption.
    intact_masks
        (T,) bool: masks that are those of the base's object in the source frame, all of it. None as above.
    """

    draw_frame: Callable[[int], Image.Image]
    masks: NDArray[np.uint8]
    object_present: NDArray[np.bool_]
    context_present: NDArray[np.bool_]
    obscured_fraction: NDArray[np.float64]
    source_sequence: tuple[str, ...]
    source_frame: NDArray[np.int64]
    intact_frames: NDArray[np.bool_] | None = None
    intact_masks: NDArray[np.bool_] | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames, T."""
        return len(self.masks)

    def frame(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return a frame, (H, W, 3) uint8, RGB: drawn now, unless all are drawn already."""
        if "frames" in self.__dict__:
            frame: NDArray[np.uint8] = self.frames[frame_idx]
            return frame
        return np.array(self.draw_frame(frame_idx))

    @cached_property
    def frames(self) -> NDArray[np.uint8]:
        """All frames, (T, H, W, 3) uint8, RGB; drawn once, when they are first asked for."""
        frames = np.empty((*self.masks.shape, 3), np.uint8)
        for t in range(self.num_frames):
            frames[t] = np.asarray(self.draw_frame(t))
        return frames

    def take_frames(self, frame_indices: NDArray[np.int64]) -> Clip:
        """Return the clip that consists of these frames, in this order, with all that is known of them."""
        return Clip(
            draw_frame=lambda t: self.draw_frame(int(frame_indices[t])),
            masks=self.masks[frame_indices],
            object_present=self.object_present[frame_indices],
            context_present=self.context_present[frame_indices],
            obscured_fraction=self.obscured_fraction[frame_indices],
            source_sequence=tuple(self.source_sequence[t] for t in frame_indices.tolist()),
            source_frame=self.source_frame[frame_indices],
        )

    def with_frames(self, frames: NDArray[np.uint8], masks: NDArray[np.uint8] | None = None) -> Clip:
        """Return the clip with other frames (T, H, W, 3), and other masks where they are given."""
        return replace(
            self,
            draw_frame=lambda t: Image.fromarray(frames[t]),
            masks=self.masks if masks is None else masks,
            intact_frames=None,
            intact_masks=None,
        )
