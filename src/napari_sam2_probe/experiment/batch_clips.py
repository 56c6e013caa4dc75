"""The clips of a batch as they are tracked and scored: frames, masks, and what their recipes tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.known import OBJECT_OF_INTEREST, KnownFrames, read_all_known_frames
from napari_sam2_probe.video.davis import DavisDataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.experiment.folder import ExperimentFolder
    from napari_sam2_probe.experiment.plan import Batch
    from napari_sam2_probe.video.folder import FolderSource


@dataclass(frozen=True)
class BatchClip:
    """One clip of a batch.

    Attributes
    ----------
    kind, name
        Which clip it is.
    frames
        The video.
    known
        What the recipe tells of its frames.
    base_sequence
        The sequence that the clip was made from.
    true_masks
        (T, H, W) bool, the visible object of interest.
    """

    kind: str
    name: str
    frames: FolderSource
    known: KnownFrames
    base_sequence: str
    true_masks: NDArray[np.bool_]


def read_batch_clips(folder: ExperimentFolder, batch: Batch) -> list[BatchClip]:
    """Read the masks of the clips of a batch, and check the headers of their frames.

    Raises
    ------
    InputError
        If a clip is not as it was made.
    """
    return [_read(folder.clips(batch.kind), batch.kind, name) for name in batch.clips]


def close_clips(clips: Sequence[BatchClip]) -> None:
    """Give back the files of clips."""
    for clip in clips:
        clip.frames.close()


def _read(place: Path, kind: str, name: str) -> BatchClip:
    dataset, known = _dataset(place)
    clip = known.get(name)
    sequence = dataset.sequence(name)
    masks = [mask for t in range(sequence.num_frames) if (mask := sequence.mask(t)) is not None]
    truth = np.stack([mask == OBJECT_OF_INTEREST for mask in masks])
    lengths = {sequence.num_frames, len(masks), 0 if clip is None else len(clip.object_present)}
    if clip is None or clip.recipe is None or len(lengths) > 1 or not truth[0].any():
        raise InputError(
            f"{place}: the clip {name} is not as it was made; remove {place} and run the experiment again."
        )
    return BatchClip(kind, name, sequence.frames, clip, str(clip.recipe["base"]["sequence"]), truth)


# Tables of a kind are read once, not once for each of its batches.
@lru_cache(maxsize=8)
def _dataset(place: Path) -> tuple[DavisDataset, dict[str, KnownFrames]]:
    return DavisDataset(place), read_all_known_frames(place / "frames.csv")
