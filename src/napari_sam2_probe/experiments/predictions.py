"""Masks of another system (XMem's, Cutie's, ...) for the clips of an experiment, in place of tracking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir
from napari_sam2_probe.experiments.track_batch import ClipOutput
from napari_sam2_probe.video.mask_folder import MaskFolder
from napari_sam2_probe.video.masks import check_mask_size
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from napari_sam2_probe.experiments.batch_clips import BatchClip
    from napari_sam2_probe.experiments.plan import Batch

_STEM = "{:05d}".format


def check_predictions(folder: Path | str, batches: Iterable[Batch], num_frames: int) -> None:
    """Make sure that there is a mask for every frame that is scored: all but the first, which was given.

    Raises
    ------
    InputError
        If one is missing.
    """
    folder = Path(folder)
    if not is_dir(folder):
        raise InputError(f"There is no folder {folder}: give the folder of predicted masks.")
    for batch in batches:
        for clip in batch.clips:
            masks = MaskFolder(_place(folder, batch.kind, clip))
            masks.require(map(_STEM, range(1, num_frames)), advice="predict every frame of every clip")


def read_predictions(folder: Path | str, clips: Sequence[BatchClip]) -> Generator[int, None, list[ClipOutput]]:
    """Read what another system predicted for the clips of a batch, as `track_batch` would give it.

    Masks hold ids, of which 1 is the object of interest, or 0 and 255. A first frame without a file is the mask that
    the system was given.

    Yields
    ------
    int
        How many frames were read since the last one.

    Returns
    -------
    list of ClipOutput
        Without features, pointers and scores.

    Raises
    ------
    InputError
        If a mask is missing, can't be read or has another size than its clip.
    """
    outputs = []
    for clip in clips:
        predicted = MaskFolder(_place(Path(folder), clip.kind, clip.name))
        num_frames = clip.frames.num_frames
        masks = np.zeros((num_frames, clip.frames.height, clip.frames.width), bool)
        for t in range(num_frames):
            mask = predicted.object_mask(_STEM(t), OBJECT_OF_INTEREST)
            if t == 0 and mask is None:
                masks[0] = clip.true_masks[0]
            else:
                predicted.require([_STEM(t)], advice="predict every frame of every clip")
                assert mask is not None
                check_mask_size(mask, clip.frames, where=predicted.files(_STEM(t))[0])
                masks[t] = mask
            yield 1
        nothing = np.full(num_frames, np.nan, np.float32)
        outputs.append(ClipOutput(masks, nothing, nothing, (), np.empty((0, num_frames, 3)), {}))
    return outputs


def _place(folder: Path, kind: str, clip: str) -> Path:
    inside = folder / kind / clip
    return inside if inside.is_dir() else folder / clip
