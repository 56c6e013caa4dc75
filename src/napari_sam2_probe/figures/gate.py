"""How much of a separation is SAM 2's own gate: gated positions beside ungated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.dots import DotPanel, draw_dots
from napari_sam2_probe.figures.log_axis import number_log_axis
from napari_sam2_probe.figures.separability import ABSENT_COLOUR, PRESENT_COLOUR
from napari_sam2_probe.figures.style import DOUBLE_COLUMN, add_legend, new_axes, new_figure, publication_style
from napari_sam2_probe.figures.timeline import say_no_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BINS = 60


@dataclass(frozen=True)
class Cloud:
    """The values of one feature at one position.

    Attributes
    ----------
    row
        The name of its row.
    present, absent
        (N,) and (M,) float, on frames with and without the object, as multiples of the median with it.
    """

    row: str
    present: NDArray[np.float64]
    absent: NDArray[np.float64]


@dataclass(frozen=True)
class GatePanel:
    """One data set: clouds at the left and what separates them at the right, on the same rows.

    Attributes
    ----------
    title
        The data set.
    clouds
        Top to bottom, a gated position above its ungated one.
    estimates
        The AUROC of the same rows.
    """

    title: str
    clouds: tuple[Cloud, ...]
    estimates: DotPanel


def draw_clouds(axes: Axes, clouds: Sequence[Cloud], *, axis: str) -> None:
    """Draw present values above the line of each row and absent ones below it, on a logarithmic axis.

    Parameters
    ----------
    axes
        Where to draw.
    clouds
        Top to bottom.
    axis
        What the x axis shows.
    """
    together = np.concatenate([np.r_[c.present, c.absent] for c in clouds]) if clouds else np.empty(0)
    together = together[np.isfinite(together) & (together > 0)]
    if not together.size:
        say_no_values(axes)
        return
    low, high = np.quantile(together, [0.002, 0.998])
    low, high = (low / 1.2, high * 1.2) if low < high else (low / 2, high * 2)
    edges = np.geomspace(low, high, _BINS + 1)
    axes.set_xscale("log")
    axes.axvline(1.0, color="0.5", linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    for k, cloud in enumerate(clouds):
        axes.axhline(k, color="0.5", linewidth=0.4, zorder=1)
        for values, side, colour in ((cloud.present, -1, PRESENT_COLOUR), (cloud.absent, 1, ABSENT_COLOUR)):
            counts, _ = np.histogram(np.clip(values[np.isfinite(values)], low, high), edges)
            if not counts.any():
                continue
            height = side * 0.42 * counts / counts.max()
            axes.stairs(k + height, edges, baseline=k, fill=True, facecolor=colour, alpha=0.55, linewidth=0, zorder=2)
            axes.plot([np.nanmedian(values)] * 2, [k, k + side * 0.42], color=colour, linewidth=1.1, zorder=3)
    axes.set_xlim(low, high)
    axes.set_ylim(len(clouds) - 0.5, -0.5)
    axes.set_yticks(np.arange(len(clouds)), [cloud.row for cloud in clouds])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(axis)
    number_log_axis(axes.xaxis, low, high)


def make_gate(panels: Sequence[GatePanel], *, axis: str, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure of gated and ungated positions: a row a data set.

    Parameters
    ----------
    panels
        At least one.
    axis
        What the clouds' x axis shows.
    width
        In inches.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    with publication_style():
        figure = new_figure(width, 0.5 + 2.15 * len(panels))
        grid = new_axes(figure, len(panels), 2, width_ratios=[1.25, 1])
        handles = []
        for (left, right), panel in zip(grid, panels, strict=True):
            draw_clouds(left, panel.clouds, axis=axis)
            left.set_title(panel.title, loc="left")
            handles = draw_dots(right, panel.estimates)
            right.tick_params(axis="y", labelleft=False)
        for axes in grid[:-1].flat:
            axes.set_xlabel("")
        colours = ((PRESENT_COLOUR, "object present"), (ABSENT_COLOUR, "object absent"))
        patches = [Patch(facecolor=colour, alpha=0.55, label=label) for colour, label in colours]
        medians = Line2D([], [], linestyle="none", marker="|", color="0.35", markersize=6, label="median")
        add_legend(figure, [*patches, medians, *handles])
    return figure
