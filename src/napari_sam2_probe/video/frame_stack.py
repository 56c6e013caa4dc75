"""Arrays over time that are read frame by frame, in the thread that asks.

Layers could hold dask arrays, but dask hands every frame to threads of its own. Beside a model that keeps all
processors busy, a window that waits for them stands still for a second and more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FrameStack(ABC):
    """Indexed like an array whose first axis is time; what is asked for comes as NumPy arrays.

    Parameters
    ----------
    shape
        T, then the shape of a frame.
    dtype
        Of all frames.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    @abstractmethod
    def read(self, frame_idx: int) -> NDArray[Any]:
        """Return one frame; may be called in any thread."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        time, *rest = index if isinstance(index, tuple) else (index,)
        picked: NDArray[Any]
        if time is Ellipsis or time is None:
            picked = np.asarray(self)[index]
            return picked
        if isinstance(time, int | np.integer):
            return np.asarray(self.read(range(len(self))[int(time)])[tuple(rest)])
        chosen = np.arange(len(self))[time]
        frames = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        for place, frame_idx in enumerate(chosen.tolist()):
            frames[place] = self.read(frame_idx)
        picked = frames[(slice(None), *rest)]
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)
