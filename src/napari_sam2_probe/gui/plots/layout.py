"""Where the areas of charts lie in a widget; without Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.gui.plots.area import PlotArea
from napari_sam2_probe.gui.plots.legend import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam2_probe.figures.chart import Chart, Limits

MARGIN = 6
NUMBERS, LABEL, KEY = 46, 16, 46
"""Pixels for the numbers of a y axis, for its label, and for a key of colours."""


def lay_out(
    grid: Sequence[Sequence[Chart]],
    width: float,
    height: float,
    legend_rows: int,
    zoomed: Mapping[int, tuple[Limits, Limits]],
) -> list[PlotArea]:
    """Return the areas of rows and columns of charts, row by row.

    Parameters
    ----------
    grid
        Rows of charts, of one length.
    width, height
        Pixels of the widget.
    legend_rows
        Above the charts.
    zoomed
        Limits of x and y by index of a chart; others have their own.
    """
    charts = [chart for row in grid for chart in row]
    rows, columns = len(grid), len(grid[0])
    left = [_left(row[k] for row in grid) for k in range(columns)]
    right = MARGIN + 2 + (KEY if any(chart.key for chart in charts) else 0)
    title = ROW + 4 if any(chart.title for chart in grid[0]) else 0
    two_lines = any(chart.x_label and not chart.counts_frames for chart in grid[-1])
    bottom = 2 * ROW + 2 if two_lines else ROW + 2
    top = MARGIN + legend_rows * ROW + title
    gap = 10
    column = max((width - sum(left) - right * columns) / columns, 20.0)
    # Rows above the last have numbers too: the eye needs them where one scrolls.
    row_height = max((height - top - rows * bottom - (rows - 1) * gap) / rows, 16.0)
    areas = []
    for index, chart in enumerate(charts):
        at, across = divmod(index, columns)
        x = sum(left[: across + 1]) + across * (column + right)
        y = top + at * (row_height + bottom + gap)
        xlim, ylim = zoomed.get(index, (chart.x_limits, chart.y_limits))
        areas.append(PlotArea(x, y, column, row_height, xlim, ylim, chart.x_log, chart.y_log))
    return areas


def _left(charts: Iterable[Chart]) -> int:
    held = list(charts)
    numbers = any(chart.y_numbers for chart in held)
    labelled = any(chart.y_label for chart in held)
    return MARGIN + (NUMBERS if numbers else 0) + (LABEL if labelled else 0)
