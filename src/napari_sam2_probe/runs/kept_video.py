"""A run that holds its own video, so that it can be sent; and one whose video was found elsewhere."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.names import is_plain_name
from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.common.steps import result_of
from napari_sam2_probe.runs.info import INFO, load_info
from napari_sam2_probe.runs.place import os_errors_as_sentences
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.recorded import check_video
from napari_sam2_probe.video.file import VideoFileSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.masks import write_mask
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.source import FrameSource

KEPT = "video"
"""The folder in a run's folder that holds its video."""

_WHAT = "keeping the frames"


def keep_video(run: ProbeRun, source: FrameSource, *, progress: ProgressCallback = ignore_progress) -> ProbeRun:
    """Copy the video of a run into the run's folder, with its true masks where each frame has one label image.

    Files are copied as they are; frames that were in memory become PNG, in which they are what the model was shown.

    Parameters
    ----------
    run
        The run, finished or not.
    source
        The video that it was made on.
    progress
        Called with every frame.

    Returns
    -------
    ProbeRun
        The run, which now finds its video in itself.

    Raises
    ------
    InputError
        If it is another video, or the run is a clip of an experiment.
    ResourceError
        If the disk is full.
    """
    return result_of(iterate_keep(run, source), progress)


def iterate_keep(run: ProbeRun, source: FrameSource) -> Generator[Progress, None, ProbeRun]:
    """Do as `keep_video` step by step: yield a step for each frame, return the run."""
    if not (run.path / INFO).is_file():
        raise InputError(f"{run.path} holds no run of its own: only a run keeps its frames.")
    check_video(run, source)
    video = source if isinstance(source, Video) else Video(source)
    if video.path is not None and Path(video.path).resolve().is_relative_to(run.path.resolve()):
        return run
    with atomic_folder(run.path / KEPT) as folder:
        name = video.name if is_plain_name(video.name) else "video"
        inside = yield from _copy(video, folder, name)
        with closing(open_video(folder / inside)) as kept:
            fingerprint = kept.fingerprint()
    with os_errors_as_sentences(run.path):
        info = load_info(run.path)
        info["video"] |= {"path": f"{KEPT}/{inside.as_posix()}", "kept_sha256": fingerprint}
        atomic_write_text(run.path / INFO, json.dumps(info, indent=2) + "\n")
    return open_run(run.path)


def _copy(video: Video, folder: Path, name: str) -> Generator[Progress, None, Path]:
    frames = video.frames
    if isinstance(frames, VideoFileSource):
        yield Progress(0, 1, _WHAT, "file")
        shutil.copyfile(frames.file, folder / frames.file.name)
        return Path(frames.file.name)
    # As data sets are laid out, so that masks are found beside frames.
    inside = Path("JPEGImages") / name
    (folder / inside).mkdir(parents=True)
    for t, stem in enumerate(video.frame_names):
        yield Progress(t, video.num_frames, _WHAT, "frame")
        if isinstance(frames, FolderSource):
            shutil.copyfile(frames.files[t], folder / inside / frames.files[t].name)
        else:
            video.read_image(t).save(folder / inside / f"{stem}.png")
        if video.has_masks and not video.masks_per_object and (labels := video.mask(t)) is not None:
            write_mask(folder / "Annotations" / name / f"{stem}.png", labels)
    return inside


def at_video(run: ProbeRun, video: Path | str | None) -> ProbeRun:
    """Return a run whose video is taken from elsewhere than it says.

    Parameters
    ----------
    run
        The run.
    video
        Where the video lies now, as for `open_video`; None for where the run says.

    Raises
    ------
    InputError
        If there is no video, or another one.
    """
    if video is None:
        return run
    with closing(open_video(video)) as source:
        check_same_video(run, source)
        about: dict[str, Any] = run.info.get("video", {}) | {"path": source.path}
    return replace(run, info=run.info | {"video": about})


def check_same_video(run: ProbeRun, source: FrameSource) -> None:
    """Make sure that a video can be the one that a run was made on, as far as the run tells.

    Raises
    ------
    InputError
        If its length, its size, or the hash of its files differs.
    """
    num_frames, height, width = run.masks.shape
    if (source.num_frames, source.height, source.width) != (num_frames, height, width):
        raise InputError(
            f"The run {run.path} was made on {num_frames} frames of {width} x {height} pixels, but {source.name} has "
            f"{source.num_frames} of {source.width} x {source.height}: give the video it was made on."
        )
    about = run.info.get("video", {})
    # What was made on an array has the hash of an array, which no file has.
    if about.get("path") is not None and about.get("sha256") is not None:
        check_video(run, source)
