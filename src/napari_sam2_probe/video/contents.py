"""A hash of all pixels of a video, for data sets whose results are kept: a replaced frame must not go unnoticed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import file_sha256, why
from napari_sam2_probe.video.file import VideoFileSource
from napari_sam2_probe.video.folder import FolderSource

if TYPE_CHECKING:
    from napari_sam2_probe.video.video import Video


def fingerprint_contents(video: Video) -> str:
    """Return a SHA-256 (hex) that changes whenever a byte of a frame's file, or a pixel of an array, does.

    Where the video lies, and when it was copied there, makes no difference. Everything is read, nothing decoded where
    there are files: about a second for a gigabyte.

    Raises
    ------
    InputError
        If a file can't be read.
    """
    frames = video.frames
    digest = hashlib.sha256(f"{video.num_frames} {video.width} {video.height}\n".encode())
    try:
        if isinstance(frames, FolderSource):
            for file in frames.files:
                digest.update(f"{file.name}\0{file_sha256(file)}\n".encode("utf-8", "surrogateescape"))
        elif isinstance(frames, VideoFileSource) and video.path is not None:
            digest.update(file_sha256(frames.file).encode())
        else:
            for t in range(video.num_frames):
                digest.update(video.read(t).tobytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{video.name} can't be read ({why(error)}).") from error
    return digest.hexdigest()
