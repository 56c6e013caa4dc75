"""Pointer distance to the clean twin against obscured fraction (the paper's figure 10; SPEC 5)."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

UNOBSCURED_COLOUR = "#D62728"
"""Red, as the paper circles these frames."""

MANY_POINTS = 3000
"""Beyond this many frames the points of an SVG or PDF are stored as one picture."""

CROWDED = 40
"""Beyond this many unobscured frames, which lie on one line, their circles are smaller and finer."""


@dataclass(frozen=True)
class CorrelationText:
    """One correlation coefficient as it is written into a figure.

    Attributes
    ----------
    name
        ``"Pearson r"`` or ``"Spearman ρ"``.
    value
        The coefficient; NaN where it is not defined (fewer than two frames, or one variable constant).
    low, high
        Its 95 % interval by bootstrap over clips; NaN where it can't be had (one clip).
    naive_p
        The p-value that takes frames of a clip as independent, which they are not.
    """

    name: str
    value: float
    low: float
    high: float
    naive_p: float


def draw_obscuration(
    axes: Axes,
    obscured_fraction: NDArray[np.floating],
    distance: NDArray[np.floating],
    clips: NDArray[np.generic],
    correlations: Sequence[CorrelationText] = (),
) -> PathCollection:
    """Draw pointer distance against obscured fraction, one point a frame.

    Parameters
    ----------
    axes
        Where to draw.
    obscured_fraction
        (N,) in [0, 1], NaN where the object is absent. Frames at exactly 0 are circled.
    distance
        (N,) L2 distance between the object pointers of a clip and of its twin at the same frame. Frames where
        either is NaN are left out.
    clips
        (N,) the clip that each frame belongs to.
    correlations
        What is written into the figure.

    Returns
    -------
    matplotlib.collections.PathCollection
        The points that are shown, fraction in percent.
    """
    shown = np.isfinite(obscured_fraction) & np.isfinite(distance)
    percent = 100 * np.asarray(obscured_fraction, dtype=np.float64)[shown]
    distance = np.asarray(distance, dtype=np.float64)[shown]
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
    number, of_clips = len(percent), len(np.unique(np.asarray(clips)[shown]))
    axes.set_title("\n".join(_write(correlations)), loc="left")
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


def make_obscuration(
    obscured_fraction: NDArray[np.floating],
    distance: NDArray[np.floating],
    clips: NDArray[np.generic],
    correlations: Sequence[CorrelationText] = (),
    *,
    width: float = SINGLE_COLUMN,
) -> Figure:
    """Make the figure of `draw_obscuration` with its legend, `width` inches wide."""
    with publication_style():
        figure = new_figure(width, 0.85 * width)
        axes = new_axes(figure)[0, 0]
        draw_obscuration(axes, obscured_fraction, distance, clips, correlations)
        add_legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def _write(correlations: Sequence[CorrelationText]) -> list[str]:
    """Write each coefficient with its interval and naive p-value in a line, then what the interval is."""
    lines, with_interval = [], False
    for c in correlations:
        if not np.isfinite(c.value):
            lines.append(f"{c.name} is not defined")
            continue
        text = f"{c.name} = {c.value:.2f}"
        if np.isfinite([c.low, c.high]).all():
            text += f" [{c.low:.2f}, {c.high:.2f}]"
            with_interval = True
        if np.isfinite(c.naive_p):
            text += ", naive p < 0.001" if c.naive_p < 0.001 else f", naive p = {c.naive_p:.3f}"
        lines.append(text.replace("-", "−"))
    if lines:
        lines.append("[95 % interval, bootstrap over clips]" if with_interval else "no interval: too few clips")
    return lines


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else noun + "s"
