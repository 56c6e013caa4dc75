"""How far frames without the object lie from frames with it (the paper's figures 18 to 30)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.log_axis import number_log_axis
from napari_sam2_probe.figures.pictures import inch_grid
from napari_sam2_probe.figures.style import DOUBLE_COLUMN, add_legend, new_figure, publication_style
from napari_sam2_probe.figures.timeline import frame_axis, say_no_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

ABSENT_COLOUR = "#C8102E"
"""Frames without the object, red as in the paper; darker than the present ones, so that grey print tells them apart."""

PRESENT_COLOUR = "#4477AA"
"""Frames with the object, blue as in the paper."""

SEEN_THROUGH_PROMPT_COLOUR = "#8A8F98"
"""Frames with the object whose references hold a prompted frame."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Whiskers, box and median."""

_MANY_POINTS = 2000
_FEW_CLIPS = 6
"""Up to so many values a frame a box would pretend to more than there is: points alone are drawn."""


@dataclass(frozen=True)
class Distribution:
    """One feature on every frame of every clip of a data set.

    Attributes
    ----------
    title
        What it is, and how well it separates (``"Short-term L2: AUROC 0.93 [0.90, 0.96]"``).
    frame
        (N,) int, the frame of each value.
    values
        (N,) float; NaN where it is not defined.
    present
        (N,) bool, whether the object is there.
    prompted
        (N,) bool, whether a reference is a prompted frame, which makes distances larger; None for none.
    logarithmic
        Whether the axis is.
    """

    title: str
    frame: NDArray[np.integer]
    values: NDArray[np.float64]
    present: NDArray[np.bool_]
    prompted: NDArray[np.bool_] | None = None
    logarithmic: bool = False

    def groups(self) -> list[tuple[str, str, NDArray[np.bool_]]]:
        """Return (what it is, colour, (N,) bool) of each group of values."""
        present = np.asarray(self.present, dtype=bool)
        odd = np.zeros(len(present), dtype=bool) if self.prompted is None else np.asarray(self.prompted, dtype=bool)
        return [
            ("object present", PRESENT_COLOUR, present & ~odd),
            ("present, compared with a prompted frame", SEEN_THROUGH_PROMPT_COLOUR, present & odd),
            ("object absent", ABSENT_COLOUR, ~present),
        ]


def draw_distribution(axes: Axes, distribution: Distribution) -> list[PathCollection]:
    """Draw a feature's distribution on each frame: a point a clip, and a box where there are enough of them.

    Parameters
    ----------
    axes
        Where to draw.
    distribution
        What to draw.

    Returns
    -------
    list of matplotlib.collections.PathCollection
        The points of each of `Distribution.groups`. Point k is the k-th entry of its group, so that a picked one can
        be traced to its clip.
    """
    values = np.asarray(distribution.values, dtype=np.float64)
    if distribution.logarithmic:
        values = np.where(values > 0, values, np.nan)
    shift = _spread(distribution.frame)
    many = len(values) > _MANY_POINTS
    points = []
    for name, colour, here in distribution.groups():
        points.append(
            axes.scatter(
                distribution.frame[here] + shift[here],
                values[here],
                s=1.2 if many else 3.0,
                color=colour,
                alpha=0.25 if many else 0.45,
                linewidth=0,
                rasterized=many,
                zorder=1.5,
                label=f"_{name}",
            )
        )
        _draw_boxes(axes, distribution.frame[here], values[here], colour)
    num_frames = int(distribution.frame.max()) + 1 if len(distribution.frame) else 1
    frame_axis(axes, num_frames, label=False)
    finite = values[np.isfinite(values)]
    if not finite.size:
        say_no_values(axes)
    elif distribution.logarithmic:
        axes.set_yscale("log")
        low, high = np.quantile(finite, [0.001, 0.999]) if finite.size > 1000 else (finite.min(), finite.max())
        margin = (high / low) ** 0.05 if high > low else 1.5
        axes.set_ylim(low / margin, high * margin)
        number_log_axis(axes.yaxis, *axes.get_ylim())
    else:
        _limit(axes, finite)
    low, high = axes.get_ylim()
    _say_beyond(axes, int(((finite < low) | (finite > high)).sum()))
    axes.set_title(distribution.title, loc="left")
    return points


def draw_marginal(axes: Axes, distribution: Distribution) -> Axes | None:
    """Draw beside `axes` the histograms of all values with and without the object, each as high as the other.

    Where the two overlap no threshold tells them apart.

    Returns
    -------
    matplotlib.axes.Axes or None
        The added axes; None where there is nothing to show.
    """
    values = np.asarray(distribution.values)
    low, high = axes.get_ylim()
    known = np.isfinite(values) & ((values > 0) | (not distribution.logarithmic))
    if not known.any() or not low < high:
        return None
    side = axes.inset_axes((1.015, 0.0, 0.13, 1.0))
    side.set_yscale(axes.get_yscale())
    side.set_ylim(low, high)
    edges = np.geomspace(low, high, 31) if distribution.logarithmic else np.linspace(low, high, 31)
    for _, colour, here in distribution.groups():
        counts, _ = np.histogram(np.clip(values[known & here], low, high), edges)
        if counts.any() and colour != SEEN_THROUGH_PROMPT_COLOUR:
            side.stairs(
                counts / counts.max(),
                edges,
                orientation="horizontal",
                fill=True,
                facecolor=colour,
                alpha=0.45,
                edgecolor=colour,
                linewidth=0.5,
            )
    side.set_xlim(0, 1.08)
    side.set_axis_off()
    return side


def make_separability(distributions: Sequence[Distribution], *, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure of several distributions, two in a row, each with its marginal histograms.

    Parameters
    ----------
    distributions
        The three features and their linear combination.
    width
        In inches.
    """
    columns = min(2, len(distributions))
    rows = -(-len(distributions) // columns)
    with publication_style():
        figure = new_figure(width, 0.62 + 1.62 * rows)
        # The marginal histograms reach into the margin at the right of their axes.
        marginal = 0.16 * width / columns
        grid = inch_grid(
            figure, rows, columns, margins=(0.42, marginal, 0.2, 0.62), between=(marginal + 0.4, 0.34), sharex=True
        )
        for axes, distribution in zip(grid.flat, distributions, strict=False):
            draw_distribution(axes, distribution)
            draw_marginal(axes, distribution)
        for axes in grid.flat[len(distributions) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("Frame")
        add_legend(figure, distribution_handles(distributions), loc="lower center")
    return figure


def distribution_handles(distributions: Sequence[Distribution]) -> list[Artist]:
    """Make the legend's entries: what colours mean, and what a box is where there are any."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown = {
        name: colour for d in distributions for name, colour, here in d.groups() if np.isfinite(d.values[here]).any()
    }
    handles: list[Artist] = [
        Line2D([], [], linestyle="none", marker="o", color=colour, label=name) for name, colour in shown.items()
    ]
    if any(_is_boxed(d) for d in distributions):
        handles.append(Patch(facecolor="none", edgecolor="0.35", label="quartiles, whiskers 5 to 95 %"))
    return handles


def _is_boxed(distribution: Distribution) -> bool:
    _, counts = np.unique(distribution.frame[np.isfinite(distribution.values)], return_counts=True)
    return bool(counts.size) and bool(counts.max() > _FEW_CLIPS)


def _spread(frame: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return a shift for each point within its frame: evenly filled, the same every time."""
    order = np.zeros(len(frame))
    seen: dict[int, int] = {}
    for index, number in enumerate(np.asarray(frame).tolist()):
        order[index] = seen[number] = seen.get(number, -1) + 1
    # Steps of the golden ratio never come back to where they were.
    shift: NDArray[np.float64] = 0.62 * ((order * 0.6180339887498949 + 0.5) % 1.0) - 0.31
    return shift


def _draw_boxes(axes: Axes, frames: NDArray[np.integer], values: NDArray[np.float64], colour: str) -> None:
    """Draw the boxes of all frames as three artists: a box a frame would be slow with ten figures of 112."""
    from matplotlib.collections import LineCollection, PolyCollection

    boxes, whiskers, medians = [], [], []
    for frame in np.unique(frames).tolist():
        of_frame = values[(frames == frame) & np.isfinite(values)]
        if len(of_frame) <= _FEW_CLIPS:
            continue
        w0, q1, median, q3, w1 = np.quantile(of_frame, QUANTILES)
        left, right = frame - 0.34, frame + 0.34
        boxes.append([(left, q1), (right, q1), (right, q3), (left, q3)])
        whiskers += [[(frame, w0), (frame, q1)], [(frame, q3), (frame, w1)]]
        medians.append([(left, median), (right, median)])
    axes.add_collection(
        PolyCollection(boxes, facecolor=_tint(colour), edgecolor=colour, linewidth=0.6, zorder=2), autolim=False
    )
    axes.add_collection(LineCollection(whiskers, colors=colour, linewidth=0.6, zorder=2), autolim=False)
    axes.add_collection(LineCollection(medians, colors=colour, linewidth=1.3, zorder=2.5), autolim=False)


def _tint(colour: str) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return (red, green, blue, 0.22)


def _say_beyond(axes: Axes, number: int) -> None:
    if number:
        text = f"{number} beyond the axis"
        axes.text(1, 1, text, transform=axes.transAxes, ha="right", va="top", fontsize="x-small", color="0.35")


def _limit(axes: Axes, finite: NDArray[np.float64]) -> None:
    """Scale a linear axis to nearly all values: a handful of extreme ones would flatten the rest."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(finite.min()), float(finite.max())
    if finite.size > 100:
        inner_low, inner_high = np.quantile(finite, [0.005, 0.995])
        reach = 0.5 * (inner_high - inner_low)
        low, high = max(low, inner_low - reach), min(high, inner_high + reach)
    margin = 0.05 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
