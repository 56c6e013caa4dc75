"""What an experiment says of itself beside its configuration: software, model, data, and which processes ran when."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.experiments.integrity import LEFT_OUT
from napari_sam2_probe.experiments.results import read_provenance
from napari_sam2_probe.runs.describe import now, software_versions

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.folder import ExperimentFolder


class Provenance:
    """Writes ``provenance.json``; every call of the command adds a session.

    Parameters
    ----------
    folder, config
        The experiment.
    model
        What the model says of itself, None where nothing is tracked.
    fingerprint
        Of the data set that clips are made from.
    command
        How the session was asked for.
    executor
        What does the work.

    Attributes
    ----------
    frames
        How many frames the session has tracked.
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        config: ExperimentConfig,
        *,
        model: dict[str, Any] | None,
        fingerprint: str,
        command: str,
        executor: str,
    ) -> None:
        self.frames = 0
        self._path = folder.provenance
        self._began = time.perf_counter()
        before = read_provenance(folder)
        self._session: dict[str, Any] = {"command": command, "executor": executor, "started": now(), "finished": None}
        self._content: dict[str, Any] = {
            "software": software_versions(),
            "model": model,
            "data": {"name": Path(config.davis).name, "split": config.split, "fingerprint": fingerprint},
            "seed": config.seed,
            "settings": config.model_dump(mode="json", exclude=LEFT_OUT),
            **before,
            "sessions": [*before.get("sessions", ()), self._session],
        }
        # Results of one experiment are of one software, unless somebody changed it on the way.
        if before.get("software", self._content["software"]) != software_versions():
            self._session["software"] = software_versions()
        self._write()

    def end(self, *, finished: bool) -> None:
        """Note how much the session did, and whether everything is there now."""
        self._session["frames"] = self.frames
        self._session["seconds"] = round(time.perf_counter() - self._began, 1)
        if finished:
            self._session["finished"] = now()
        self._write()

    def _write(self) -> None:
        atomic_write_text(self._path, json.dumps(self._content, indent=2, ensure_ascii=False) + "\n")
