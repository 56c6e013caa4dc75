"""Draws a `Chart` with matplotlib, for files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.log_axis import number_log_axis
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    add_legend,
    make_room_for,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)
from napari_sam2_probe.figures.timeline import say_no_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_sam2_probe.figures.chart import Chart, Dots

_LINES = {"solid": "-", "dashed": (0, (4, 1.6)), "dotted": (0, (1, 1.4))}
_MARKERS = {"circle": "o", "square": "s", "star": "*", "triangle": "^"}
_MOST_NUMBERS = 5


def draw_chart(axes: Axes, chart: Chart) -> list[Artist]:
    """Draw a chart on axes.

    Returns
    -------
    list of matplotlib.artist.Artist
        What belongs into a legend.
    """
    from matplotlib.patches import Patch

    handles: list[Artist] = []
    for shade in chart.shades:
        for first, last in shade.spans:
            axes.axvspan(first, last, facecolor=shade.colour, alpha=shade.opacity, linewidth=0, zorder=0)
        if shade.spans:
            handles.append(Patch(facecolor=shade.colour, alpha=shade.opacity, label=shade.label))
    lines: list[Artist] = []
    for trace in chart.traces:
        (line,) = axes.plot(
            trace.x,
            trace.y,
            color=trace.colour,
            linestyle=_LINES[trace.dash],
            linewidth=0.8 * trace.width,
            label=plain_text(trace.label),
            zorder=2,
        )
        if trace.listed:
            lines.append(line)
    for dots in chart.dots:
        handle = _draw_dots(axes, dots)
        if dots.label:
            handles.append(handle)
    _set_axes(axes, chart)
    return [*lines, *handles]


def make_chart(chart: Chart, *, width: float = DOUBLE_COLUMN, height: float = 2.4) -> Figure:
    """Make the figure of one chart with its legend, so many inches wide and high."""
    with publication_style():
        figure = new_figure(width, height)
        axes = new_axes(figure)[0, 0]
        handles = draw_chart(axes, chart)
        if chart.key is not None:
            _add_key(figure, axes, chart)
        if handles:
            make_room_for(add_legend(figure, handles), figure)
    return figure


def _draw_dots(axes: Axes, dots: Dots) -> Artist:
    from matplotlib.lines import Line2D

    hollow = np.zeros(len(dots.x), bool) if dots.hollow is None else dots.hollow
    colours: Any = dots.colours if isinstance(dots.colours, str) else np.asarray(dots.colours) / 255
    same = isinstance(dots.colours, str)
    for chosen, filled in ((~hollow, True), (hollow, False)):
        if chosen.any():
            own = colours if same else colours[chosen]
            axes.scatter(
                dots.x[chosen],
                dots.y[chosen],
                s=dots.size**2,
                marker=_MARKERS[dots.shape],
                facecolor=own if filled else axes.get_facecolor(),
                edgecolor=own,
                linewidth=0.3 if filled else 0.8,
                zorder=3,
            )
    colour = dots.colours if isinstance(dots.colours, str) else "0.4"
    face = "white" if hollow.any() and hollow.all() else colour
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=_MARKERS[dots.shape],
        color=colour,
        markerfacecolor=face,
        label=plain_text(dots.label),
    )


def _set_axes(axes: Axes, chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis, limits, log in (("x", chart.x_limits, chart.x_log), ("y", chart.y_limits, chart.y_log)):
        if log:
            getattr(axes, f"set_{axis}scale")("log", nonpositive="mask")
        getattr(axes, f"set_{axis}lim")(*limits)
        if log:
            number_log_axis(getattr(axes, f"{axis}axis"), *limits, _MOST_NUMBERS)
    if chart.counts_frames:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    if not chart.y_numbers:
        axes.set_yticks([])
    if chart.is_empty:
        say_no_values(axes)
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)


def _add_key(figure: Figure, axes: Axes, chart: Chart) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    assert chart.key is not None
    scale = ScalarMappable(Normalize(chart.key.low, chart.key.high), chart.key.name)
    figure.colorbar(scale, ax=axes, label=chart.key.label, fraction=0.04, pad=0.02)


def make_charts(grid: Sequence[Sequence[Chart]], *, width: float = DOUBLE_COLUMN, row: float = 0.95) -> Figure:
    """Make the figure of rows and columns of charts with one legend, `width` inches wide."""
    with publication_style():
        figure = new_figure(width, 0.6 + row * len(grid))
        panels = new_axes(figure, len(grid), len(grid[0]), sharex=True)
        handles: dict[str, Artist] = {}
        for axes, charts in zip(panels, grid, strict=True):
            for one, chart in zip(axes, charts, strict=True):
                handles |= {str(handle.get_label()): handle for handle in draw_chart(one, chart)}
        figure.align_ylabels(panels[:, 0])
        if handles:
            make_room_for(add_legend(figure, list(handles.values())), figure)
    return figure
