"""The figures of the docks: drawn by the same functions as those of reports, laid out for a window."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS
from napari_sam2_probe.figures.features import draw_features
from napari_sam2_probe.figures.obscuration import draw_obscuration
from napari_sam2_probe.figures.pointers import draw_pointer_paths
from napari_sam2_probe.figures.style import add_legend, legend_height, new_axes, new_figure
from napari_sam2_probe.figures.timeline import mark_handles
from napari_sam2_probe.probe.positions import title_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.gui.run_views import FeaturesShown, PointersShown


LEFT, RIGHT, BETWEEN, BOTTOM, ROW_GAP, TITLE = 0.85, 0.08, 0.5, 0.36, 0.12, 0.22
"""Inches around and between the axes of the features dock: room for tick labels, axis labels and titles."""


def features_figure(
    width: float, height: float, shown: FeaturesShown, positions: Sequence[str], log: Collection[str]
) -> Figure:
    """Make the figure of the features dock, `width` x `height` inches: a row a position, a column a feature."""
    from matplotlib.figure import Figure

    # Without a layout engine, which takes longer than the drawing itself: a dock is drawn often.
    figure = Figure(figsize=(width, height))
    grid = new_axes(figure, len(positions), len(FEATURE_COLUMNS), sharex=True)
    draw_features(grid, shown.runs, positions, interjection=shown.interjection, log=log)
    for axes, position in zip(grid[:, 0], positions, strict=True):
        axes.set_ylabel(textwrap.fill(f"{position}: {title_of(position)}", 12))
        axes.yaxis.set_label_coords(0.45, 0.5, transform=_beside(axes))
    through_prompt = any(run.seen_through_prompt(feature).any() for run in shown.runs for feature in FEATURE_COLUMNS)
    marks = mark_handles(
        absent=any(not run.object_present.all() for run in shown.runs),
        prompted="compared with a prompted frame" if through_prompt else None,
        interjected=shown.interjection is not None,
    )
    lines = [line for line in grid[0, 0].get_lines() if not str(line.get_label()).startswith("_")]
    legend_height = _add_legend(figure, [*lines, *marks])
    _lay_out(figure, len(positions), legend_height)
    return figure


def _beside(axes: Axes) -> Transform:
    """Inches from the left edge of the figure across, shares of the axes up."""
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.figure.dpi_scale_trans, axes.transAxes)


def _lay_out(figure: Figure, rows: int, legend_height: float) -> None:
    width, height = figure.get_size_inches()
    column = (width - LEFT - RIGHT - 2 * BETWEEN) / len(FEATURE_COLUMNS)
    row = (height - BOTTOM - TITLE - legend_height - (rows - 1) * ROW_GAP) / rows
    figure.subplots_adjust(
        left=LEFT / width,
        right=1 - RIGHT / width,
        bottom=BOTTOM / height,
        top=1 - (TITLE + legend_height) / height,
        wspace=BETWEEN / max(column, 0.1),
        hspace=ROW_GAP / max(row, 0.1),
    )


def pointers_figure(width: float, height: float, shown: PointersShown) -> Figure:
    """Make the figure of pointer paths, `width` x `height` inches."""
    figure = new_figure(width, height)
    axes = new_axes(figure)[0, 0]
    lines = draw_pointer_paths(axes, shown.paths, shown.explained_variance)
    _add_legend(figure, lines)
    return figure


def obscuration_figure(width: float, height: float, response: ObscurationResponse) -> Figure:
    """Make the figure of distance against obscured fraction, `width` x `height` inches, without the correlations."""
    figure = new_figure(width, height)
    axes = new_axes(figure)[0, 0]
    draw_obscuration(axes, response)
    # They stand below the plot as text, where there is room.
    axes.set_title("", loc="left")
    _add_legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def _add_legend(figure: Figure, handles: Sequence[Artist]) -> float:
    """Add a legend above, where it is seen before one scrolls; return its height in inches."""
    from matplotlib.lines import Line2D

    legend = add_legend(figure, handles, loc="outside upper center")
    for handle in legend.legend_handles:
        if isinstance(handle, Line2D) and handle.get_markerfacecolor() == "white":
            handle.set_markerfacecolor(figure.get_facecolor())
    return legend_height(figure, legend)
