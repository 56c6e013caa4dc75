"""Arrays that napari can show without holding them: a frame or a map is read when it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource


class MaskedSequence(Protocol):
    """A video with true masks: a `napari_sam2_probe.video.Sequence`, or a clip made of one."""

    @property
    def frames(self) -> FrameSource:
        """The video."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def num_frames(self) -> int:
        """Its length."""
        ...

    def has_mask(self, frame_idx: int) -> bool:
        """Return whether there is a mask of a frame."""
        ...

    def mask(self, frame_idx: int) -> NDArray[Any] | None:
        """Return the label image (H, W) of a frame, or None where there is none."""
        ...

    def object_ids(self) -> list[int]:
        """Return the ids of all objects in rising order."""
        ...


class _Frames:
    """The slicing that dask asks for, over a frame source: (T, H, W, 3) uint8."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.shape = (source.num_frames, source.height, source.width, 3)
        self.dtype = np.dtype(np.uint8)
        self.ndim = 4

    def __getitem__(self, index: tuple[slice | int, ...]) -> NDArray[np.uint8]:
        time, *rest = index
        if not isinstance(time, slice):
            return self._source.read(int(time))[*rest]
        return np.stack([self._source.read(frame_idx)[*rest] for frame_idx in range(self.shape[0])[time]])


def lazy_video(source: FrameSource) -> da.Array:
    """Return a video as a dask array of shape (T, H, W, 3), uint8, one frame a chunk, read when computed."""
    import dask.array as da

    frames = _Frames(source)
    # Without a name dask would hash the source by pickling it, decoders and all.
    video: da.Array = da.from_array(
        frames, chunks=(1, *frames.shape[1:]), name=False, meta=np.empty((0,) * 4, np.uint8)
    )
    return video


class _Masks:
    """The slicing that dask asks for, over the true masks of a sequence: (T, H, W) uint16, zeros where unknown."""

    def __init__(self, sequence: MaskedSequence) -> None:
        self._sequence = sequence
        self.shape = (sequence.num_frames, sequence.frames.height, sequence.frames.width)
        self.dtype = np.dtype(np.uint16)
        self.ndim = 3

    def __getitem__(self, index: tuple[slice | int, ...]) -> NDArray[np.uint16]:
        time, *rest = index
        if not isinstance(time, slice):
            return self._read(int(time))[*rest]
        return np.stack([self._read(frame_idx)[*rest] for frame_idx in range(self.shape[0])[time]])

    def _read(self, frame_idx: int) -> NDArray[np.uint16]:
        labels = self._sequence.mask(frame_idx)
        return np.zeros(self.shape[1:], self.dtype) if labels is None else labels.astype(self.dtype)


def lazy_masks(sequence: MaskedSequence) -> da.Array:
    """Return the true masks of a sequence as a dask array of shape (T, H, W), uint16, read when computed."""
    import dask.array as da

    masks = _Masks(sequence)
    lazy: da.Array = da.from_array(
        masks, chunks=(1, *masks.shape[1:]), name=False, meta=np.empty((0,) * 3, masks.dtype)
    )
    return lazy


def lazy_zarr(array: Any) -> da.Array:
    """Return a zarr array as a dask array with the same chunks."""
    import dask.array as da

    lazy: da.Array = da.from_array(array, chunks=array.chunks, name=False)
    return lazy
