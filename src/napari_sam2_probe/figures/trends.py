"""Features over time of whole data sets (the paper's figures 16, 17, 20, 23 and 28)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, FEATURE_LABELS, HEAVY_TAILED, LONG_TERM, LONG_WINDOW
from napari_sam2_probe.figures.log_axis import number_log_axis
from napari_sam2_probe.figures.pictures import inch_grid
from napari_sam2_probe.figures.series import Series, with_looks
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    NEUTRAL,
    add_legend,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)
from napari_sam2_probe.figures.timeline import frame_axis, mark_frames, mark_handles, say_no_values, shade_frames
from napari_sam2_probe.probe.positions import title_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

_BEYOND = "_beyond"

_DASHES = (0, (2.2, 1.2))


@dataclass(frozen=True)
class Trend(Series):
    """One quantity over the clips of a data set, frame by frame.

    Attributes
    ----------
    label, kind
        As in `Series`.
    centre
        (T,) float, the mean or the median over clips; NaN where it is not defined.
    low, high
        (T,) float, its 95 % interval; NaN where there is none (a single source sequence).
    absent
        (T,) bool; frames without the object, marked with points.
    prompted
        (T,) bool; frames whose references hold a prompted one, marked with hollow squares. None for none.
    placebo
        (T,) float, the same of clips in which nothing changes, compared as if it did: a dashed line. None for none.
    """

    centre: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    absent: NDArray[np.bool_]
    prompted: NDArray[np.bool_] | None = None
    placebo: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class TrendRow:
    """One row of panels: a position, and a statistic over clips.

    Attributes
    ----------
    position
        The position's number (``"4r"``).
    statistic
        ``"Mean"`` or ``"Median"``.
    trends
        By feature column (`FEATURE_COLUMNS`), one a data set.
    """

    position: str
    statistic: str
    trends: Mapping[str, Sequence[Trend]]


def draw_trends(axes: Axes, trends: Sequence[Trend], *, logarithmic: bool = False) -> list[Line2D]:
    """Draw one quantity of several data sets over time, each with its 95 % interval as a band.

    The scale is that of ordinary frames: a value seen through a prompted frame is several times as large,
    and where it lies above the axis a triangle at the upper edge says so.

    Parameters
    ----------
    axes
        Where to draw.
    trends
        Drawn over each other, in colours by kind.
    logarithmic
        Whether the axis is.

    Returns
    -------
    list of matplotlib.lines.Line2D
        The line of each data set.
    """
    lines = []
    top = _ordinary_top(trends)
    for trend, colour, linewidth in with_looks(trends):
        frames = np.arange(len(trend.centre))
        band = np.isfinite(trend.low) & np.isfinite(trend.high)
        if band.any():
            low = np.where(trend.low > 0, trend.low, np.nan) if logarithmic else trend.low
            axes.fill_between(frames, low, trend.high, where=band, color=colour, alpha=0.2, linewidth=0, zorder=1.5)
        (line,) = axes.plot(
            frames, trend.centre, color=colour, linewidth=linewidth, label=plain_text(trend.label), zorder=2
        )
        lines.append(line)
        mark_frames(axes, trend.centre, trend.absent, colour, "absent")
        if trend.placebo is not None:
            axes.plot(
                frames, trend.placebo, color=colour, linewidth=1.1, linestyle=_DASHES, label="_placebo", zorder=2.6
            )
        if trend.prompted is not None:
            mark_frames(axes, trend.centre, trend.prompted & ~trend.absent, colour, "prompted")
    _scale(axes, trends, top, logarithmic=logarithmic)
    return lines


def draw_trend_row(
    row: Sequence[Axes],
    trends: Mapping[str, Sequence[Trend]],
    *,
    interjection: NDArray[np.bool_] | None = None,
    log: Collection[str] = (),
) -> list[Line2D]:
    """Draw the features of one position side by side on three axes and give the lines of the first."""
    lines: list[Line2D] = []
    for axes, feature in zip(row, FEATURE_COLUMNS, strict=True):
        if interjection is not None:
            shade_frames(axes, interjection)
        drawn = draw_trends(axes, trends[feature], logarithmic=feature in log)
        lines = lines or drawn
        frame_axis(axes, max((len(t.centre) for t in trends[feature]), default=1), label=False)
    return lines


def make_trends(
    rows: Sequence[TrendRow],
    *,
    interjection: NDArray[np.bool_] | None = None,
    log: Collection[str] = HEAVY_TAILED,
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Make the figure of features over time: a row a position and statistic, a column a feature.

    Parameters
    ----------
    rows
        At least one, all with the same data sets.
    interjection
        (T,) bool, the frames to shade; None for none.
    log
        The features on a logarithmic axis.
    width
        In inches.
    """
    from matplotlib.lines import Line2D

    with publication_style():
        figure = new_figure(width, 0.85 + 1.22 * len(rows))
        grid = inch_grid(
            figure, len(rows), len(FEATURE_COLUMNS), margins=(0.84, 0.08, 0.24, 0.72), between=(0.54, 0.2), sharex=True
        )
        lines: list[Line2D] = []
        for axes, row in zip(grid, rows, strict=True):
            drawn = draw_trend_row(axes, row.trends, interjection=interjection, log=log)
            lines = lines or drawn
            title = textwrap.fill(f"{row.position}: {title_of(row.position)}", 18)
            axes[0].set_ylabel(f"{title}\n({row.statistic.lower()})")
        for axes, (feature, name) in zip(grid[0], FEATURE_LABELS.items(), strict=True):
            full = f", from {LONG_WINDOW} references on" if feature == LONG_TERM.column else ""
            axes.set_title(name + full)
        for axes in grid[-1]:
            axes.set_xlabel("Frame")
        figure.align_ylabels(grid[:, 0])
        every = [trend for row in rows for trends in row.trends.values() for trend in trends]
        marks: list[Any] = mark_handles(
            absent=any(t.absent.any() for t in every),
            prompted="compared with a prompted frame" if any(_prompted(t).any() for t in every) else None,
            interjected=interjection is not None and bool(np.any(interjection)),
        )
        if any(t.placebo is not None and np.isfinite(t.placebo).any() for t in every):
            marks.append(Line2D([], [], color="0.35", linestyle=_DASHES, label="placebo: nothing changes"))
        drawn_beyond = [line for axes in grid.flat for line in axes.get_lines() if line.get_label() == _BEYOND]
        if any(len(line.get_xdata()) for line in drawn_beyond):
            marks.append(Line2D([], [], linestyle="none", marker="^", color="0.35", label="above the axis"))
        add_legend(figure, [*lines, *marks], loc="lower center")
    return figure


@dataclass(frozen=True)
class CoursePanel:
    """One quantity of several data sets over time.

    Attributes
    ----------
    quantity
        What the y axis shows.
    trends
        One a data set.
    reference
        A value to compare with (0: SAM 2's own threshold), None for none.
    """

    quantity: str
    trends: Sequence[Trend]
    reference: float | None = None


def make_courses(
    panels: Sequence[CoursePanel],
    *,
    interjection: NDArray[np.bool_] | None = None,
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Make the figure of several quantities over time below each other, all of the same data sets.

    Parameters
    ----------
    panels
        Top to bottom.
    interjection
        (T,) bool, the frames to shade; None for none.
    width
        In inches.
    """
    with publication_style():
        figure = new_figure(width, 0.62 + 1.7 * max(len(panels), 1))
        grid = new_axes(figure, max(len(panels), 1), 1, sharex=True)[:, 0]
        lines: list[Line2D] = []
        for axes, panel in zip(grid, panels, strict=False):
            if panel.reference is not None:
                axes.axhline(
                    panel.reference, color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1, label="_at"
                )
            if interjection is not None:
                shade_frames(axes, interjection)
            drawn = draw_trends(axes, panel.trends)
            lines = lines or drawn
            frame_axis(axes, max((len(t.centre) for t in panel.trends), default=1), label=axes is grid[-1])
            axes.set_ylabel(panel.quantity)
        if not panels:
            say_no_values(grid[0])
        figure.align_ylabels(list(grid))
        absent = any(trend.absent.any() for panel in panels for trend in panel.trends)
        shaded = interjection is not None and bool(np.any(interjection))
        marks = mark_handles(absent=absent, prompted=None, interjected=shaded)
        if lines or marks:
            add_legend(figure, [*lines, *marks])
    return figure


def _prompted(trend: Trend) -> NDArray[np.bool_]:
    return np.zeros(len(trend.centre), bool) if trend.prompted is None else trend.prompted


def _ordinary_top(trends: Sequence[Trend]) -> float:
    """Return the largest value or upper bound on frames not seen through a prompted one; NaN where there is none."""
    found = [v[~_prompted(t)] for t in trends for v in (t.centre, t.high)]
    values = np.concatenate(found) if found else np.empty(0)
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else float("nan")


def _scale(axes: Axes, trends: Sequence[Trend], top: float, *, logarithmic: bool) -> None:
    """Set the y axis, and mark what lies above it."""
    from matplotlib.ticker import MaxNLocator

    centres = np.concatenate([t.centre for t in trends]) if trends else np.empty(0)
    if not np.isfinite(centres).any():
        say_no_values(axes)
        return
    if logarithmic and (centres[np.isfinite(centres)] > 0).any():
        axes.set_yscale("log", nonpositive="mask")
        number_log_axis(axes.yaxis, *axes.get_ylim())
        return
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.ticklabel_format(axis="y", scilimits=(-3, 5), useMathText=True)
    axes.yaxis.offsetText.set_fontsize("x-small")
    low, high = axes.get_ylim()
    if np.isfinite(top) and 1.3 * top < high:
        axes.set_ylim(min(low, 0.0), 1.12 * top)
        for trend, colour, _ in with_looks(trends):
            beyond = np.flatnonzero(trend.centre > 1.12 * top)
            axes.plot(
                beyond,
                np.full(len(beyond), 0.97),
                transform=axes.get_xaxis_transform(),
                linestyle="none",
                marker="^",
                markersize=3.5,
                color=colour,
                label=_BEYOND,
                zorder=4,
            )
