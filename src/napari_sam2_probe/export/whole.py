"""The complete run, as it is on disk."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from napari_sam2_probe.common.names import check_inside
from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.runs.library import restate_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam2_probe.runs.run import ProbeRun

_FILES_AT_ONCE = 64


def copy_run(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Copy the run's folder.

    Raises
    ------
    InputError
        If a link in it leads out of it: what lies there is no part of the run.
    """
    entries = sorted(run.path.rglob("*"))
    check_inside(run.path, *entries)
    files = [entry for entry in entries if entry.is_file()]
    with atomic_folder(out) as folder:
        for done, file in enumerate(files):
            if done % _FILES_AT_ONCE == 0:
                yield Progress(done, len(files), "copying the run", "file")
            copy = folder / file.relative_to(run.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        restate_video(folder, run.path, out)
