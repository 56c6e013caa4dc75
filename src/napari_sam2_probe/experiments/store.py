"""What an experiment keeps besides tables: pointers, masks and maps of each clip in a zarr."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.runs.zarr_store import make_array, make_store, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.folder import ExperimentFolder

# A clip of the usual length is one file an array: a data set has thousands of clips.
_FRAMES_IN_A_CHUNK = 64


def begin_store(folder: ExperimentFolder, kinds: tuple[str, ...]) -> None:
    """Make the groups of all kinds that are not there yet, and remove what a killed process left half written."""
    with os_errors_as_sentences(folder.path, "experiment"):
        shutil.rmtree(folder.unfinished, ignore_errors=True)
        root: Any = open_store(folder.store, "a")
        for kind in kinds:
            root.require_group(kind)


def write_clip_arrays(folder: ExperimentFolder, kind: str, clip: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays of one clip; they are there completely or not at all, and take the place of earlier ones.

    Parameters
    ----------
    folder
        The experiment, whose store was begun.
    kind, clip
        The clip.
    arrays
        By name, with time as the first axis; a slash in a name makes a group.

    Raises
    ------
    ResourceError
        If they can't be written.
    """
    # Elsewhere first: another process, thought dead, may be writing the same clip.
    working = folder.unfinished / f"{clip}-{uuid.uuid4().hex}"
    with os_errors_as_sentences(folder.path, "experiment"):
        try:
            group: Any = make_store(working)
            for name, values in arrays.items():
                chunks = (min(len(values), _FRAMES_IN_A_CHUNK), *values.shape[1:])
                fill = np.nan if values.dtype.kind == "f" else values.dtype.type(0)
                array = make_array(group, name, values.shape, values.dtype, chunks, fill=fill)
                array[...] = values
            place = folder.store / kind / clip
            if place.exists():
                place.rename(working.with_name(f"{working.name}-old"))
            working.rename(place)
        finally:
            for leftover in folder.unfinished.glob(f"{working.name}*"):
                shutil.rmtree(leftover, ignore_errors=True)
