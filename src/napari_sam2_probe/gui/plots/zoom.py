"""Where the wheel leads: new limits of a chart; without Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.chart import limits_of

if TYPE_CHECKING:
    from napari_sam2_probe.figures.chart import Chart, Limits

LEAST_FRAMES = 3.0


def zoom(limits: Limits, about: float, factor: float, *, log: bool = False) -> Limits:
    """Return limits `factor` times as far apart with `about` where it was."""
    low, high = limits
    if log:
        low, high, about = math.log(low), math.log(high), math.log(about)
    low, high = about + factor * (low - about), about + factor * (high - about)
    return (math.exp(low), math.exp(high)) if log else (low, high)


def zoom_frames(chart: Chart, limits: Limits, about: float, factor: float) -> Limits | None:
    """Return limits of frames, never beyond the chart's own; None where all are seen."""
    low, high = zoom(limits, about, factor)
    whole_low, whole_high = chart.x_limits
    if high - low < LEAST_FRAMES:
        return limits
    if high - low >= whole_high - whole_low:
        return None
    if low < whole_low:
        low, high = whole_low, high + whole_low - low
    if high > whole_high:
        low, high = low + whole_high - high, whole_high
    return low, high


def fit_values(chart: Chart, frames: Limits) -> Limits:
    """Return limits of y that hold what lines show of some frames, within those of all frames.

    Lines that have a scale each keep it: from bottom to top means the same wherever one looks.
    """
    if not chart.y_numbers:
        return chart.y_limits
    low, high = chart.y_limits
    seen = [t.y[(t.x >= frames[0]) & (t.x <= frames[1]) & (t.y >= low) & (t.y <= high)] for t in chart.traces]
    if not any(np.isfinite(values).any() for values in seen):
        return chart.y_limits
    return limits_of(seen, log=chart.y_log)
