"""How alike representations are: a matrix over positions, and lines over frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    NEUTRAL,
    add_legend,
    new_axes,
    new_figure,
    publication_style,
    series_colours,
)
from napari_sam2_probe.figures.timeline import frame_axis, shade_frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

_DARK = 0.55
_MARKERS = ("o", "s", "^", "D", "v", "P", "x")


def draw_similarity(axes: Axes, names: Sequence[str], values: NDArray[np.float64]) -> AxesImage:
    """Draw a symmetric matrix of similarities with its numbers.

    Parameters
    ----------
    axes
        Where to draw.
    names
        Of the N rows and columns.
    values
        (N, N) up to 1; NaN is left empty.
    """
    image = axes.imshow(values, vmin=0, vmax=1, cmap="Blues")
    ticks = np.arange(len(names))
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0)
    for row in range(len(names)):
        for column in range(len(names)):
            value = values[row, column]
            if np.isfinite(value):
                colour = "white" if value > _DARK else "black"
                text = f"{value:.2f}".replace("-", "−")
                axes.text(column, row, text, ha="center", va="center", fontsize=5.5, color=colour)
    axes.set_xlabel("Position")
    axes.set_ylabel("Position")
    return image


def make_similarity(
    names: Sequence[str],
    values: NDArray[np.float64],
    timelines: Mapping[str, Mapping[str, NDArray[np.float64]]],
    *,
    labels: Mapping[str, str],
    interjection: NDArray[np.bool_] | None = None,
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Make the figure: the matrix on the left, and a panel of lines over frames for each kind of clip.

    Parameters
    ----------
    names, values
        As in `draw_similarity`.
    timelines
        By kind of clip and position, (T,) the similarity of each frame with one reference frame.
    labels
        What a kind is called.
    interjection
        (T,) bool, the frames to shade; None for none.
    width
        In inches.
    """
    kinds = list(timelines)
    columns = 2 if kinds else 0
    lines = -(-len(kinds) // 2) if kinds else 1
    with publication_style():
        figure = new_figure(width, max(2.7, 0.4 + 1.3 * lines))
        parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.5)) if kinds else (figure, None)
        left, right = parts
        draw_similarity(new_axes(left)[0, 0], names, values)
        if right is not None:
            grid = new_axes(right, lines, columns, sharex=True, sharey=True)
            for k, (axes, kind) in enumerate(zip(grid.flat, kinds, strict=False)):
                if interjection is not None:
                    shade_frames(axes, interjection)
                axes.axhline(0, color=NEUTRAL, linewidth=0.5)
                colours = series_colours(list(timelines[kind]))
                for colour, marker, (name, line) in zip(colours, _MARKERS * 3, timelines[kind].items(), strict=False):
                    axes.plot(
                        np.arange(len(line)),
                        line,
                        color=colour,
                        marker=marker,
                        markersize=2.2,
                        linewidth=0.8,
                        label=f"position {name}",
                    )
                axes.set_title(labels.get(kind, kind), loc="left")
                frame_axis(axes, max(map(len, timelines[kind].values())), label=k >= len(kinds) - columns)
                if k % columns == 0:
                    axes.set_ylabel("CKA")
            for axes in grid.flat[len(kinds) :]:
                axes.set_axis_off()
            add_legend(figure, grid.flat[0].get_legend_handles_labels()[0])
    return figure
