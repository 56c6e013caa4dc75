"""Open a probe run; neither SAM 2 nor torch is needed."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import RUN_COLUMNS
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import read_text, why
from napari_sam2_probe.runs.info import INFO, load_info, read_info
from napari_sam2_probe.runs.integrity import MOST_TABLE_BYTES, check_contents, check_metadata
from napari_sam2_probe.runs.layout import FEATURES, FORMAT, STORE, is_run
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.runs.zarr_store import READ_ERRORS, OpenedOnce, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


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
    folder = Path(path)
    if not is_run(folder):
        raise InputError(f"{folder} is not a probe run: give a folder that holds {INFO} and {STORE}.")
    info = _info(folder)
    try:
        store: Any = open_store(folder / STORE)
        members = OpenedOnce(store)
        check_metadata(members)
        arrays: dict[str, Any] = {name: members[name][:] for name in _ARRAYS}
        table = _features(folder / FEATURES)
        check_contents(folder, members, info, arrays, table)
    except READ_ERRORS as error:
        raise InputError(
            f"{folder}: the run is damaged or was stopped at its very start ({why(error)}); make it again."
        ) from error
    return ProbeRun(path=folder, info=info, features=table, _store=store, **arrays)


def _features(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not is_file(path):
        # A run that was killed early has none yet.
        return pd.DataFrame(columns=list(RUN_COLUMNS))
    text = io.StringIO(read_text(path, MOST_TABLE_BYTES))
    table: pd.DataFrame = pd.read_csv(text, dtype={"position": str}, float_precision="round_trip")
    missing = [column for column in RUN_COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"{path.name} has no column {missing[0]}")
    wrong = [name for name in RUN_COLUMNS if name != "position" and len(table) and table[name].dtype.kind not in "iuf"]
    if wrong:
        raise ValueError(f"{path.name} holds something else than numbers in the column {wrong[0]}")
    return table


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
