"""How good masks are while they come, where the video has true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.video.masks import is_void, object_ids
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.video.masks import Labels
    from napari_sam2_probe.video.source import FrameSource


@dataclass(frozen=True, slots=True)
class TrueScores:
    """The quality of the O masks of a frame.

    Attributes
    ----------
    jaccard
        (O,) float32: region similarity J with the true mask, void pixels left out; NaN where none is known.
    true_ids
        The id in the true masks that each J is about; None where none is known yet.
    """

    jaccard: NDArray[np.float32]
    true_ids: tuple[int | None, ...]


class TrueScorer:
    """Compares masks with the true ones of a video, frame after frame.

    Objects need not have the ids of the true masks. Whenever an object is prompted on a frame with a true mask, or has
    its first mask on one, it is taken for the true object that its mask has the largest J with, if they meet at all.

    Parameters
    ----------
    source
        The video.
    """

    def __init__(self, source: FrameSource) -> None:
        self._video = source if isinstance(source, Video) and source.has_masks else None
        self._true_ids: dict[int, int] = {}

    def score(
        self, frame_idx: int, obj_ids: Sequence[int], masks: NDArray[np.bool_], prompted: int | None = None
    ) -> TrueScores:
        """Return how good the masks of a frame are.

        Parameters
        ----------
        frame_idx
            The frame.
        obj_ids, masks
            The O objects, and their masks (O, H, W).
        prompted
            The object whose prompt on this frame has changed, if one has.
        """
        labels = self._labels(frame_idx)
        if labels is None:
            jaccard = np.full(len(obj_ids), np.nan, np.float32)
            return TrueScores(jaccard, tuple(map(self._true_ids.get, obj_ids)))
        known = ~is_void(labels)
        for obj_id, mask in zip(obj_ids, masks, strict=True):
            if obj_id == prompted or obj_id not in self._true_ids:
                self._match(obj_id, mask & known, labels)
        pairs = [(self._true_ids.get(obj_id), mask) for obj_id, mask in zip(obj_ids, masks, strict=True)]
        values = [np.nan if of is None else region_similarity(labels == of, mask & known) for of, mask in pairs]
        return TrueScores(np.array(values, np.float32), tuple(of for of, _ in pairs))

    def forget(self, obj_id: int) -> None:
        """Forget an object."""
        self._true_ids.pop(obj_id, None)

    def _labels(self, frame_idx: int) -> Labels | None:
        try:
            return None if self._video is None else self._video.mask(frame_idx)
        except InputError:
            # A true mask that can't be read is no reason not to track; whoever shows it says what is wrong with it.
            return None

    def _match(self, obj_id: int, mask: NDArray[np.bool_], labels: Labels) -> None:
        met = object_ids(labels[mask])
        if met:
            self._true_ids[obj_id] = max(met, key=lambda true_id: region_similarity(labels == true_id, mask))
