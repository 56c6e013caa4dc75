"""Where runs are looked for: the window's own folder, and those that the user has added."""

from __future__ import annotations

import json
from pathlib import Path

import platformdirs

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.live.autosave import default_runs_folder


def run_folders() -> list[Path]:
    """Return all folders to look for runs in, the window's own first; some may not exist (any more)."""
    return [default_runs_folder(), *_added()]


def add_run_folder(folder: Path) -> None:
    """Look in this folder too, from now on and in later sessions.

    Raises
    ------
    ResourceError
        If the list of folders can't be written.
    """
    folder = folder.absolute()
    if folder in run_folders():
        return
    try:
        atomic_write_text(_file(), json.dumps([str(known) for known in [*_added(), folder]], indent=2) + "\n")
    except OSError as error:
        raise ResourceError(
            f"{_file()} can't be written ({error.strerror or error}), so {folder} is not listed: make that file "
            "writable, then add the folder again."
        ) from error


def _added() -> list[Path]:
    try:
        stored = load_json(_file())
    except (OSError, ValueError):
        return []
    return [Path(folder) for folder in stored if isinstance(folder, str)] if isinstance(stored, list) else []


def _file() -> Path:
    return platformdirs.user_data_path("napari-sam2-probe") / "run-folders.json"
