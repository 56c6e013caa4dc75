"""Pointer distance to the clean twin against obscured fraction (the paper's figure 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import (
    KIND_COLOURS,
    SINGLE_COLUMN,
    add_legend,
    new_axes,
    new_figure,
    publication_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    from napari_sam2_probe.analysis.pointers import Correlation, ObscurationResponse

UNOBSCURED_COLOUR = "#D62728"
"""Red, as the paper circles these frames."""

MANY_POINTS = 3000
"""Beyond this many frames the points of an SVG or PDF are stored as one picture."""

CROWDED = 40
"""Beyond this many unobscured frames, which lie on one line, their circles are smaller and finer."""


def draw_obscuration(axes: Axes, response: ObscurationResponse) -> PathCollection:
    """Draw pointer distance against obscured fraction, one point a frame, with correlations above.

    Parameters
    ----------
    axes
        Where to draw.
    response
        Distances and fractions of N frames and their correlations. Frames at exactly 0 % are circled.

    Returns
    -------
    matplotlib.collections.PathCollection
        The N points, fraction in percent.
    """
    percent, distance = 100 * response.obscured_fraction, response.distance
    many = len(percent) > MANY_POINTS
    points = axes.scatter(
        percent,
        distance,
        s=4 if many else 12,
        color=KIND_COLOURS["obscuration"],
        alpha=0.35 if many else 0.8,
        linewidth=0,
        rasterized=many,
        label="frame",
    )
    clear = percent == 0
    crowded = clear.sum() > CROWDED
    axes.scatter(
        percent[clear],
        distance[clear],
        s=12 if crowded else 26,
        facecolor="none",
        edgecolor=UNOBSCURED_COLOUR,
        linewidth=0.4 if crowded else 0.7,
        alpha=0.15 if many else 0.6 if crowded else 1.0,
        rasterized=many,
        label=f"0 % obscured ({clear.sum()} {_plural('frame', int(clear.sum()))})",
    )
    axes.set_xlabel("Object obscured (%)")
    axes.set_ylabel("Pointer distance to twin (L2)")
    axes.set_xlim(-4, 104)
    if distance.size:
        axes.set_ylim(0, 1.08 * distance.max() or 1)
    number, of_clips = len(percent), len(np.unique(response.clip_index))
    axes.set_title("\n".join(_write(response.pearson, response.spearman)), loc="left")
    axes.annotate(
        f"{number} {_plural('frame', number)}, {of_clips} {_plural('clip', of_clips)}",
        (1.0, 0.5),
        xycoords="axes fraction",
        xytext=(3, 0),
        textcoords="offset points",
        rotation=270,
        ha="left",
        va="center",
        fontsize="small",
    )
    return points


def make_obscuration(response: ObscurationResponse, *, width: float = SINGLE_COLUMN) -> Figure:
    """Make the figure of `draw_obscuration` with its legend, `width` inches wide."""
    with publication_style():
        figure = new_figure(width, 0.85 * width)
        axes = new_axes(figure)[0, 0]
        draw_obscuration(axes, response)
        legend = add_legend(figure, axes.get_legend_handles_labels()[0])
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return figure


_SYMBOLS = {"Pearson": "r", "Spearman": "ρ"}


def _write(*correlations: Correlation) -> list[str]:
    """Write each coefficient with its interval and naive p-value in a line, then what the interval is."""
    lines = []
    for c in correlations:
        name = f"{c.name} {_SYMBOLS[c.name]}"
        if np.isnan(c.coefficient):
            lines.append(f"{name} is not defined")
            continue
        interval = "" if c.interval is None else f" [{c.interval[0]:.2f}, {c.interval[1]:.2f}]"
        p_value = "< 0.001" if c.naive_p_value < 0.001 else f"= {c.naive_p_value:.3f}"
        lines.append(f"{name} = {c.coefficient:.2f}{interval}, naive p {p_value}".replace("-", "−"))
    if any(c.interval is not None for c in correlations):
        lines.append("[95 % interval, bootstrap over clips]")
    elif any(np.isfinite(c.coefficient) for c in correlations):
        lines.append("one clip, so no interval")
    return lines


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else noun + "s"
