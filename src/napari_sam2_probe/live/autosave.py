"""Runs that are on disk while one works, and those that a crash left unfinished."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.paths import exists
from napari_sam2_probe.live.prompt_state import Key, PromptState
from napari_sam2_probe.runs import is_run
from napari_sam2_probe.runs.info import INFO, load_info, read_info
from napari_sam2_probe.runs.prompts_file import prompts_from_json

if TYPE_CHECKING:
    from datetime import datetime

    from napari_sam2_probe.video.source import FrameSource


def default_runs_folder() -> Path:
    """Return the folder that runs of the window go to; it need not exist yet."""
    return platformdirs.user_data_path("napari-sam2-probe") / "runs"


def new_run_folder(runs_folder: Path, video: str, at: datetime) -> Path:
    """Return a free path for a run, named by video and time."""
    name = re.sub(r"[^\w .-]+", "-", video).strip(" .-") or "video"
    stem = f"{name} {at:%Y-%m-%d %H.%M.%S}"
    candidates = (runs_folder / (stem if number == 1 else f"{stem} ({number})") for number in range(1, 1000))
    return next(path for path in candidates if not path.exists())


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that was never finished and that nobody works on now.

    Attributes
    ----------
    path
        Its folder.
    video_name, video_path, fingerprint
        The video; it is an array without a path, or has one that is still there.
    started
        When, as ISO 8601 in UTC.
    """

    path: Path
    video_name: str
    video_path: str | None
    fingerprint: str
    started: str

    def restore(self, source: FrameSource | None = None) -> tuple[dict[Key, PromptState], dict[int, str]]:
        """Return its prompts, and the names of its objects.

        Parameters
        ----------
        source
            The video that one goes on with; every prompt has to fit it.

        Raises
        ------
        InputError
            If it, or a prompt in it, can't be read any more.
        """
        info = read_info(self.path)
        chosen = {(e["frame"], e["object_id"]): e["candidate"] for e in info.get("chosen_candidates", ())}
        prompts = prompts_from_json(info.get("prompts", []), self.path / INFO, enclosed=True)
        if source is not None:
            for prompt in prompts:
                prompt.check(source)
        states = {(p.frame_idx, p.obj_id): PromptState.of(p, chosen.get((p.frame_idx, p.obj_id))) for p in prompts}
        return states, {int(obj_id): name for obj_id, name in info.get("object_names", {}).items()}


def unfinished_runs(runs_folder: Path) -> list[UnfinishedRun]:
    """Return the unfinished runs in a folder whose video can still be there, the latest first.

    What can't be read is left out, and hides no other.
    """
    try:
        paths = list(runs_folder.iterdir())
    except OSError:
        return []
    found = (_unfinished(path) for path in paths if is_run(path))
    return sorted((run for run in found if run is not None), key=lambda run: run.started, reverse=True)


def set_aside(path: Path, continued_in: str) -> None:
    """Note in a run that another one goes on with it, so that it is not offered again; nothing is deleted."""
    try:
        info = load_info(path)
    except InputError:
        return
    atomic_write_text(path / INFO, json.dumps(info | {"continued_in": continued_in}, indent=2) + "\n")


def with_those_before(path: Path) -> list[Path]:
    """Return a run and, the latest first, the runs that it went on with, as far as they are there."""
    chain: list[Path] = []
    while is_run(path) and path not in chain:
        chain.append(path)
        before = (_info(path) or {}).get("continues")
        if before is None:
            break
        path = Path(before)
    return chain


def mark_of_this_process() -> dict[str, Any]:
    """Return what tells a run that is being written from one that was left behind."""
    import psutil

    return {"pid": os.getpid(), "created": psutil.Process().create_time()}


def is_being_written(info: dict[str, Any]) -> bool:
    """Return whether a process that is still there writes the run whose ``run.json`` says `info`."""
    return _is_running(info.get("live"))


def _unfinished(path: Path) -> UnfinishedRun | None:
    info = _info(path)
    if info is None or info.get("finished") or "live" not in info or "continued_in" in info or not info.get("prompts"):
        return None
    video, started = info.get("video", {}), info.get("times", {}).get("started", "")
    name, place, fingerprint = video.get("name"), video.get("path"), video.get("sha256")
    # Without these nobody can tell what it was made on.
    if name is None or fingerprint is None or _is_running(info["live"]) or not (place is None or _is_there(place)):
        return None
    return UnfinishedRun(path, name, place, fingerprint, started)


def _is_there(path: str) -> bool:
    try:
        return exists(path)
    except InputError:
        # A folder that can't be looked into.
        return False


def _is_running(mark: dict[str, Any] | None) -> bool:
    import psutil

    if mark is None:
        return False
    try:
        # A number is given again to another process after the first has ended.
        return bool(abs(psutil.Process(mark["pid"]).create_time() - mark["created"]) < 1)
    except (psutil.Error, OverflowError, ValueError):
        return False


def _info(path: Path) -> dict[str, Any] | None:
    try:
        return read_info(path)
    except InputError:
        return None
