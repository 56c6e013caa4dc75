"""Open a probe run; neither SAM 2 nor torch is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import RUN_COLUMNS
from napari_sam2_probe.runs.info import INFO, load_info, read_info
from napari_sam2_probe.runs.layout import FEATURES, FORMAT, STORE, is_run
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.runs.zarr_store import open_store
from napari_sam2_probe.video.truth import ClipTruth

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_runs(folder: Path | str) -> list[Path]:
    """Return the runs in a folder (itself, or below it), sorted by path."""
    return sorted(walk_runs(Path(folder)))


def walk_runs(folder: Path) -> Iterator[Path]:
    """Give the runs in a folder (itself, or below it), without looking into them: they may hold very many files.

    Hidden folders and links are left out, and so is what can't be listed.
    """
    # Not by recursion: folders may lie in one another deeper than Python goes.
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if is_run(path):
                yield path
                continue
            with os.scandir(path) as entries:
                inside = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (OSError, ValueError, InputError):
            continue
        waiting += [path / name for name in inside if not name.startswith(".")]


def open_run(path: Path | str) -> ProbeRun:
    """Open a run, finished or not.

    Masks and maps stay on disk until they are indexed; everything else is read.

    Raises
    ------
    InputError
        If the folder is not a run, was made by a later version, or is damaged.
    """
    import pandas as pd

    folder = Path(path)
    if not is_run(folder):
        raise InputError(f"{folder} is not a probe run: give a folder that holds {INFO} and {STORE}.")
    info = _info(folder)
    try:
        store: Any = open_store(folder / STORE)
        arrays: dict[str, Any] = {name: store[name][:] for name in _ARRAYS}
        features = folder / FEATURES
        # A run that was killed early has none yet.
        empty = pd.DataFrame(columns=list(RUN_COLUMNS))
        table = (
            pd.read_csv(features, dtype={"position": str}, float_precision="round_trip")
            if features.is_file()
            else empty
        )
        if not set(RUN_COLUMNS) <= set(table.columns):
            raise LookupError("columns are missing")
        _check_sizes(arrays, store["masks"].shape, info)
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        # What zarr, its decompressors and pandas raise on files that are damaged.
        raise InputError(f"{folder}: the run is damaged or was stopped at its very start; make it again.") from error
    return ProbeRun(path=folder, info=info, features=table, _store=store, **arrays)


_ARRAYS = (
    "object_ids",
    "object_pointers",
    "object_pointers_raw",
    "object_scores",
    "predicted_iou",
    "prompted",
    "tracked",
    "object_present",
)


def _check_sizes(arrays: dict[str, Any], masks: tuple[int, ...], info: dict[str, Any]) -> None:
    objects_frames = (len(arrays["object_ids"]), masks[0])
    if any(array.shape[:2] != objects_frames for name, array in arrays.items() if name != "object_ids"):
        raise ValueError("arrays of other sizes")
    names, truth = info.get("video", {}).get("frame_names"), info.get("known")
    if names is not None and len(names) != masks[0]:
        raise ValueError("another number of names than frames")
    # A run that another program wrote may tell of its kind alone.
    if truth is not None and "object_present" in truth and len(ClipTruth.from_json(truth).object_present) != masks[0]:
        raise ValueError("another number of known frames than frames")


def _info(folder: Path) -> dict[str, Any]:
    stated = load_info(folder).get("format")
    if stated != FORMAT:
        raise InputError(
            f"{folder / INFO}: this run has another format than {FORMAT!r}; open it with the version that made it."
        )
    info = read_info(folder)
    if "finished" not in info:
        raise InputError(f"{folder / INFO}: the file is damaged (finished is missing); make the run again.")
    return info
