"""What is kept of the regions of a frame: their names and order, and of which frames single tokens are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS = ("object", "other", "context", "frame")
"""The visible object of interest; what is laid over it; the rest; all of the frame."""

SAMPLED_EVERY = 4
"""Single tokens and grids are kept of every such frame, beginning with the third."""

TOKENS = 3
"""Single tokens kept of each region but the frame."""

GRID = 4
"""Side of the grid of means that is kept of a frame."""


def sampled_frames(num_frames: int) -> NDArray[np.int64]:
    """Return the frames of which single tokens and grids are kept."""
    return np.arange(2, num_frames, SAMPLED_EVERY)


def frames_kept(name: str, num_frames: int) -> int:
    """Return of how many frames an array of a clip is kept: of all, or of `sampled_frames`.

    Parameters
    ----------
    name
        Of the array in an experiment's store.
    num_frames
        Frames of the clip.
    """
    return len(sampled_frames(num_frames)) if name.startswith(("tokens/", "grids/")) else num_frames
