"""Whether an object is found again: J&F after the interjection against J&F before it, a point a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.series import Series
from napari_sam2_probe.figures.style import (
    NEUTRAL,
    add_legend,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
    series_colours,
)
from napari_sam2_probe.figures.timeline import say_no_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class BeforeAfter(Series):
    """J&F of each clip of a data set before and after the interjection.

    Attributes
    ----------
    label, kind
        As in `Series`; the label is the panel's title.
    before, after
        (N,) float in [0, 1]; NaN where there is none.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]


def draw_before_after(axes: Axes, clips: BeforeAfter, colour: str) -> PathCollection:
    """Draw J&F of the suffix against the prefix; below the diagonal the object was found again less well.

    Returns
    -------
    matplotlib.collections.PathCollection
        The N points.
    """
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    many = len(clips.before) > 300
    points = axes.scatter(
        clips.before,
        clips.after,
        s=5 if many else 12,
        color=colour,
        alpha=0.4 if many else 0.7,
        linewidth=0,
        zorder=2,
        label=plain_text(clips.label),
    )
    if not (np.isfinite(clips.before) & np.isfinite(clips.after)).any():
        say_no_values(axes)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    axes.set_title(plain_text(clips.label))
    return points


def make_reidentification(panels: Sequence[BeforeAfter]) -> Figure:
    """Make the figure of one panel a data set, at most six in a row."""
    from matplotlib.lines import Line2D

    columns = min(len(panels), 6)
    rows = -(-len(panels) // columns)
    with publication_style():
        figure = new_figure(max(0.45 + 1.15 * columns, 2.4), 0.55 + 1.4 * rows)
        grid = new_axes(figure, rows, columns, sharex=True, sharey=True)
        kinds = list(dict.fromkeys(panel.kind for panel in panels))
        colours = dict(zip(kinds, series_colours(kinds), strict=True))
        for axes, panel in zip(grid.flat, panels, strict=False):
            draw_before_after(axes, panel, colours[panel.kind])
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("J&F before (prefix)")
        for axes in grid[:, 0]:
            axes.set_ylabel("J&F after (suffix)")
        equal = Line2D([], [], color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), label="as well as before")
        dot = Line2D([], [], linestyle="none", marker="o", color="0.35", label="one clip")
        add_legend(figure, [dot, equal])
    return figure
