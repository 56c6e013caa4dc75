"""The footage that recipes speak of, with recently used frames kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Labels = NDArray[np.uint8] | NDArray[np.uint16]


class FootageFrames(Protocol):
    """The frames of a sequence."""

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return an RGB frame (H, W, 3)."""
        ...


class FootageSequence(Protocol):
    """A sequence of a data set, as ``napari_sam2_probe.video`` opens it."""

    @property
    def frames(self) -> FootageFrames:
        """Its frames."""
        ...

    @property
    def num_frames(self) -> int:
        """Its length."""
        ...

    def mask(self, frame_idx: int) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """Return the label image (H, W) of a frame, or None where it is not annotated."""
        ...


class DataSet(Protocol):
    """A data set of sequences with masks, as ``napari_sam2_probe.video`` opens it."""

    @property
    def names(self) -> Sequence[str]:
        """Its sequences."""
        ...

    def sequence(self, name: str) -> FootageSequence:
        """Open the sequence with this name."""
        ...


class Footage:
    """Frames and masks of a data set by sequence name and frame index.

    Clips of one data set use the same frames again and again; decoding them is half the work.

    Parameters
    ----------
    dataset
        Where the sequences are.
    cache_bytes
        How much memory decoded frames and masks may take; the least recently used go first.
    """

    def __init__(self, dataset: DataSet, cache_bytes: int = 192 * 2**20) -> None:
        self.dataset = dataset
        self._sequences: dict[str, FootageSequence] = {}
        self._cache: OrderedDict[tuple[str, str, int], NDArray[Any]] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._used_bytes = 0

    def sequence(self, name: str) -> FootageSequence:
        """Return the sequence with this name; it is opened once."""
        if name not in self._sequences:
            self._sequences[name] = self.dataset.sequence(name)
        return self._sequences[name]

    def frame(self, sequence: str, frame_idx: int) -> NDArray[np.uint8]:
        """Return an RGB frame (H, W, 3), uint8. It belongs to the cache: don't write into it."""
        return self._cached(("frame", sequence, frame_idx), lambda: self.sequence(sequence).frames.read(frame_idx))

    def mask(self, sequence: str, frame_idx: int) -> Labels:
        """Return a label image (H, W), uint8 or uint16. It belongs to the cache: don't write into it."""

        def read() -> Labels:
            labels = self.sequence(sequence).mask(frame_idx)
            if labels is None:
                raise InputError(f"Frame {frame_idx} of {sequence} has no mask: choose a window of annotated frames.")
            return labels

        return self._cached(("mask", sequence, frame_idx), read)

    def object_mask(self, sequence: str, frame_idx: int, object_id: int) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of one object, bool."""
        pixels: NDArray[np.bool_] = self.mask(sequence, frame_idx) == object_id
        return pixels

    def _cached(self, key: tuple[str, str, int], read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        array = self._cache[key] = read()
        self._used_bytes += array.nbytes
        while self._used_bytes > self._cache_bytes and len(self._cache) > 1:
            self._used_bytes -= self._cache.popitem(last=False)[1].nbytes
        return array
