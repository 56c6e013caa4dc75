"""Pointers in two dimensions, their distances to the twin's, and one point a frame of an experiment, as charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.chart import Chart, ColourKey, Dots, Trace, limits_of, limits_without_outliers
from napari_sam2_probe.figures.obscuration import UNOBSCURED_COLOUR
from napari_sam2_probe.figures.series import with_looks
from napari_sam2_probe.figures.style import KIND_COLOURS, NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.figures.pointers import PointerPath

FRAME_COLOURS = "cividis"
"""The colour map of frames in time order; the colour blind see its order too."""


def paths_chart(paths: Sequence[PointerPath], explained_variance: Sequence[float] | NDArray[np.floating]) -> Chart:
    """Return pointer paths: a line a run, points in the colour of their frame, a star on each first frame.

    Points of absent frames are hollow. One far from all others lies beyond the limits, where a hint is left of it.
    """
    last = max((len(path.coordinates) for path in paths), default=1) - 1
    traces, dots = [], []
    for path, colour, width in with_looks(paths):
        x, y = np.asarray(path.coordinates, np.float64).T
        traces.append(Trace(path.label, x, y, colour, width=width))
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        absent = np.zeros(len(x), bool) if path.object_present is None else ~path.object_present
        dots.append(
            Dots(
                "",
                x[known],
                y[known],
                frame_colours(known, last),
                size=5.0,
                hollow=absent[known],
                frames=known,
                owner=path.label,
            )
        )
        dots.append(Dots("", x[known[:1]], y[known[:1]], colour, "star", 11.0, frames=known[:1], owner=path.label))
    first, second = explained_variance
    x, y = (np.concatenate([path.coordinates[:, axis] for path in paths]) for axis in (0, 1))
    return Chart(
        tuple(traces),
        (*dots, Dots("first frame", np.empty(0), np.empty(0), NEUTRAL, "star", 9.0)),
        x_limits=limits_without_outliers(x),
        y_limits=limits_without_outliers(y),
        x_label=f"First component ({100 * first:.0f} % of variance)",
        y_label=f"Second component ({100 * second:.0f} %)",
        key=ColourKey("Frame", 0, max(last, 1), FRAME_COLOURS),
    )


def frame_colours(frames: NDArray[np.integer], last: int) -> NDArray[np.uint8]:
    """Return the colours (N, 3) of frames, of a video whose last frame is `last`."""
    from matplotlib import colormaps

    colours: NDArray[np.uint8] = colormaps[FRAME_COLOURS](np.asarray(frames) / max(last, 1), bytes=True)[:, :3]
    return colours


def distance_chart(response: ObscurationResponse) -> Chart:
    """Return pointer distance to the twin against how much of the object is obscured, one point a frame."""
    percent, distance = 100 * response.obscured_fraction, response.distance
    clear = percent == 0
    frames = response.frame_index
    return Chart(
        dots=(
            Dots("frame", percent, distance, KIND_COLOURS["obscuration"], size=5.0, frames=frames),
            Dots(
                f"0 % obscured ({clear.sum()})",
                percent[clear],
                distance[clear],
                UNOBSCURED_COLOUR,
                size=8.0,
                hollow=np.ones(int(clear.sum()), bool),
                frames=frames[clear],
            ),
        ),
        x_limits=(-4.0, 104.0),
        y_limits=(0.0, limits_of([distance, np.zeros(1)])[1]),
        x_label="Object obscured (%)",
        y_label="Pointer distance to twin (L2)",
    )
