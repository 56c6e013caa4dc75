"""A video file, read by frame index."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import shown_name
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.video.container import DamagedContainerError, missing_bytes
from napari_sam2_probe.video.fingerprint import fingerprint_file
from napari_sam2_probe.video.frame_index import DamagedFramesError, TruncatedVideoError, build_frame_index
from napari_sam2_probe.video.orientation import orientation_of
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import IntensityScaling

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})
"""The endings of video files, in lower case."""


class VideoFileSource:
    """The frames of a video file, decoded by PyAV (FFmpeg) when they are asked for.

    Any frame can be read at any time, and is the very frame that decoding everything in order gives at that place.
    Reading in order decodes each frame once; a jump begins at the keyframe before. A rotation by quarter turns and a
    mirroring that the file asks for are applied. One decoder serves all threads, one at a time.

    Parameters
    ----------
    path
        An mp4, m4v, mov, avi, mkv or webm file. Its first video stream is taken.
    name
        A short name for titles and tables; the file's stem if None.

    Attributes
    ----------
    file
        The file.

    Raises
    ------
    InputError
        If there is no such file, it is not a video or damaged, is cut off, holds no pictures, or is to be shown
        turned by other than quarters. All packets and both ends of the video are checked now; a frame in between
        that the decoder finds damaged is refused when it is read.
    """

    def __init__(self, path: Path | str, *, name: str | None = None) -> None:
        self.file = Path(path)
        if not is_file(self.file):
            raise InputError(f"There is no video file {path}: give the path of an mp4, mov, avi, mkv or webm file.")
        import av

        self.name = name or shown_name(self.file.stem)
        self.path: str | None = str(self.file.absolute())
        self.scaling: IntensityScaling | None = None
        self._lock = threading.Lock()
        self._decoder: tuple[Any, Any] | None = None
        self._frames: Iterator[Any] | None = None
        self._next_idx = self._began_at = 0
        self._is_damaged = False
        self._last: tuple[int, Any] | None = None
        self._closed = False
        try:
            missing = missing_bytes(self.file)
            if missing:
                raise InputError(
                    f"The video {path} is cut off: {missing} bytes are missing at its end; copy or export it again."
                )
            self._index = build_frame_index(self._opened)
            if self._index.num_frames == 0:
                raise InputError(f"The video {path} holds no frame that can be decoded: give another file.")
            self.fps, time_base = self._rate_and_time_base()
        except TruncatedVideoError as error:
            raise InputError(f"The video {path} is cut off: it {error}; copy or export it again.") from error
        except DamagedContainerError as error:
            raise InputError(f"The video {path} is damaged: {error}; copy or export it again.") from error
        except DamagedFramesError as error:
            raise InputError(f"The video {path} is damaged: {error}; copy or export it again.") from error
        # PyAV takes what the file says of itself for UTF-8, and fails with a ValueError.
        except (av.FFmpegError, OSError, ValueError, OverflowError) as error:
            raise InputError(
                f"The video {path} can't be decoded ({_reason(error)}): it may be damaged; copy or export it again."
            ) from error
        self.num_frames = self._index.num_frames
        timestamps = self._index.timestamps
        self._idx_of = None if timestamps is None else {pts: i for i, pts in enumerate(timestamps)}
        first = self._decode(0)
        try:
            self._orientation = orientation_of(first)
        except ValueError as error:
            raise InputError(
                f"The video {path} can't be shown as it asks for: it {error}; export it upright, as players show it."
            ) from error
        self._coded_size = first.width, first.height
        self.width, self.height = self._orientation.size(*self._coded_size)
        self.frame_times = None if timestamps is None else _seconds(timestamps, time_base)

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as (H, W, 3) uint8 RGB.

        Raises
        ------
        InputError
            If there is no such frame, it can't be decoded, or it has another size than the first.
        ValueError
            If the source is closed.
        """
        check_frame_idx(self, frame_idx)
        with self._lock:
            frame = self._decode(frame_idx)
        if (frame.width, frame.height) != self._coded_size:
            width, height = self._coded_size
            raise InputError(
                f"Frame {frame_idx} of the video {self.file} is {frame.width}x{frame.height} but the first one is "
                f"{width}x{height}: give a video of one frame size."
            )
        rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
        return self._orientation.apply(rgb)

    def fingerprint(self) -> str:
        """Return a hash of the file's size and of its first, middle and last mebibyte."""
        return fingerprint_file(self.file)

    def close(self) -> None:
        """Close the file. Calling it twice is harmless."""
        with self._lock:
            self._closed = True
            self._stop_decoding()

    def _decode(self, frame_idx: int) -> Any:
        import av

        if self._closed:
            raise ValueError(f"The video {self.file} is closed.")
        if self._last is not None and self._last[0] == frame_idx:
            return self._last[1]
        try:
            frame = self._decode_near(frame_idx)
            if frame is None:
                # A seek may land too late (files with poor seek tables); from the start nothing can be missed.
                self._start_decoding(0)
                frame = self._decode_up_to(frame_idx)
            elif self._is_damaged and self._began_at:
                # Or it only lacks what was before the place where decoding began.
                self._start_decoding(0)
                frame = self._decode_up_to(frame_idx)
        except (av.FFmpegError, OSError) as error:
            self._stop_decoding()
            raise InputError(
                f"Frame {frame_idx} of the video {self.file} can't be decoded ({_reason(error)}): the file may be "
                "damaged; copy or export it again."
            ) from error
        if frame is None:
            self._stop_decoding()
            raise InputError(
                f"Frame {frame_idx} of the video {self.file} can't be decoded: the file may be damaged; copy or "
                "export it again."
            )
        if self._is_damaged:
            raise InputError(
                f"Frame {frame_idx} of the video {self.file} is damaged, or built on one that is, and the decoder "
                "could only guess it: copy or export the video again."
            )
        self._last = frame_idx, frame
        return frame

    def _decode_near(self, frame_idx: int) -> Any | None:
        seek_point = self._index.seek_point(frame_idx)
        if self._frames is None or not seek_point <= self._next_idx <= frame_idx:
            self._start_decoding(seek_point)
        return self._decode_up_to(frame_idx)

    def _decode_up_to(self, frame_idx: int) -> Any | None:
        assert self._frames is not None
        for frame in self._frames:
            idx = self._next_idx if self._idx_of is None else self._idx_of.get(frame.pts)
            if idx is None:
                # After a seek pictures may come that the video never shows.
                continue
            self._next_idx = idx + 1
            # Pictures are built on one another up to the next keyframe.
            self._is_damaged = _is_damaged(frame) or (self._is_damaged and not frame.key_frame)
            if idx >= frame_idx:
                return frame if idx == frame_idx else None
        return None

    def _start_decoding(self, seek_point: int) -> None:
        if seek_point == 0 or self._decoder is None:
            self._stop_decoding()
            self._decoder = self._open()
        container, stream = self._decoder
        if seek_point:
            assert self._index.timestamps is not None
            container.seek(self._index.timestamps[seek_point], stream=stream)
        self._frames = container.decode(stream)
        self._next_idx = self._began_at = seek_point
        self._is_damaged = False

    def _stop_decoding(self) -> None:
        self._frames = None
        self._last = None
        if self._decoder is not None:
            self._decoder[0].close()
            self._decoder = None

    def _open(self) -> tuple[Any, Any]:
        import av
        from av.stream import Disposition

        # An absolute path is never taken for a URL, and from a file FFmpeg follows references to files only.
        container = av.open(str(self.file.absolute()))
        for stream in container.streams.video:
            # The cover picture of a sound file is a video stream too.
            if not stream.disposition & Disposition.attached_pic:
                # Several frames at once: as fast as the machine allows, and the pictures are the same.
                stream.thread_type = "AUTO"
                return container, stream
        container.close()
        raise InputError(f"{self.file} holds no pictures, only sound or data: give a file with a video stream.")

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        container, stream = self._open()
        with container:
            yield container, stream

    def _rate_and_time_base(self) -> tuple[float | None, Fraction]:
        with self._opened() as (_, stream):
            rate = stream.average_rate
            return (float(rate) if rate else None), stream.time_base


def _seconds(timestamps: tuple[int, ...], time_base: Fraction) -> tuple[float, ...] | None:
    """Return when frames are shown; None where timestamps don't rise, as in AVI files that store them as decoded."""
    if any(later <= earlier for earlier, later in pairwise(timestamps)):
        return None
    return tuple(float((pts - timestamps[0]) * time_base) for pts in timestamps)


def _is_damaged(frame: Any) -> bool:
    return bool(getattr(frame, "is_corrupt", False))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
