"""The values of a map over time as a chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.chart import DASHES, Chart, Trace, limits_of
from napari_sam2_probe.figures.feature_charts import prompted_marks, shades_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERIES_COLOURS = ("#0077BB", "#EE7733", "#009988", "#CC3377")
"""Of lines by their place."""


@dataclass(frozen=True)
class MapSeries:
    """What of a map is drawn over time.

    Attributes
    ----------
    values
        (T,) float by name; NaN leaves a gap.
    object_present, prompted
        (T,) bool.
    interjection
        (T,) bool, the frames to shade; None for none.
    """

    values: dict[str, NDArray[np.float64]]
    object_present: NDArray[np.bool_]
    prompted: NDArray[np.bool_]
    interjection: NDArray[np.bool_] | None = None


def map_series_chart(series: MapSeries, title: str = "", y_label: str = "") -> Chart:
    """Return the values of a map over time, one line each, on a common axis.

    Prompted frames, whose maps are of another size, are left out of the range where others have values.
    """
    names = list(series.values)
    ordinary = [series.values[name][~series.prompted] for name in names]
    known = any(np.isfinite(values).any() for values in ordinary)
    limits = limits_of(ordinary if known else list(series.values.values()))
    frames = np.arange(len(series.prompted), dtype=float)
    traces = tuple(
        Trace(name, frames, series.values[name], SERIES_COLOURS[k % len(SERIES_COLOURS)], DASHES[k % len(DASHES)], 1.6)
        for k, name in enumerate(names)
    )
    return Chart(
        traces,
        prompted_marks([series], limits[0]),
        shades_of([series], series.interjection),
        x_limits=(-0.5, max(len(frames), 1) - 0.5),
        y_limits=limits,
        title=title,
        x_label="Frame",
        y_label=y_label,
        counts_frames=True,
    )
