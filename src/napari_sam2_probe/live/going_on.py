"""Going on with a run in its own folder: it is set aside while it is made again, and is never lost."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.live.autosave import is_being_written
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.runs.recorded import check_video
from napari_sam2_probe.tracking.steps import TrackStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.live.recorded_session import RecordedSession
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.steps import Step
    from napari_sam2_probe.video.source import FrameSource


@contextmanager
def made_again(path: Path) -> Iterator[None]:
    """Set a run aside while another one is made in its place; it is put back if that fails, else removed."""
    before = _place_aside(path)
    with os_errors_as_sentences(path):
        path.rename(before)
    try:
        yield
    except BaseException:
        put_back(path)
        raise
    with os_errors_as_sentences(path):
        # In one step, so that a run of which a part is removed is never put back.
        done_with = before.with_name(f"{before.name}-old")
        before.rename(done_with)
        shutil.rmtree(done_with, ignore_errors=True)


def put_back(path: Path) -> None:
    """Put a run back that was set aside, if the process died before the one in its place was made."""
    before = _place_aside(path)
    if not is_run(before):
        return
    with os_errors_as_sentences(path):
        if is_run(path):
            shutil.rmtree(path)
        before.rename(path)


def check_can_go_on(run: ProbeRun, source: FrameSource) -> None:
    """Make sure that a run is one of this video, and that nobody writes it now.

    Raises
    ------
    InputError
        If it isn't.
    """
    check_video(run, source)
    if is_being_written(run.info):
        raise InputError(f"{run.path} is being written now: wait until that is done, or name another folder.")


def check_options(run: ProbeRun, recorded: RunOptions, given: RunOptions | None) -> None:
    """Make sure that a run can go on with these options.

    Raises
    ------
    InputError
        If it was begun with others.
    """
    alike = ("features", "unblanked", "policy", "intervene", "attention")
    if given is not None and any(getattr(given, name) != getattr(recorded, name) for name in alike):
        raise InputError(f"{run.path} was begun with other options: leave them out to go on with it.")


def kept_info(run: ProbeRun) -> dict[str, Any]:
    """Return what stays in ``run.json``: when the run was begun, its title, and what it went on with."""
    kept = {key: run.info[key] for key in ("title", "continues") if key in run.info}
    return kept | {"times": {"started": run.info["times"]["started"]}}


def do_again(recorded: RecordedSession, steps: Sequence[Step], progress: ProgressCallback) -> None:
    """Do what was done in an earlier session."""
    total = sum(step.num_frames for step in steps if isinstance(step, TrackStep))
    for done, _ in enumerate(recorded.repeat(steps), 1):
        progress(Progress(done, total, f"tracking {recorded.source.name} again", "frame"))
    recorded.write_features()
    recorded.save()


def _place_aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.before")
