"""Open a probe run; neither SAM 2 nor torch is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.runs.writer import FEATURES, FORMAT, INFO, STORE


def is_run(path: Path | str) -> bool:
    """Say whether a folder looks like a run, without reading it."""
    folder = Path(path)
    return (folder / INFO).is_file() and (folder / STORE).is_dir()


def find_runs(folder: Path | str) -> list[Path]:
    """Return the runs in a folder (itself, or below it), sorted by path."""
    folder = Path(folder)
    if is_run(folder):
        return [folder]
    return sorted(info.parent for info in folder.rglob(INFO) if is_run(info.parent))


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
        table = pd.read_csv(features, dtype={"position": str}) if features.is_file() else pd.DataFrame(columns=_COLUMNS)
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


def _info(path: Path) -> dict[str, Any]:
    try:
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file is damaged; make the run again.") from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise InputError(f"{path}: this run has another format than {FORMAT!r}; open it with the version that made it.")
    return info
