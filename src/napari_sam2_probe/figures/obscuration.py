"""Pointer distance to the clean twin against obscured fraction (the paper's figure 10; SPEC 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import (
    KIND_COLOURS,
    SINGLE_COLUMN,
    new_axes,
    new_figure,
    publication_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

UNOBSCURED_COLOUR = "#D62728"
"""Red, as the paper circles these frames."""

MANY_POINTS = 3000
"""Beyond this many frames the points of an SVG or PDF are stored as one picture."""


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
    correlations: tuple[CorrelationText, ...] = (),
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
    axes.scatter(
        percent[clear],
        distance[clear],
        s=14 if many else 26,
        facecolor="none",
        edgecolor=UNOBSCURED_COLOUR,
        linewidth=0.7,
        rasterized=many,
        label="0 % obscured",
    )
    axes.set_xlabel("Object obscured (%)")
    axes.set_ylabel("Pointer distance to twin (L2)")
    axes.set_xlim(-4, 104)
    if distance.size:
        axes.set_ylim(0, 1.08 * distance.max() or 1)
    axes.set_title("\n".join(_write(c) for c in correlations), loc="left")
    number, of_clips = len(percent), len(np.unique(np.asarray(clips)[shown]))
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
    correlations: tuple[CorrelationText, ...] = (),
    *,
    width: float = SINGLE_COLUMN,
) -> Figure:
    """Make the figure of `draw_obscuration` with its legend, `width` inches wide."""
    with publication_style():
        figure = new_figure(width, 0.85 * width)
        axes = new_axes(figure)[0, 0]
        draw_obscuration(axes, obscured_fraction, distance, clips, correlations)
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _write(c: CorrelationText) -> str:
    """Write one coefficient, its interval and its naive p-value in a line."""
    if not np.isfinite(c.value):
        return f"{c.name}: not defined"
    text = f"{c.name} = {c.value:.2f}"
    if np.isfinite([c.low, c.high]).all():
        text += f", 95 % CI [{c.low:.2f}, {c.high:.2f}] over clips"
    else:
        text += " (one clip: no interval)"
    if np.isfinite(c.naive_p):
        text += ", naive p < 0.001" if c.naive_p < 0.001 else f", naive p = {c.naive_p:.3f}"
    return text.replace("-", "−")


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else noun + "s"
