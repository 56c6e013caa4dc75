"""The small arrays of a run, kept in memory while it grows and written a stretch of frames at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.runs.zarr_store import make_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SPAN = 256
"""Frames in a chunk: what is written again whenever one of them has changed, however long the video is."""

TRACKED = "tracked"
"""The table that says which frames are complete."""


class FrameTables:
    """Arrays (O, T, ...) of numbers and flags by name.

    Parameters
    ----------
    group
        The zarr group they are written to.
    num_objects, num_frames
        O and T.
    """

    def __init__(self, group: Any, num_objects: int, num_frames: int) -> None:
        self._group = group
        self._shape = (num_objects, num_frames)
        self._values: dict[str, NDArray[Any]] = {}
        self._arrays: dict[str, Any] = {}
        self._touched: set[int] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a table as it is in memory; change it with `put` or `fill` only."""
        return self._values[name]

    @property
    def bytes_at_once(self) -> int:
        """Bytes that `save` writes at most when it was called not long ago."""
        num_frames = self._shape[1]
        # What changed since may lie on both sides of a boundary.
        return sum(v.nbytes // num_frames * min(num_frames, 2 * SPAN) for v in self._values.values())

    def add(self, name: str, dtype: type[np.generic], *sizes: int) -> None:
        """Make a table with further axes of these sizes, of NaN where its type has it, else of 0."""
        shape = (*self._shape, *sizes)
        fill = _nothing(np.dtype(dtype))
        chunks = (shape[0], min(shape[1], SPAN), *sizes)
        # Vectors of other positions lie in a group of theirs, and differ in length.
        channel = f"channel_{name.rpartition('/')[2]}" if "/" in name else "channel"
        dimensions = ("object", "frame", *([channel] * len(sizes)))
        self._arrays[name] = make_array(self._group, name, shape, dtype, chunks, fill=fill, dimensions=dimensions)
        # Last, so that what is saved after an interruption has its array.
        self._values[name] = np.full(shape, fill, dtype)

    def add_object(self) -> None:
        """Make room for one more object in every table."""
        self._shape = (self._shape[0] + 1, self._shape[1])
        for name, values in self._values.items():
            row = np.full((1, *values.shape[1:]), _nothing(values.dtype), values.dtype)
            more = np.concatenate([values, row])
            self._arrays[name].resize(more.shape)
            self._values[name] = more

    def clear_object(self, row: int) -> None:
        """Forget what all tables say of an object."""
        for values in self._values.values():
            values[row] = _nothing(values.dtype)
        self._touched.update(range(-(-self._shape[1] // SPAN)))

    def put(self, name: str, objects: int | slice | list[int], frame_idx: int, values: Any) -> None:
        """Change what a table says of objects on a frame."""
        self._values[name][objects, frame_idx] = values
        self._touched.add(frame_idx // SPAN)

    def fill(self, name: str, values: NDArray[Any]) -> None:
        """Change a table as a whole."""
        self._values[name][...] = values
        self._touched.update(range(-(-self._shape[1] // SPAN)))

    def save(self) -> None:
        """Write what has changed, last of all which frames are complete."""
        self._write([name for name in self._values if name != TRACKED])
        self._write([TRACKED])
        self._touched.clear()

    def _write(self, names: Sequence[str]) -> None:
        for name in names:
            for span in sorted(self._touched):
                frames = slice(span * SPAN, (span + 1) * SPAN)
                # After an interruption an array may have room for an object of which the table knows nothing yet.
                self._arrays[name][: len(self._values[name]), frames] = self._values[name][:, frames]


def _nothing(dtype: np.dtype[Any]) -> Any:
    return np.nan if dtype.kind == "f" else dtype.type(0)
