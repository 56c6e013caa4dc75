"""The clips of a batch as they are tracked and scored: frames, masks, and what their recipes tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.overlay import overlay_masks
from napari_sam2_probe.transforms.recipe import Recipe
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST, ClipTruth, read_all_truth

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.folder import ExperimentFolder
    from napari_sam2_probe.experiments.plan import Batch
    from napari_sam2_probe.video.video import Video


@dataclass(frozen=True)
class BatchClip:
    """One clip of a batch.

    Attributes
    ----------
    kind, name
        Which clip it is.
    frames
        The video.
    truth
        What the recipe tells of its frames.
    base_sequence
        The sequence that the clip was made from.
    true_masks
        (T, H, W) bool, the visible object of interest.
    other_masks
        (T, H, W) bool, what is laid over it; None where nothing is, or it isn't known where.
    """

    kind: str
    name: str
    frames: Video
    truth: ClipTruth
    base_sequence: str
    true_masks: NDArray[np.bool_]
    other_masks: NDArray[np.bool_] | None = None


class ClipReader:
    """Reads the clips of an experiment's batches; tables of a kind are read once, not for each of its batches.

    Parameters
    ----------
    folder
        The experiment, whose clips are made.
    davis, split
        What they were made of, which says where objects were laid over others; None to leave that out.
    """

    def __init__(self, folder: ExperimentFolder, davis: str | None = None, split: str | None = None) -> None:
        self._folder = folder
        self._davis, self._split = davis, split
        self._footage: Footage | None = None
        self._kinds: dict[str, tuple[DavisDataset, dict[str, ClipTruth]]] = {}

    def read(self, batch: Batch) -> list[BatchClip]:
        """Read the masks of the clips of a batch, and check the headers of their frames.

        Raises
        ------
        InputError
            If a clip is not as it was made.
        """
        place = self._folder.clips(batch.kind)
        if batch.kind not in self._kinds:
            self._kinds[batch.kind] = DavisDataset(place), read_all_truth(place / "frames.csv")
        dataset, truths = self._kinds[batch.kind]
        clips = [_read(place, batch.kind, dataset.sequence(name), truths.get(name)) for name in batch.clips]
        return [replace(clip, other_masks=self._laid_over(clip)) for clip in clips]

    def _laid_over(self, clip: BatchClip) -> NDArray[np.bool_] | None:
        recipe = clip.truth.recipe
        # A corruption may move pixels away from where they were laid.
        if self._davis is None or not KINDS.find(clip.kind).overlays or recipe is None or recipe["then"]:
            return None
        try:
            if self._footage is None:
                self._footage = Footage(DavisDataset(self._davis, self._split))
            return overlay_masks(self._footage, Recipe.from_dict(recipe))
        except InputError:
            # What clips were made of isn't needed to track them, and may be gone.
            self._davis = None
            return None


def close_clips(clips: Iterable[BatchClip]) -> None:
    """Give back the files of clips."""
    for clip in clips:
        clip.frames.close()


def _read(place: Path, kind: str, sequence: Video, truth: ClipTruth | None) -> BatchClip:
    masks = [mask for t in range(sequence.num_frames) if (mask := sequence.mask(t)) is not None]
    visible = np.stack([mask == OBJECT_OF_INTEREST for mask in masks]) if masks else np.zeros((1, 1, 1), bool)
    lengths = {sequence.num_frames, len(masks), 0 if truth is None else len(truth.object_present)}
    if truth is None or truth.recipe is None or len(lengths) > 1 or not visible[0].any():
        raise InputError(
            f"{place}: the clip {sequence.name} is not as it was made; remove {place} and run the experiment again."
        )
    return BatchClip(kind, sequence.name, sequence, truth, str(truth.recipe["base"]["sequence"]), visible)
