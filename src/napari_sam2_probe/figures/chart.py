"""What one pair of axes shows, as data: the panels paint it in the window, and matplotlib draws it into files.

A panel repaints whenever a frame is tracked or the mouse turns its wheel, which a matplotlib figure is too slow for. So
that a saved figure still looks like the dock, both go by the same `Chart`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Dash = Literal["solid", "dashed", "dotted"]
Shape = Literal["circle", "square", "star", "triangle"]
Limits = tuple[float, float]

DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted")

PROMPTED = "prompted"
"""The label of marks on prompted frames, which are no values."""

OUTLIER_SHARE = 0.5
"""Points are outliers where those that lie further in would else have less than this share of an axis."""

_OUTER_SHARE = 0.02
"""Of the values at either end that may be outliers; at least one may."""

_FEWEST = 5
"""Of fewer values none is an outlier."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A line.

    Attributes
    ----------
    label
        Its name in the legend.
    x, y
        (N,) float; NaN leaves a gap.
    colour
        ``#rrggbb``.
    dash
        How it is drawn.
    width
        In points.
    values
        (N,) float, what is read off under the mouse where `y` is scaled; None: `y`.
    short
        The name where there is little room; empty: `label`.
    listed
        Whether it has an entry in the legend.
    """

    label: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: str
    dash: Dash = "solid"
    width: float = 1.4
    values: NDArray[np.floating] | None = None
    short: str = ""
    listed: bool = True

    def read(self, x: float) -> float:
        """Return the value at the point nearest to `x`; NaN where there is none within half a step."""
        if not len(self.x):
            return float("nan")
        index = int(np.argmin(np.abs(self.x - x)))
        values = self.y if self.values is None else self.values
        return float(values[index]) if abs(self.x[index] - x) <= 0.5 else float("nan")


@dataclass(frozen=True, eq=False)
class Dots:
    """Single points.

    Attributes
    ----------
    label
        Its name in the legend; empty for no entry.
    x, y
        (N,) float; where one is NaN there is no point.
    colours
        One ``#rrggbb`` for all, or (N, 3) uint8.
    shape, size
        How they look; the size in points.
    hollow
        (N,) bool, drawn as outlines; None: none.
    frames
        (N,) int, the frame that each is of; None where they are of no frame.
    owner
        What a tooltip under the mouse shows of whose points they are.
    """

    label: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colours: str | NDArray[np.uint8]
    shape: Shape = "circle"
    size: float = 4.0
    hollow: NDArray[np.bool_] | None = None
    frames: NDArray[np.integer] | None = None
    owner: str = ""


@dataclass(frozen=True)
class Shade:
    """Spans of the x axis in a light colour, from the first to the last value of each."""

    label: str
    spans: tuple[tuple[float, float], ...]
    colour: str
    opacity: float = 0.18


@dataclass(frozen=True)
class ColourKey:
    """What the colours of points mean: from `low` to `high` along the named colour map of matplotlib."""

    label: str
    low: float
    high: float
    name: str


@dataclass(frozen=True, eq=False)
class Chart:
    """One pair of axes.

    Attributes
    ----------
    traces, dots, shades
        What is drawn, shades lowest.
    x_limits, y_limits
        What is shown at first; what lies beyond is cut off, and single points are hinted at on the edge.
    title, x_label, y_label
        Texts; empty for none.
    counts_frames
        Whether x is the number of a frame, so that the time slider has a place on it.
    x_log, y_log
        Whether an axis is logarithmic.
    y_numbers
        Whether the y axis has numbers, which it has not where every line has a scale of its own.
    note
        Said in place of anything drawn.
    key
        What the points' colours mean; None where they mean nothing.
    """

    traces: tuple[Trace, ...] = ()
    dots: tuple[Dots, ...] = ()
    shades: tuple[Shade, ...] = ()
    x_limits: Limits = (0.0, 1.0)
    y_limits: Limits = (0.0, 1.0)
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    counts_frames: bool = False
    x_log: bool = False
    y_log: bool = False
    y_numbers: bool = True
    note: str = ""
    key: ColourKey | None = field(default=None)

    @property
    def is_empty(self) -> bool:
        """Whether no line and no point has a value."""
        shown = [*(trace.y for trace in self.traces), *(dots.y for dots in self.dots if dots.label != PROMPTED)]
        return not any(np.isfinite(y).any() for y in shown)


def limits_of(values: Sequence[NDArray[np.floating]], *, log: bool = False, margin: float = 0.06) -> Limits:
    """Return limits that hold all finite values with a margin; on a logarithmic axis those above 0.

    Parameters
    ----------
    values
        Arrays of any shape.
    log
        Whether the axis is logarithmic.
    margin
        Left free at either end, as a share of the range.
    """
    together = np.concatenate([np.asarray(v, np.float64).ravel() for v in values]) if values else np.empty(0)
    together = together[np.isfinite(together) & ((together > 0) | (not log))]
    if not together.size:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = float(together.min()), float(together.max())
    if log:
        low, high = np.log10(low), np.log10(high)
    span = high - low
    # A single value, and one that differs by rounding, still gets axes with numbers that can be told apart.
    pad = margin * span if span > 1e-9 * max(abs(low), abs(high)) else (0.1 if log else 0.05 * (abs(high) or 1.0))
    low, high = low - pad, high + pad
    return (float(10.0**low), float(10.0**high)) if log else (low, high)


def limits_without_outliers(values: NDArray[np.floating], *, margin: float = 0.08) -> Limits:
    """Return limits that hold most values, so that one far away doesn't take the plot from all others.

    Where all but the outermost 2 % at either end (at least one value) would have less than `OUTLIER_SHARE` of the axis,
    the limits hold only what lies within half their span of them; else all values.

    Parameters
    ----------
    values
        (N,) float; what is not finite is left out.
    margin
        As in `limits_of`.
    """
    finite = np.sort(np.asarray(values, np.float64)[np.isfinite(values)])
    if finite.size < _FEWEST:
        return limits_of([finite], margin=margin)
    beyond = max(1, round(_OUTER_SHARE * finite.size))
    low, high = finite[beyond], finite[-1 - beyond]
    span = high - low
    if 0 < span < OUTLIER_SHARE * (finite[-1] - finite[0]):
        finite = finite[(finite >= low - 0.5 * span) & (finite <= high + 0.5 * span)]
    return limits_of([finite], margin=margin)
