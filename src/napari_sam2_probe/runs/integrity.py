"""Is all of a run there? Checked when it is opened: what got lost on the way must not look like empty masks.

Nothing large is read. Arrays say by their shapes, types and chunks whether they belong together; a finished run says in
``run.json`` what was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.reading import file_sha256
from napari_sam2_probe.probe.positions import STATISTICS
from napari_sam2_probe.runs.layout import STORE, TABLES
from napari_sam2_probe.runs.zarr_store import missing_chunk, tells_of_chunks
from napari_sam2_probe.video.truth import ClipTruth

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.runs.zarr_store import OpenedOnce

MOST_OBJECTS, MOST_FRAMES = 1 << 16, 1 << 27
MOST_TABLE_BYTES = 1 << 32

_SHAPES = {
    "masks": ("ui", "TYX"),
    "masks_per_object": ("b", "OTYX"),
    "object_ids": ("ui", "O"),
    "object_pointers": ("f", "OTC"),
    "object_pointers_raw": ("f", "OTC"),
    "object_scores": ("f", "OT"),
    "predicted_iou": ("f", "OT"),
    "prompted": ("b", "OT"),
    "tracked": ("b", "OT"),
    "object_present": ("b", "OT"),
}


def check_metadata(store: OpenedOnce) -> None:
    """Make sure that arrays are of the types they should be and belong together, before any is read.

    Raises
    ------
    ValueError
        If not; the message says which.
    """
    sizes: dict[str, int] = {}
    for name, (kinds, axes) in _SHAPES.items():
        array = store[name]
        if array.dtype.kind not in kinds or array.ndim != len(axes):
            raise ValueError(f"{name} is {array.dtype} of the shape {array.shape}")
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ValueError(f"{name} has the shape {array.shape}, which doesn't fit the other arrays")
    if not 0 < sizes["O"] <= MOST_OBJECTS or not 0 < sizes["T"] <= MOST_FRAMES or not sizes["Y"] * sizes["X"]:
        raise ValueError(f"its arrays are for {sizes['O']} objects on {sizes['T']} frames")


def check_contents(
    folder: Path, store: OpenedOnce, info: dict[str, Any], arrays: dict[str, Any], features: pd.DataFrame
) -> None:
    """Make sure that what a run says of itself, its arrays and its tables agree, and that nothing is missing.

    Parameters
    ----------
    folder
        The run.
    store, info
        Its zarr, whose metadata has been checked, and ``run.json``.
    arrays
        The small arrays, read.
    features
        The table of features.

    Raises
    ------
    ValueError
        If not; the message says what.
    """
    ids = [int(obj_id) for obj_id in arrays["object_ids"]]
    if len(set(ids)) < len(ids) or not all(0 < obj_id < MOST_OBJECTS for obj_id in ids):
        raise ValueError(f"object_ids are {ids[:5]}")
    num_frames = arrays["tracked"].shape[1]
    _check_lengths(info, store["masks"].shape)
    foreign = set(features["object_id"].unique()) - set(ids)
    if foreign:
        raise ValueError(f"a table speaks of object {sorted(foreign)[0]}, which the arrays don't hold")
    if len(features) and not features["frame"].between(0, num_frames - 1).all():
        raise ValueError("a table speaks of frames that the video hasn't")
    if info["finished"]:
        _check_what_was_written(folder, info, ids, arrays["tracked"])
    _check_chunks(store, arrays["tracked"], finished=info["finished"])


def _check_lengths(info: dict[str, Any], masks: tuple[int, ...]) -> None:
    num_frames, height, width = masks
    video, known = info.get("video", {}), info.get("known")
    for name, size in (("num_frames", num_frames), ("height", height), ("width", width)):
        if video.get(name, size) != size:
            raise ValueError(f"video.{name} is {video[name]}, but the masks have {size}")
    for name in ("frame_names", "frame_times"):
        if video.get(name) is not None and len(video[name]) != num_frames:
            raise ValueError(f"video.{name} has {len(video[name])} entries for {num_frames} frames")
    # A run that another program wrote may tell of its kind alone.
    if known is not None and "object_present" in known:
        told = len(ClipTruth.from_json(known).object_present)
        if told != num_frames:
            raise ValueError(f"known tells of {told} frames, and the masks have {num_frames}")


def _check_what_was_written(folder: Path, info: dict[str, Any], ids: list[int], tracked: Any) -> None:
    objects, written = info.get("objects", []), info.get("written")
    # Earlier versions didn't note objects that came later, and other programs none.
    if not set(objects) <= set(ids) or (written is not None and sorted(objects) != sorted(ids)):
        raise ValueError(f"objects are {objects} in run.json and {ids} in the arrays")
    if written is None:
        return
    counts = {str(obj_id): int(tracked[row].sum()) for row, obj_id in enumerate(ids)}
    if counts != written["tracked"]:
        raise ValueError("the arrays tell of other tracked frames than run.json")
    for name in TABLES:
        stated = written["files"].get(name)
        if stated is not None and not (folder / name).is_file():
            raise ValueError(f"{name} is missing")
        if stated is not None and file_sha256(folder / name, MOST_TABLE_BYTES) != stated:
            raise ValueError(f"{name} is not as it was written")


def _check_chunks(store: OpenedOnce, tracked: Any, *, finished: bool) -> None:
    frames = [int(t) for t in np.flatnonzero(tracked.any(0))]
    cells = [(int(row), int(t)) for row, t in np.argwhere(tracked)]
    _check_chunk_shape(store["masks"], 1)
    _check_chunk_shape(store["masks_per_object"], 2)
    _require(store["masks"], [(t, 0, 0) for t in frames])
    _require(store["masks_per_object"], [(*cell, 0, 0) for cell in cells])
    for name in _SHAPES.keys() - {"masks", "masks_per_object", "object_ids"}:
        _require_spans(store[name], frames)
    keys = [key.removeprefix("maps/") for key in _groups(store, "maps")]
    for key in keys:
        if f"status/{key}" not in store:
            if finished:
                raise ValueError(f"status/{key} is missing")
            # A process that was killed may not have come to write it.
            continue
        ran = store[f"status/{key}"][:] > 0
        if ran.shape != tracked.shape:
            raise ValueError(f"status/{key} has the shape {ran.shape}")
        _require_spans(store[f"status/{key}"], frames)
        places = [(int(row), int(t), 0, 0) for row, t in np.argwhere(ran & tracked)]
        for statistic in STATISTICS:
            if f"maps/{key}/{statistic}" not in store:
                raise ValueError(f"maps/{key}/{statistic} is missing")
            maps = store[f"maps/{key}/{statistic}"]
            if maps.shape[:2] != tracked.shape or maps.dtype.kind != "f" or maps.ndim != 4:
                raise ValueError(f"maps/{key}/{statistic} is {maps.dtype} of the shape {maps.shape}")
            _check_chunk_shape(maps, 2)
            _require(maps, places)


def _groups(store: OpenedOnce, name: str) -> list[str]:
    return [f"{name}/{key}" for key in store[name].group_keys()] if name in store else []


def _check_chunk_shape(array: Any, leading: int) -> None:
    """Make sure that a chunk is one complete picture, as we write it: else the array's size was changed."""
    if tells_of_chunks(array) and array.chunks != (*[1] * leading, *array.shape[leading:]):
        raise ValueError(f"{array.path} has the shape {array.shape} in chunks of {array.chunks}")


def _require_spans(array: Any, frames: list[int]) -> None:
    """Require the chunks of a table (O, T, ...) that speak of these frames."""
    spans = sorted({t // array.chunks[1] for t in frames})
    _require(array, [(0, span, *[0] * (array.ndim - 2)) for span in spans])


def _require(array: Any, places: Iterable[tuple[int, ...]]) -> None:
    lost = missing_chunk(array, places)
    if lost is not None:
        raise ValueError(f"a part of {array.path} is missing in {STORE} (chunk {', '.join(map(str, lost))})")
