"""What figures with a frame axis share: the axis itself, shaded frames, a cursor that moves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import INTERJECTION_COLOUR, NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle
    from numpy.typing import ArrayLike


class FrameCursor:
    """A vertical line at one frame on each of several axes, moved without drawing anything else again.

    Attributes
    ----------
    lines
        The artists, one an axes. A dock that blits sets them animated.
    """

    def __init__(self, axes: Iterable[Axes], frame: int) -> None:
        self.lines: tuple[Line2D, ...] = tuple(
            a.axvline(frame, color=NEUTRAL, linewidth=0.9, zorder=4, label="_cursor") for a in axes
        )

    def move_to(self, frame: int) -> None:
        """Put every line on `frame`. The caller asks its canvas to redraw."""
        for line in self.lines:
            line.set_xdata([frame, frame])

    def remove(self) -> None:
        """Take the lines off their axes."""
        for line in self.lines:
            line.remove()
        self.lines = ()


def runs_of(flags: ArrayLike) -> list[tuple[int, int]]:
    """Find the runs of True in `flags`.

    Parameters
    ----------
    flags
        (T,) bool.

    Returns
    -------
    list of (int, int)
        First and last frame of each run, both inside it.
    """
    padded = np.concatenate([[False], np.asarray(flags, dtype=bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(start), int(stop) - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def shade_frames(axes: Axes, flags: ArrayLike, *, label: str = "interjection") -> list[Rectangle]:
    """Shade the frames where `flags` holds, each frame from half a frame before it to half a frame after.

    Parameters
    ----------
    axes
        Where to draw; its x axis counts frames.
    flags
        (T,) bool.
    label
        What the shade means, for a legend.

    Returns
    -------
    list of matplotlib.patches.Rectangle
        One a run of frames.
    """
    return [
        axes.axvspan(
            start - 0.5,
            stop + 0.5,
            facecolor=INTERJECTION_COLOUR,
            alpha=0.15,
            linewidth=0,
            zorder=0,
            label=label if k == 0 else "_nolegend_",
        )
        for k, (start, stop) in enumerate(runs_of(flags))
    ]


def frame_axis(axes: Axes, num_frames: int, *, label: bool = True) -> None:
    """Let the x axis of `axes` count frames 0 to `num_frames` - 1, ticks on whole frames only."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(-0.5, max(num_frames, 1) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    if label:
        axes.set_xlabel("Frame")


def mark_size(num_frames: int) -> float:
    """Choose a marker size in points at which neighbouring frames of a clip of this length stay apart."""
    return float(np.clip(90.0 / max(num_frames, 1), 1.6, 3.2))


def common_length(lengths: Sequence[int]) -> int:
    """Give the length of the longest of several series, 1 where there is none."""
    return max(lengths, default=1)
