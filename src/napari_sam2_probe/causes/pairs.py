"""A clip and its twin as two tracked sessions: which frames belong together, and the twin as one that gives tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam2_probe.evaluation.metrics.region import region_similarity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.donors import SessionDonor
    from napari_sam2_probe.tracking.intervening import Donor, Donors
    from napari_sam2_probe.tracking.results import RepeatedFrame
    from napari_sam2_probe.video.truth import ClipTruth

    Truth = Callable[[int], "NDArray[np.bool_] | None"]

TWIN = "twin"
"""How edits call the twin."""

WHOLE_TENSORS = ("memory_attention", "prompt_attention")
"""Positions whose whole tensors a twin must keep; all others are stored, or are made again, anyway."""


def no_truth(_frame: int) -> None:
    """Return no mask: nothing is known."""


@dataclass(frozen=True)
class Pair:
    """A clip and its twin, tracked to their ends.

    Attributes
    ----------
    clip, twin
        The sessions; the twin's keeps `WHOLE_TENSORS`.
    object_id
        The object, the same in both.
    match
        The twin's frame for each frame of the clip.
    clip_truth, twin_truth
        The true mask (H, W) of a frame, None where it is not known.
    """

    clip: SessionDonor
    twin: SessionDonor
    object_id: int
    match: Sequence[int]
    clip_truth: Truth = field(default=no_truth)
    twin_truth: Truth = field(default=no_truth)

    def donors(self) -> Donors:
        """Return what gives the twin under the name `TWIN`, frame by matching frame."""
        twin = MatchedDonor(self.twin, dict(enumerate(self.match)))
        return lambda _name: twin


@dataclass(frozen=True)
class MatchedDonor:
    """A donor that is asked for frames of another video than its own.

    Attributes
    ----------
    donor
        The donor.
    frames
        Its frame for each of the other video's.
    """

    donor: Donor
    frames: Mapping[int, int]

    def entry(self, kind: EntryKind, frame_idx: int, obj_id: int) -> Tensor:
        """Return the memory or pointer of the matching frame; see `Donor.entry`."""
        return self.donor.entry(kind, self.frames[frame_idx], obj_id)

    def tensor(self, key: str, frame_idx: int, obj_id: int) -> Tensor:
        """Return the tensor at a position of the matching frame; see `Donor.tensor`."""
        return self.donor.tensor(key, self.frames[frame_idx], obj_id)

    def image_features(self, frame_idx: int) -> tuple[Tensor, ...]:
        """Return the image features of the matching frame; see `Donor.image_features`."""
        return self.donor.image_features(self.frames[frame_idx])

    def mean_entry(self, kind: EntryKind, obj_id: int) -> Tensor:
        """Return the mean of what is stored; see `Donor.mean_entry`."""
        return self.donor.mean_entry(kind, obj_id)

    def mean_tensor(self, key: str, obj_id: int) -> Tensor:
        """Return the mean at a position; see `Donor.mean_tensor`."""
        return self.donor.mean_tensor(key, obj_id)

    def mean_image_features(self, obj_id: int) -> tuple[Tensor, ...]:
        """Return the mean image features; see `Donor.mean_image_features`."""
        return self.donor.mean_image_features(obj_id)


def match_frames(clip: ClipTruth, twin: ClipTruth) -> list[int]:
    """Return the twin's frame for each frame of a clip: the one from the same source frame, else that of its number.

    Frames of an interjection come from elsewhere and have no frame of the same source in the twin.
    """
    known = {
        (sequence, int(frame)): t
        for t, (sequence, frame) in enumerate(zip(twin.source_sequence, twin.source_frame, strict=True))
    }
    wanted = zip(clip.source_sequence, clip.source_frame, strict=True)
    last = len(twin.source_sequence) - 1
    return [known.get((sequence, int(frame)), min(t, last)) for t, (sequence, frame) in enumerate(wanted)]


def measures(frame: RepeatedFrame, truth: NDArray[np.bool_] | None) -> dict[str, float]:
    """Return what patches are measured by: object score, predicted IoU, and J where an object is known to be there."""
    known = truth is not None and bool(truth.any())
    return {
        "object_score": frame.object_score,
        "predicted_iou": frame.predicted_iou,
        "J": region_similarity(truth, frame.mask) if truth is not None and known else float("nan"),
    }
