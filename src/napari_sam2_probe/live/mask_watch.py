"""What masks say while they come: how they compare with those of the frame before, and with the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.video.masks import VOID
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.video.masks import Labels
    from napari_sam2_probe.video.source import FrameSource


@dataclass(frozen=True, slots=True)
class MaskNumbers:
    """Numbers of the O masks of a frame.

    Attributes
    ----------
    overlaps
        (O,) float32: IoU with the mask of the frame beside it that was looked at just before; NaN without one. Two
        empty masks overlap with 1.
    jaccard
        (O,) float32: region similarity J with the true mask, void pixels left out; NaN where none is known.
    true_ids
        The id in the true masks that each J is about; None where none is known yet.
    """

    overlaps: NDArray[np.float32]
    jaccard: NDArray[np.float32]
    true_ids: tuple[int | None, ...]


class MaskWatch:
    """Looks at the masks of a video, frame after frame.

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
        self._before: tuple[int, dict[int, NDArray[np.bool_]]] | None = None

    def look(
        self,
        frame_idx: int,
        obj_ids: Sequence[int],
        masks: NDArray[np.bool_],
        *,
        prompted: int | None = None,
        tracked: bool = False,
    ) -> MaskNumbers:
        """Return the numbers of a frame.

        Parameters
        ----------
        frame_idx
            The frame.
        obj_ids, masks
            The O objects, and their masks (O, H, W).
        prompted
            The object whose prompt on this frame has changed, if one has.
        tracked
            Whether these masks come from tracking, frame after frame; only such are compared with those before.

        Raises
        ------
        InputError
            If a true mask can't be read.
        """
        labels = None if self._video is None else self._video.mask(frame_idx)
        of = dict(zip(obj_ids, masks, strict=True))
        if labels is not None:
            for obj_id in obj_ids:
                if obj_id == prompted or obj_id not in self._true_ids:
                    self._match(obj_id, of[obj_id], labels)
        overlaps = [np.nan] * len(of)
        if tracked:
            if self._before is not None and abs(self._before[0] - frame_idx) == 1:
                last = self._before[1]
                overlaps = [region_similarity(last[i], of[i]) if i in last else np.nan for i in obj_ids]
            self._before = frame_idx, of
        return MaskNumbers(
            np.array(overlaps, np.float32),
            np.array([self._jaccard(obj_id, of[obj_id], labels) for obj_id in obj_ids], np.float32),
            tuple(self._true_ids.get(obj_id) for obj_id in obj_ids),
        )

    def forget(self, obj_id: int) -> None:
        """Forget an object."""
        self._true_ids.pop(obj_id, None)

    def _match(self, obj_id: int, mask: NDArray[np.bool_], labels: Labels) -> None:
        met = [int(true_id) for true_id in np.unique(labels[mask]) if true_id not in (0, VOID)]
        if met:
            self._true_ids[obj_id] = max(met, key=lambda true_id: region_similarity(labels == true_id, mask))

    def _jaccard(self, obj_id: int, mask: NDArray[np.bool_], labels: Labels | None) -> float:
        true_id = self._true_ids.get(obj_id)
        if labels is None or true_id is None:
            return float("nan")
        return region_similarity(labels == true_id, mask & (labels != VOID))
