"""Stretches of consecutive frames: of flags, and of frames by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike


def stretches_of(flags: ArrayLike) -> list[tuple[int, int]]:
    """Find the stretches on which flags hold.

    Parameters
    ----------
    flags
        (T,) bool.

    Returns
    -------
    list of (int, int)
        First and last frame of each stretch, both inside it, in order.
    """
    padded = np.concatenate([[False], np.asarray(flags, dtype=bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(start), int(stop) - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def stretches(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last frame of each stretch of consecutive frames, in order."""
    numbers = np.unique(np.fromiter(frames, dtype=np.int64))
    if not len(numbers):
        return []
    flags = np.zeros(int(numbers[-1] - numbers[0]) + 1, bool)
    flags[numbers - numbers[0]] = True
    start = int(numbers[0])
    return [(start + first, start + last) for first, last in stretches_of(flags)]
