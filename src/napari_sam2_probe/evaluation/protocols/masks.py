"""Predicted masks as the servers and tools of the data sets want them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.evaluation.protocols.user import object_mask
from napari_sam2_probe.video.masks import write_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.tracking.results import FrameResult


@contextmanager
def mask_writer(folder: Path, objects: Sequence[ObjectTruth]) -> Iterator[Callable[[FrameResult], None]]:
    """Give a function that writes the masks of a frame, under the name of the frame's own file.

    One label image a frame; where each object of the data set has a folder of its own (SA-V), a folder an object.
    Frames before the first prompt are written empty. The folder is complete or not there.
    """
    sequence = objects[0].sequence
    names, blank = sequence.frame_names, np.zeros((sequence.height, sequence.width), dtype=np.uint8)
    with atomic_folder(folder) as working:

        def write(result: FrameResult) -> None:
            name = f"{names[result.frame_idx]}.png"
            if not sequence.masks_per_object:
                write_mask(working / name, result.labels())
                return
            for truth in objects:
                there = truth.object_id in result.obj_ids
                mask = object_mask(result, truth.object_id) if there else blank
                write_mask(working / f"{truth.object_id - 1:03d}" / name, mask.astype(np.uint8))

        for name in names[: min(truth.first for truth in objects)]:
            for part in [f"{t.object_id - 1:03d}" for t in objects] if sequence.masks_per_object else ["."]:
                write_mask(working / part / f"{name}.png", blank)
        yield write
