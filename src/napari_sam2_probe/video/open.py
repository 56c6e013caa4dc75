"""One door for every kind of video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.file import VIDEO_SUFFIXES, VideoFileSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layout import find_layout

if TYPE_CHECKING:
    from napari_sam2_probe.video.source import FrameSource


def open_video(video: Path | str | Any, *, name: str | None = None) -> FrameSource:
    """Return the frames of a folder of images, a video file, a sequence of a data set or an array.

    Parameters
    ----------
    video
        A folder of images; an mp4, m4v, mov, avi, mkv or webm file; the root of a DAVIS-like data set followed by
        the name of a sequence (``DAVIS/dog`` for ``DAVIS/JPEGImages/480p/dog``); or an array as for `ArraySource`.
    name
        A short name for titles and tables; from the path if None.

    Raises
    ------
    InputError
        If it is none of these, or can't be read.
    """
    if not isinstance(video, str | Path):
        return ArraySource(video, name=name or "array")
    path = Path(video)
    if path.is_file():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return VideoFileSource(path, name=name)
        endings = ", ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
        raise InputError(f"{path} is not a video file: give one of {endings}, or a folder of images.")
    return FolderSource(path if path.is_dir() else _sequence_folder(path), name=name)


def _sequence_folder(path: Path) -> Path:
    try:
        folder = find_layout(path.parent, None, "480p").frames / path.name
    except InputError:
        folder = path
    if folder.is_dir():
        return folder
    raise InputError(f"There is no video {path}: give a folder of images, a video file, or DAVIS_ROOT/SEQUENCE.")
