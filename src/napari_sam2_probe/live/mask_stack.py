"""The masks of a live run, small in memory and at hand at once for a labels layer."""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.video.frame_stack import FrameStack

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MaskStack(FrameStack):
    """Label images over time, (T, H, W) uint16, compressed one by one; zeros where none was put.

    A worker puts frames in while the window reads them.

    Parameters
    ----------
    shape
        T, H, W.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__(shape, np.uint16)
        self._frames: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def __contains__(self, frame_idx: object) -> bool:
        with self._lock:
            return frame_idx in self._frames

    def __setitem__(self, frame_idx: int, labels: NDArray[Any]) -> None:
        packed = zlib.compress(np.ascontiguousarray(labels, self.dtype).tobytes(), 1)
        with self._lock:
            self._frames[frame_idx] = packed

    def read(self, frame_idx: int) -> NDArray[np.uint16]:
        """Return the labels (H, W) of a frame."""
        with self._lock:
            packed = self._frames.get(frame_idx)
        if packed is None:
            return np.zeros(self.shape[1:], self.dtype)
        return np.frombuffer(zlib.decompress(packed), self.dtype).reshape(self.shape[1:])
