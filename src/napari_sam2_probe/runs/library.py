"""Runs as a list shows them; only their ``run.json`` is read."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.runs.info import INFO, load_info, read_info, read_sound_parts
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.runs.reader import walk_runs
from napari_sam2_probe.runs.video_path import info_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What tells one run from another.

    Attributes
    ----------
    path
        Its folder.
    title
        Its title, or the folder's name if it was given none.
    video
        The name of the video.
    transform
        The kind of transformed clip; empty for a video that is none.
    num_frames
        Of the video; 0 if not known.
    model
        The checkpoint.
    started
        When it was begun, ISO 8601; empty if not known.
    finished
        Whether it came to its end.
    """

    path: Path
    title: str
    video: str
    transform: str
    num_frames: int
    model: str
    started: str
    finished: bool


def summarise_run(path: Path | str) -> RunSummary:
    """Read what a list shows of a run.

    Raises
    ------
    InputError
        If it is no run, or its ``run.json`` is damaged.
    """
    folder = Path(path)
    info = read_sound_parts(_run_at(folder))
    known = _part(info, "known")
    recipe = _part(known, "recipe")
    return RunSummary(
        path=folder,
        title=str(info.get("title") or folder.resolve().name),
        video=str(_part(info, "video").get("name") or ""),
        transform=str(recipe.get("kind") or ""),
        num_frames=_whole(_part(info, "video").get("num_frames")),
        model=str(_part(info, "model").get("checkpoint") or ""),
        started=str(_part(info, "times").get("started") or ""),
        finished=bool(info.get("finished")),
    )


def list_runs(folders: Iterable[Path]) -> list[RunSummary]:
    """Return the runs in these folders, or that are these folders, latest first; what can't be read is left out."""
    found: dict[Path, RunSummary] = {}
    for folder in folders:
        for path in walk_runs(folder):
            try:
                found.setdefault(path.resolve(), summarise_run(path))
            except InputError:
                continue
    # Those without a date come last; runs of one second by their path.
    return sorted(sorted(found.values(), key=lambda run: run.path), key=lambda run: run.started, reverse=True)


def rename_run(path: Path | str, title: str) -> None:
    """Write a run's title into its ``run.json``; the folder keeps its name. An empty title takes it away.

    Raises
    ------
    InputError
        If it is no run.
    ResourceError
        If the file can't be written.
    """
    folder = Path(path)
    info = load_info(_run_at(folder))
    info["title"] = " ".join(title.split())
    with os_errors_as_sentences(folder):
        atomic_write_text(folder / INFO, json.dumps(info, indent=2) + "\n")


def relocate_video(path: Path | str, before: Path, after: Path) -> None:
    """Note in a run that its video has moved, or will move, from somewhere in `before` to the same place in `after`.

    A run on any other video stays as it is.

    Raises
    ------
    InputError
        If it is no run, or is damaged.
    ResourceError
        If the file can't be written.
    """
    folder = _run_at(Path(path))
    read_info(folder)
    info = load_info(folder)
    video = info.get("video", {})
    # A path that is relative to the run is right as long as the run moves too, which is for its mover to know.
    moved = {
        name: str(after / Path(video[name]).relative_to(before))
        for name in ("path", "absolute_path")
        if video.get(name) is not None and Path(video[name]).is_relative_to(before)
    }
    if not moved:
        return
    video |= moved
    with os_errors_as_sentences(folder):
        atomic_write_text(folder / INFO, json.dumps(info, indent=2) + "\n")


def restate_video(copy: Path, run: Path, after: Path) -> None:
    """Note in the copy of a run where its video lies as seen from there.

    Parameters
    ----------
    copy
        The copy's folder now.
    run
        The run that was copied.
    after
        Where the copy will lie.

    Raises
    ------
    InputError
        If its ``run.json`` can't be read.
    ResourceError
        If the file can't be written.
    """
    info = info_elsewhere(load_info(copy), run, after)
    with os_errors_as_sentences(copy):
        atomic_write_text(copy / INFO, json.dumps(info, indent=2) + "\n")


def has_trash() -> bool:
    """Whether `delete_run` moves to the trash of the desktop."""
    return importlib.util.find_spec("send2trash") is not None


def delete_run(path: Path | str) -> None:
    """Move a run to the trash, or delete it where there is none (see `has_trash`).

    Raises
    ------
    InputError
        If it is no run.
    ResourceError
        If the system refuses.
    """
    folder = Path(path)
    if not is_run(folder):
        raise InputError(f"{folder} is not a probe run (any more): nothing was deleted.")
    try:
        if has_trash():
            importlib.import_module("send2trash").send2trash(str(folder))
        else:
            shutil.rmtree(folder)
    except OSError as error:
        raise ResourceError(f"{folder} can't be deleted ({error.strerror or error}): delete it by hand.") from error


def _run_at(folder: Path) -> Path:
    if not is_run(folder):
        raise InputError(f"{folder} is not a probe run (any more).")
    return folder


def _part(info: dict[str, Any], key: str) -> dict[str, Any]:
    # None where a part is known not to be.
    return info.get(key) or {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
