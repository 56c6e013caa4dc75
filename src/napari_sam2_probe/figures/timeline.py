"""What figures with a frame axis share: the axis itself, shaded frames, a cursor that moves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.common.stretches import stretches_of
from napari_sam2_probe.figures.style import INTERJECTION_COLOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle
    from numpy.typing import ArrayLike, NDArray


Mark = Literal["absent", "prompted"]
_SHAPES: dict[Mark, str] = {"absent": "o", "prompted": "s"}


def shade_frames(axes: Axes, flags: ArrayLike) -> list[Rectangle]:
    """Shade the frames where `flags` holds, each frame from half a frame before it to half a frame after.

    Parameters
    ----------
    axes
        Where to draw; its x axis counts frames.
    flags
        (T,) bool.

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
            label="_interjection",
        )
        for start, stop in stretches_of(flags)
    ]


def frame_axis(axes: Axes, num_frames: int, *, first: int = 0, label: bool = True) -> None:
    """Let the x axis of `axes` count frames `first` to `num_frames` - 1, ticks on whole frames only."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(first - 0.5, max(num_frames, first + 1) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    if label:
        axes.set_xlabel("Frame")


def tracked_span(tracked: Iterable[ArrayLike]) -> tuple[int, int]:
    """Return the first tracked frame of several runs, and the one behind the last; of all frames if none is.

    Parameters
    ----------
    tracked
        (T,) bool of each run.
    """
    flags = [np.asarray(one, dtype=bool) for one in tracked]
    ends = [(int(found[0]), int(found[-1]) + 1) for one in flags if len(found := np.flatnonzero(one))]
    if not ends:
        return 0, max((len(one) for one in flags), default=1)
    return min(first for first, _ in ends), max(end for _, end in ends)


def say_no_values(axes: Axes) -> None:
    """Say in an empty panel that nothing is defined here, in place of a scale that means nothing."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", fontsize="small")


def mark_frames(axes: Axes, values: NDArray[np.floating], flags: NDArray[np.bool_], colour: str, mark: Mark) -> Line2D:
    """Mark single frames of a line over time.

    Parameters
    ----------
    axes
        Where the line is drawn.
    values
        (T,) the line's values.
    flags
        (T,) bool, the frames to mark.
    colour
        The line's colour.
    mark
        ``"absent"``: a point. ``"prompted"``: a hollow square.

    Returns
    -------
    matplotlib.lines.Line2D
        The marks; kept out of legends (`mark_handles` explains them).
    """
    where = np.flatnonzero(flags)
    (marks,) = axes.plot(
        where,
        np.asarray(values)[where],
        linestyle="none",
        markersize=float(np.clip(90.0 / max(len(values), 1), 1.6, 3.2)),
        marker=_SHAPES[mark],
        color=colour,
        markerfacecolor=axes.get_facecolor() if mark == "prompted" else colour,
        label=f"_{mark}",
        zorder=3,
    )
    return marks


def mark_handles(*, absent: bool, prompted: str | None, interjected: bool) -> list[Artist]:
    """Make legend entries for the marks that occur in a figure.

    Parameters
    ----------
    absent
        Whether frames without the object are marked.
    prompted
        What a hollow square means, None where there is none.
    interjected
        Whether frames are shaded.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ink = "0.35"
    handles: list[Artist] = []
    if absent:
        handles.append(Line2D([], [], linestyle="none", marker="o", color=ink, label="object absent"))
    if prompted is not None:
        handles.append(Line2D([], [], linestyle="none", marker="s", color=ink, markerfacecolor="white", label=prompted))
    if interjected:
        handles.append(Patch(facecolor=INTERJECTION_COLOUR, alpha=0.15, label="interjected frames"))
    return handles
