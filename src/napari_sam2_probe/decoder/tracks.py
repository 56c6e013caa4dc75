"""The pointers of an object through a video, beside where it truly is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PointerTrack:
    """One object of one video, on the N frames that it was tracked on and its true mask is known and not empty.

    The prompted frame, whose pointer arises in another way, is not among them.

    Attributes
    ----------
    sequence
        The video's name.
    object_id
        The object's label in the true masks.
    height, width
        The video's, in pixels.
    frames
        (N,) int64, in rising order.
    pointers
        (N, C) float32, as SAM 2 stores them in memory (position 4).
    boxes
        (N, 4) float64, the edges of the true mask's box (`napari_sam2_probe.decoder.boxes.box_edges`).
    object_scores
        (N,) float32 logits; at or below 0 SAM 2 has lost the object, and the pointer is a constant.
    """

    sequence: str
    object_id: int
    height: int
    width: int
    frames: NDArray[np.int64]
    pointers: NDArray[np.float32]
    boxes: NDArray[np.float64]
    object_scores: NDArray[np.float32]
