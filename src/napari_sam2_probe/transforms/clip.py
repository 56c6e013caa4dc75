"""A made clip: frames, masks and what is known of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip made from a recipe (SPEC 3; the paper, section 3.1).

    Attributes
    ----------
    frames
        (T, H, W, 3) uint8, RGB.
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
        where that is not known, as after an extra.
    intact_masks
        (T,) bool: masks that are those of the base's object in the source frame, all of it. None as above.
    """

    frames: NDArray[np.uint8]
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
        return len(self.frames)
