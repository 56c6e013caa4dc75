"""Arrays that napari can show without holding them: a frame or a map is read when it is looked at."""

from __future__ import annotations

import logging
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.video.frame_stack import FrameStack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.video import Video

logger = logging.getLogger(__name__)

_MOST_TOLD = 3
"""Frames of one video that are told to be unreadable: of a thousand, the others go to the log."""


class _FilesStack(FrameStack):
    """Frames from files that may be damaged.

    napari asks for a frame in the middle of moving its slider. An error there would leave the frame before on the
    screen and end whatever moved the slider; so what can't be read is shown empty, and the user is told why.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        super().__init__(shape, dtype)
        self._unreadable: set[int] = set()

    def read(self, frame_idx: int) -> NDArray[Any]:
        """Return a frame; zeros if it can't be read."""
        try:
            return self._read(frame_idx)
        except ProbeError as error:
            self._tell(frame_idx, str(error))
            return np.zeros(self.shape[1:], self.dtype)

    @abstractmethod
    def _read(self, frame_idx: int) -> NDArray[Any]:
        """Return a frame, or raise a `ProbeError`."""

    def _tell(self, frame_idx: int, reason: str) -> None:
        if frame_idx in self._unreadable:
            return
        self._unreadable.add(frame_idx)
        if len(self._unreadable) <= _MOST_TOLD:
            from napari.utils.notifications import show_error

            show_error(reason)
        else:
            logger.warning("%s", reason)


class VideoStack(_FilesStack):
    """A video as a layer shows it: (T, H, W, 3) uint8, each frame read when it is looked at."""

    def __init__(self, source: FrameSource) -> None:
        super().__init__((source.num_frames, source.height, source.width, 3), np.uint8)
        self._source = source

    def _read(self, frame_idx: int) -> NDArray[np.uint8]:
        return self._source.read(frame_idx)


class TrueMaskStack(_FilesStack):
    """The true masks of a video: (T, H, W) uint16, zeros where unknown."""

    def __init__(self, sequence: Video) -> None:
        super().__init__((sequence.num_frames, sequence.height, sequence.width), np.uint16)
        self._sequence = sequence

    def _read(self, frame_idx: int) -> NDArray[np.uint16]:
        labels = self._sequence.mask(frame_idx)
        return np.zeros(self.shape[1:], self.dtype) if labels is None else labels.astype(self.dtype)


class RunStack(FrameStack):
    """Pictures of a run over time, (T, h, w), as they are on disk when they are looked at.

    zarr does all its reading and writing in one thread of its own: a window that asks it for a map would wait until
    everything that a run is writing is on disk. So the file of a frame is read here, and zarr is only asked for what is
    stored in a way not known here.

    Parameters
    ----------
    array
        Of zarr, (..., T, h, w).
    leading
        Indices of the axes before time.
    """

    def __init__(self, array: Any, *leading: int) -> None:
        super().__init__(array.shape[len(leading) :], array.dtype)
        self._array = array
        self._leading = leading
        self._folder = _folder_of_chunks(array)

    def read(self, frame_idx: int) -> NDArray[Any]:
        """Return a frame (h, w)."""
        if self._folder is not None:
            try:
                return self._read_file(self._folder.joinpath(*map(str, (*self._leading, frame_idx)), "0", "0"))
            except (OSError, RuntimeError, ValueError):
                # Damaged, or just being replaced: zarr knows what to do, or what to say.
                pass
        return np.asarray(self._array[*self._leading, frame_idx])

    def _read_file(self, file: Path) -> NDArray[Any]:
        from numcodecs.zstd import Zstd  # type: ignore[import-untyped]

        try:
            stored = file.read_bytes()
        except FileNotFoundError:
            return np.full(self.shape[1:], self._array.fill_value, self.dtype)
        return np.frombuffer(Zstd().decode(stored), self.dtype).reshape(self.shape[1:])


class DifferenceStack(FrameStack):
    """A map over time less another's on the frames that show the same: (T, h, w), NaN where there is no such frame.

    Parameters
    ----------
    maps, others
        (T, h, w) and (T', h, w).
    frames
        The frame of `others` by the frame of `maps`.
    negative
        Whether it is `maps` that is subtracted.
    """

    def __init__(
        self, maps: FrameStack, others: FrameStack, frames: Mapping[int, int], *, negative: bool = False
    ) -> None:
        super().__init__(maps.shape, maps.dtype)
        self._maps, self._others, self._frames, self._negative = maps, others, frames, negative

    def read(self, frame_idx: int) -> NDArray[Any]:
        """Return a frame (h, w)."""
        other = self._frames.get(frame_idx)
        if other is None:
            return np.full(self.shape[1:], np.nan, self.dtype)
        difference: NDArray[Any] = self._maps.read(frame_idx) - self._others.read(other)
        return -difference if self._negative else difference


def _folder_of_chunks(array: Any) -> Path | None:
    """Return where an array keeps one file a frame, plain bytes through zstd, or None if it doesn't."""
    root = getattr(array.store, "root", None)
    codecs = [type(codec).__name__ for codec in getattr(array.metadata, "codecs", ())]
    one_a_frame = array.chunks == (*(1 for _ in array.shape[:-2]), *array.shape[-2:])
    if root is None or not one_a_frame or codecs != ["BytesCodec", "ZstdCodec"] or array.dtype.byteorder == ">":
        return None
    return Path(root) / array.path / "c"
