"""Results on disk: one file a job, complete or not there, so that a stopped evaluation goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text, is_empty, remove_leftovers
from napari_sam2_probe.common.names import check_inside, inside
from napari_sam2_probe.common.paths import check_name
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.common.seal import check_seal, sealed
from napari_sam2_probe.evaluation.protocols.jobs import JobResult, JobRow

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.evaluation.protocols.jobs import Job

TABLE = "protocols.csv"
ABOUT = "protocols.json"
FIGURES = "figures"
_RESULTS = "results"
_MASKS = "masks"


class ResultStore:
    """The results in a folder.

    Parameters
    ----------
    folder
        New, empty, or that of an earlier evaluation.

    Raises
    ------
    InputError
        If the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        check_name(folder)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {folder} is a file: give the name of a folder.")
        check_inside(folder, *(folder / part for part in (_RESULTS, _MASKS, FIGURES)))
        if folder.is_dir() and not is_empty(folder) and not (folder / _RESULTS).is_dir():
            raise InputError(f"--out {folder} holds something else already: give a new folder.")

    def masks_folder(self, job: Job) -> Path:
        """Return where the masks of a job are kept, if they are."""
        return inside(self.folder, _MASKS, job.model, job.prompt, job.sequence)

    def read(self, job: Job, made_with: dict[str, Any], fingerprint: str) -> JobResult | None:
        """Return the result of a job, or None if it has to be computed: there is none, or files have changed since.

        Raises
        ------
        InputError
            If it was made with other settings.
        """
        path = self._path(job)
        try:
            stored = load_json(path)
            check_seal(stored)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path} can't be read: remove it, then run the command again.") from error
        if stored.get("made_with") != made_with:
            raise InputError(
                f"{path} was made with another model or other settings: choose another --out, or remove that folder."
            )
        if stored.get("fingerprint") != fingerprint:
            return None
        try:
            return JobResult(
                rows=tuple(JobRow(**row) for row in stored["rows"]),
                prompts=tuple(stored["prompts"]),
                left_out=tuple(stored["left_out"]),
                reasons=dict(stored.get("reasons", {})),
                seconds=stored.get("seconds"),
            )
        except (LookupError, TypeError) as error:
            raise InputError(f"{path} can't be read: remove it, then run the command again.") from error

    def write(self, job: Job, made_with: dict[str, Any], fingerprint: str, result: JobResult) -> None:
        """Store a result. Numbers are read back exactly as they are."""
        content = {"made_with": made_with, "fingerprint": fingerprint, **asdict(result)}
        atomic_write_text(self._path(job), json.dumps(sealed(content), indent=1) + "\n")

    def clean_up(self) -> None:
        """Remove what a killed evaluation left half-written."""
        remove_leftovers(self.folder)
        for part in (_RESULTS, _MASKS, FIGURES):
            top = self.folder / part
            remove_leftovers(top, *(entry for entry in top.glob("**/*") if entry.is_dir()))

    def _path(self, job: Job) -> Path:
        return inside(self.folder, _RESULTS, job.model, job.protocol, job.prompt, f"{job.sequence}.json")
