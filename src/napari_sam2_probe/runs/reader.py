"""Open a probe run; neither SAM 2 nor torch is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.runs.writer import FEATURES, FORMAT, INFO, STORE

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_run(path: Path | str) -> bool:
    """Say whether a folder looks like a run, without reading it."""
    folder = Path(path)
    return (folder / INFO).is_file() and (folder / STORE).is_dir()


def find_runs(folder: Path | str) -> list[Path]:
    """Return the runs in a folder (itself, or below it), sorted by path."""
    return sorted(walk_runs(Path(folder)))


def walk_runs(folder: Path) -> Iterator[Path]:
    """Give the runs in a folder (itself, or below it), without looking into them: they may hold very many files.

    Hidden folders and links are left out, and so is what can't be listed.
    """
    if is_run(folder):
        yield folder
        return
    try:
        inside = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return
    for entry in inside:
        if not entry.name.startswith("."):
            yield from walk_runs(entry)


def open_run(path: Path | str) -> ProbeRun:
    """Open a run, finished or not.

    Masks and maps stay on disk until they are indexed; everything else is read.

    Raises
    ------
    InputError
        If the folder is not a run, was made by a later version, or is damaged.
    """
    import pandas as pd
    import zarr

    folder = Path(path)
    if not is_run(folder):
        raise InputError(f"{folder} is not a probe run: give a folder that holds {INFO} and {STORE}.")
    info = _info(folder / INFO)
    try:
        store: Any = zarr.open_group(folder / STORE, mode="r")
        arrays: dict[str, Any] = {name: store[name][:] for name in _ARRAYS}
        features = folder / FEATURES
        # A run that was killed early has none yet.
        empty = pd.DataFrame(columns=_COLUMNS)
        table = pd.read_csv(features, dtype={"position": str}) if features.is_file() else empty
        if not set(_COLUMNS) <= set(table.columns):
            raise LookupError("columns are missing")
        _check_sizes(arrays, store["masks"].shape)
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
_COLUMNS = ["object_id", "position", "frame", "short_term_l2", "long_term_l2", "short_term_ratio"]


def _check_sizes(arrays: dict[str, Any], masks: tuple[int, ...]) -> None:
    objects_frames = (len(arrays["object_ids"]), masks[0])
    if any(array.shape[:2] != objects_frames for name, array in arrays.items() if name != "object_ids"):
        raise ValueError("arrays of other sizes")


def _info(path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file is damaged; make the run again.") from error
    if isinstance(info, dict) and not all(isinstance(info.get(part, {}), dict) for part in ("video", "model")):
        raise InputError(f"{path}: the file is damaged; make the run again.")
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise InputError(f"{path}: this run has another format than {FORMAT!r}; open it with the version that made it.")
    return info
