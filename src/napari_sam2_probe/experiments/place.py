"""Whether an experiment can be made, or gone on with, in a folder; found out before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import is_empty, remove_leftovers
from napari_sam2_probe.common.paths import free_name, is_file
from napari_sam2_probe.experiments.config import ExperimentConfig, differences, read_config
from napari_sam2_probe.experiments.folder import is_experiment
from napari_sam2_probe.experiments.plan import read_plan
from napari_sam2_probe.experiments.results import read_provenance
from napari_sam2_probe.models.checkpoints import resolve
from napari_sam2_probe.runs.place import check_new_path

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.folder import ExperimentFolder


def resolve_config(config: ExperimentConfig) -> ExperimentConfig:
    """Return a configuration that means the same from every folder, with the checkpoint that is taken by name.

    Raises
    ------
    InputError
        If the checkpoint can't be found.
    """
    changes: dict[str, object] = {"davis": _absolute(config.davis)}
    if config.predictions is not None:
        folder = _absolute(config.predictions.folder)
        changes["predictions"] = config.predictions.model_copy(update={"folder": folder})
    else:
        model = config.model
        checkpoint = resolve(model.checkpoint)
        named = model.checkpoint is not None and model.checkpoint != checkpoint.name
        changes["model"] = model.model_copy(
            update={
                "checkpoint": _absolute(str(model.checkpoint)) if named else checkpoint.name,
                "config": _absolute(model.config) if model.config and is_file(model.config) else model.config,
            }
        )
    return config.model_copy(update=changes)


def check_place(folder: ExperimentFolder, config: ExperimentConfig) -> ExperimentConfig | None:
    """Tell what is in a folder: nothing (None), or this very experiment (its stored configuration).

    Raises
    ------
    InputError
        If the folder holds something else, an experiment of another configuration or checkpoint, or can't be made.
    """
    path = folder.path
    if not os.path.lexists(path):
        check_new_path(path, "experiment")
        return None
    if not path.is_dir():
        raise InputError(f"{path} is a file: choose a folder for the experiment.")
    if not is_experiment(path):
        if not is_empty(path):
            raise InputError(
                f"{path} is not empty and holds no experiment: choose a new folder, such as {free_name(path)}."
            )
        return None
    stored = read_config(folder.config)
    different = differences(stored, config)
    if config.batch_size is not None and stored.batch_size is None and folder.plan.is_file():
        size = read_plan(folder.plan).batch_size
        different = [name for name in different if not name.startswith("batch_size")]
        different += [f"batch_size ({size} before, {config.batch_size} now)"] if size != config.batch_size else []
    if different:
        raise InputError(
            f"{path} holds an experiment with another {' and '.join(different)}: give the same settings to go on, or "
            "choose a new folder."
        )
    before = (read_provenance(folder).get("model") or {}).get("sha256")
    if before is not None and before != resolve(config.model.checkpoint).sha256:
        raise InputError(
            f"{path} was computed with another file of the checkpoint {config.model.checkpoint} (SHA-256 {before}): "
            "put that file back, or choose a new folder."
        )
    return stored


def clean_up(folder: ExperimentFolder) -> None:
    """Remove what a killed process had begun to write; whoever calls this holds the experiment."""
    remove_leftovers(folder.path, folder.path / "parts")


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
