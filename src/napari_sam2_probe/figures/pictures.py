"""Grids of axes whose every size is known beforehand, so that no gap is left to chance and none is searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.figures.style import new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LINE = 0.125
"""Height in inches of a line of text."""


def inch_grid(
    figure: Figure,
    rows: int,
    columns: int,
    *,
    margins: tuple[float, float, float, float],
    between: tuple[float, float],
    **options: Any,
) -> NDArray[Any]:
    """Add a grid of axes laid out in inches; finding a layout takes longer than drawing, where there are many axes.

    Parameters
    ----------
    figure
        The figure, made inside `publication_style`.
    rows, columns
        Size of the grid.
    margins
        Left, right, top and bottom, in inches.
    between
        Between columns and between rows, in inches.
    **options
        Passed to `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    numpy.ndarray
        (rows, columns) axes.
    """
    figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    left, right, top, bottom = margins
    panel_width = (width - left - right - (columns - 1) * between[0]) / columns
    panel_height = (height - top - bottom - (rows - 1) * between[1]) / rows
    place = {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - top / height,
        "bottom": bottom / height,
        "wspace": between[0] / panel_width,
        "hspace": between[1] / panel_height,
    }
    return new_axes(figure, rows, columns, gridspec_kw=place, **options)


def picture_grid(
    number: int, video_size: tuple[int, int], *, columns: int, width: float, below: int, legend: int = 1
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure with axes for `number` pictures in reading order, inside `publication_style`.

    Parameters
    ----------
    number
        Pictures, at least one.
    video_size
        (H, W) of a picture in pixels.
    columns
        Pictures in a row at most.
    width
        In inches; the height follows.
    below
        Lines of text under each picture; above it there is one.
    legend
        Lines of the legend.

    Returns
    -------
    (matplotlib.figure.Figure, numpy.ndarray)
        The figure and (rows, columns) axes; those without a picture are switched off.
    """
    columns = min(columns, number)
    rows = -(-number // columns)
    gap = 0.06
    panel_width = (width - gap * (columns + 1)) / columns
    panel_height = panel_width * video_size[0] / video_size[1]
    between, top = (1 + below) * LINE + 0.02, LINE + 0.04
    bottom = (legend + below) * LINE + 0.12
    height = top + rows * panel_height + (rows - 1) * between + bottom
    figure = new_figure(width, height)
    grid = inch_grid(figure, rows, columns, margins=(gap, gap, top, bottom), between=(gap, between))
    for axes in grid.flat[number:]:
        axes.set_axis_off()
    return figure, grid
