"""One door for every kind of video."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir, is_file
from napari_sam2_probe.common.words import did_you_mean
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.davis import with_annotations
from napari_sam2_probe.video.file import VIDEO_SUFFIXES, VideoFileSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layer import is_layer, layer_video
from napari_sam2_probe.video.layout import find_layout
from napari_sam2_probe.video.source import FrameSource
from napari_sam2_probe.video.true_masks import ArrayMasks
from napari_sam2_probe.video.video import Video


def open_video(video: Any, *, name: str | None = None, masks: Any = None) -> Video:
    """Return whatever holds a video as a `Video`: its frames, and its true masks where there are some.

    Parameters
    ----------
    video
        A folder of images; an mp4, m4v, mov, avi, mkv or webm file; the root of a DAVIS-like data set followed by
        the name of a sequence (``DAVIS/dog`` for ``DAVIS/JPEGImages/480p/dog``); an array as for `ArraySource`; a
        napari image layer; or a `Video` or `FrameSource` already.
    name
        A short name for titles and tables; from the path if None.
    masks
        (T, H, W) true masks: bool, or object ids. Where the video lies in a data set, those of the data set are found.

    Raises
    ------
    InputError
        If it is none of these, or can't be read, or the masks don't fit.
    """
    opened = _open(video, name)
    if masks is None:
        return opened
    return Video(opened.frames, ArrayMasks(masks, opened.frames))


def _open(video: Any, name: str | None) -> Video:
    if isinstance(video, Video):
        return video
    if isinstance(video, str | Path):
        return _open_path(Path(video), name)
    if isinstance(video, FrameSource):
        return Video(video)
    if is_layer(video):
        return layer_video(video, name=name)
    if isinstance(video, Mapping):
        raise InputError(f"{video!r} holds several videos: choose one of {', '.join(list(video)[:5])} by its name.")
    return Video(ArraySource(video, name=name or "array"))


def _open_path(path: Path, name: str | None) -> Video:
    if is_file(path):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return Video(VideoFileSource(path, name=name))
        endings = ", ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
        raise InputError(f"{path} is not a video file: give one of {endings}, or a folder of images.")
    return with_annotations(FolderSource(path if is_dir(path) else _sequence_folder(path), name=name))


def _sequence_folder(path: Path) -> Path:
    names: list[str] = []
    try:
        layout = find_layout(path.parent, None, "480p")
        folder, names = layout.frames / path.name, layout.names()
    except (InputError, OSError):
        folder = path
    if is_dir(folder):
        return folder
    with suppress(OSError, InputError, ValueError):
        names += [entry.name for entry in path.parent.iterdir()]
    raise InputError(
        f"There is no video {path}: give a folder of images, a video file, or DAVIS_ROOT/SEQUENCE."
        f"{did_you_mean(path.name, names)}"
    )
