"""Estimates with intervals as dots on rows: AUROC by position, J&F by kind, a lead with its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.feature_names import LONG_TERM, SHORT_TERM, SHORT_TERM_RATIO
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    NEUTRAL,
    add_legend,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

FEATURE_LOOKS: dict[str, tuple[str, str]] = {
    SHORT_TERM.column: ("#0077BB", "o"),
    LONG_TERM.column: ("#EE7733", "s"),
    SHORT_TERM_RATIO.column: ("#009988", "^"),
    "combined": ("#AA3377", "D"),
}
"""Colour and marker of each feature and of their linear combination; shapes for those who print in grey."""

SERIES_LOOKS: tuple[tuple[str, str], ...] = (
    ("#0077BB", "o"),
    ("#EE7733", "s"),
    ("#009988", "^"),
    ("#AA3377", "D"),
    ("#33BBEE", "v"),
    ("#666666", "P"),
)
"""Colour and marker of what has no look of its own."""


@dataclass(frozen=True)
class Dots:
    """One estimate for each row.

    Attributes
    ----------
    label
        The name in the legend.
    values, low, high
        (R,) float, the estimates and their 95 % intervals; NaN where there is none.
    look
        Colour and marker.
    """

    label: str
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    look: tuple[str, str]


@dataclass(frozen=True)
class DotPanel:
    """Dots on common rows.

    Attributes
    ----------
    title
        Above the panel.
    rows
        Names of the R rows, top to bottom.
    dots
        Drawn below each other within a row, in this order.
    axis
        What the x axis shows.
    limits
        (low, high) of the x axis; None: what is needed.
    reference
        A value to compare with (0.5: chance), None for none.
    """

    title: str
    rows: tuple[str, ...]
    dots: tuple[Dots, ...]
    axis: str
    limits: tuple[float, float] | None = None
    reference: float | None = None


def draw_dots(axes: Axes, panel: DotPanel) -> list[Artist]:
    """Draw the estimates of a panel with their intervals and give a legend entry for each series."""
    from matplotlib.lines import Line2D

    if panel.reference is not None:
        axes.axvline(panel.reference, color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    number = len(panel.dots)
    # Rows are 1 apart; within one, series keep to its middle two thirds.
    shifts = np.linspace(-0.3, 0.3, number) if number > 1 else np.zeros(1)
    handles: list[Artist] = []
    for series, shift in zip(panel.dots, shifts, strict=True):
        colour, marker = series.look
        y = np.arange(len(panel.rows)) + shift
        axes.hlines(y, series.low, series.high, color=colour, linewidth=0.9, zorder=2)
        axes.plot(
            series.values,
            y,
            linestyle="none",
            marker=marker,
            markersize=3.4,
            markeredgewidth=0,
            color=colour,
            label=plain_text(series.label),
            zorder=3,
        )
        handles.append(
            Line2D([], [], color=colour, marker=marker, markersize=3.4, linewidth=0.9, label=plain_text(series.label))
        )
    for k in range(1, len(panel.rows), 2):
        axes.axhspan(k - 0.5, k + 0.5, facecolor="0.5", alpha=0.08, linewidth=0, zorder=0)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.set_yticks(np.arange(len(panel.rows)), panel.rows)
    axes.tick_params(axis="y", length=0)
    if panel.limits is not None:
        axes.set_xlim(*panel.limits)
    axes.set_xlabel(panel.axis)
    axes.set_title(panel.title, loc="left")
    return handles


def make_dots(panels: Sequence[DotPanel], *, columns: int = 2, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure of several panels with one legend.

    Parameters
    ----------
    panels
        At least one; all with the same series.
    columns
        Panels in a row at most.
    width
        In inches; the height follows from the number of rows and series.
    """
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    tallest = max(len(p.rows) * (0.12 + 0.06 * len(p.dots)) for p in panels)
    with publication_style():
        figure = new_figure(width, 0.35 + lines * (0.5 + tallest))
        grid = new_axes(figure, lines, columns)
        handles: dict[str, Artist] = {}
        for k, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
            handles |= {str(h.get_label()): h for h in draw_dots(axes, panel)}
            if k % columns and panel.rows == panels[k - 1].rows:
                axes.tick_params(axis="y", labelleft=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        if len(handles) > 1:
            add_legend(figure, list(handles.values()))
    return figure
