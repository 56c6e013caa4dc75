"""What the ground truth of a sequence says about one object: where it appears, and which frames are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.video import Video


@dataclass(frozen=True)
class ObjectTruth:
    """One object of a sequence.

    Attributes
    ----------
    sequence
        Its sequence.
    object_id
        Its id.
    annotated
        The frames with a mask, from the one where the object first appears on.
    """

    sequence: Video
    object_id: int
    annotated: tuple[int, ...]

    @property
    def first(self) -> int:
        """The frame where the object first appears, which is prompted."""
        return self.annotated[0]

    @property
    def scored(self) -> tuple[int, ...]:
        """The frames that are scored: all annotated ones but the object's first and the last, as DAVIS has it."""
        return self.annotated[1:-1]

    def mask(self, frame_idx: int) -> NDArray[np.bool_]:
        """Return the object's mask (H, W) on an annotated frame; empty where it is hidden."""
        mask = self.sequence.object_mask(frame_idx, self.object_id)
        if mask is None:
            mask = np.zeros((self.sequence.frames.height, self.sequence.frames.width), dtype=np.bool_)
        return mask


def read_objects(sequence: Video) -> tuple[ObjectTruth, ...]:
    """Find the objects of a sequence and where each appears; masks are read up to there.

    An object whose masks are all empty is none.
    """
    objects = []
    for object_id in sequence.object_ids():
        annotated = sequence.annotated_frames(object_id)
        for place, frame_idx in enumerate(annotated):
            mask = sequence.object_mask(frame_idx, object_id)
            if mask is not None and mask.any():
                objects.append(ObjectTruth(sequence, object_id, tuple(annotated[place:])))
                break
    return tuple(objects)


def can_be_scored(truth: ObjectTruth) -> bool:
    """Return whether a frame is left once the first and the last are left out."""
    return len(truth.scored) > 0
