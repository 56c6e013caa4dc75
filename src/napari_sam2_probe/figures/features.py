"""Features over time of one clip, for several positions and runs (as the paper's figure 16)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, FEATURE_LABELS, FEATURES, HEAVY_TAILED
from napari_sam2_probe.figures.log_axis import number_log_axis
from napari_sam2_probe.figures.series import Series, with_looks
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    add_legend,
    make_room_for,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)
from napari_sam2_probe.figures.timeline import (
    frame_axis,
    mark_frames,
    mark_handles,
    say_no_values,
    shade_frames,
    tracked_span,
)
from napari_sam2_probe.probe.positions import in_order, title_of
from napari_sam2_probe.probe.references import References

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

_MOST_NUMBERS = 4
"""On an axis, which is low."""


@dataclass(frozen=True)
class FeatureRun(Series):
    """The features of one object in one run.

    Attributes
    ----------
    label, kind
        As in `Series`.
    table
        The rows of one object of ``features.csv``: columns position (string), frame and
        `FEATURE_COLUMNS`; NaN where a feature is not defined.
    object_present
        (T,) bool; absent frames are marked with points.
    prompted
        (T,) bool, the frames prompted by the user.
    prompted_references
        Whether prompted frames served as references in this run.
    tracked
        (T,) bool; None for all frames. Others were never references.
    """

    table: pd.DataFrame
    object_present: NDArray[np.bool_]
    prompted: NDArray[np.bool_]
    prompted_references: bool = True
    tracked: NDArray[np.bool_] | None = None

    def values(self, position: str, feature: str) -> NDArray[np.float64]:
        """Give the (T,) values of one feature at one position, NaN for frames without a row."""
        rows = self.table[self.table["position"] == position]
        series = np.full(len(self.object_present), np.nan)
        # A table without rows has no types either.
        series[rows["frame"].to_numpy(dtype=np.intp)] = rows[feature].to_numpy(dtype=np.float64)
        return series

    def seen_through_prompt(self, feature: str) -> NDArray[np.bool_]:
        """Tell on which frames a feature's references hold a prompted frame (`prompted_in_references`)."""
        if not self.prompted_references:
            return np.zeros(len(self.object_present), dtype=bool)
        there = self.object_present if self.tracked is None else self.object_present & self.tracked
        return prompted_in_references(there, self.prompted)[feature]


def prompted_in_references(
    object_present: NDArray[np.bool_], prompted: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """Find the frames whose features compare with a prompted frame ("Prompted frames").

    The ratio compares frame i with its last reference j, and j with the reference before it: it is touched
    where either is prompted.

    Parameters
    ----------
    object_present
        (T,) bool, the frames that serve as references once they are past.
    prompted
        (T,) bool.

    Returns
    -------
    dict of numpy.ndarray
        (T,) bool by feature column.
    """
    # Whether prompted frames may be references was decided before.
    references = References(np.asarray(object_present, dtype=np.bool_))
    return {feature.column: references.holds(prompted, feature.references) for feature in FEATURES}


def draw_feature(
    axes: Axes, run: FeatureRun, position: str, feature: str, *, colour: str, linewidth: float = 1.0
) -> Line2D:
    """Draw one feature of one run over time.

    Parameters
    ----------
    axes
        Where to draw.
    run
        The run.
    position
        The position's number (``"4r"``).
    feature
        A column of ``features.csv`` (one of `FEATURE_COLUMNS`).
    colour
        A matplotlib colour.
    linewidth
        In points.

    Returns
    -------
    matplotlib.lines.Line2D
        The line; beside it absent frames have points and frames whose references hold a prompted one have
        hollow squares.
    """
    values = run.values(position, feature)
    (line,) = axes.plot(
        np.arange(len(values)), values, color=colour, linewidth=linewidth, label=plain_text(run.label), zorder=2
    )
    absent = ~np.asarray(run.object_present, dtype=bool)
    mark_frames(axes, values, absent, colour, "absent")
    mark_frames(axes, values, run.seen_through_prompt(feature) & ~absent, colour, "prompted")
    return line


def draw_features(
    grid: NDArray[Any],
    runs: Sequence[FeatureRun],
    positions: Sequence[str],
    *,
    interjection: NDArray[np.bool_] | None = None,
    log: Collection[str] = HEAVY_TAILED,
) -> None:
    """Draw all features of several runs on a grid of axes: a row a position, a column a feature.

    Parameters
    ----------
    grid
        (number of positions, 3) axes.
    runs
        Drawn over each other, in colours by kind.
    positions
        Position numbers, top to bottom.
    interjection
        (T,) bool, the frames to shade; None for none.
    log
        The features on a logarithmic axis. The long-term distance is heavy-tailed.
    """
    all_of_it = (np.ones(len(run.object_present), bool) if run.tracked is None else run.tracked for run in runs)
    first, end = tracked_span(all_of_it)
    looks = with_looks(runs)
    for row, position in zip(grid, positions, strict=True):
        for axes, feature in zip(row, FEATURE_COLUMNS, strict=True):
            if interjection is not None:
                shade_frames(axes, interjection)
            for run, colour, linewidth in looks:
                draw_feature(axes, run, position, feature, colour=colour, linewidth=linewidth)
            _scale(axes, logarithmic=feature in log)
            frame_axis(axes, end, first=first, label=axes in grid[-1])
        row[0].set_ylabel(f"Position {position}")
    for axes, title in zip(grid[0], FEATURE_LABELS.values(), strict=True):
        axes.set_title(title)


def make_features(
    runs: Sequence[FeatureRun],
    positions: Sequence[str] | None = None,
    *,
    interjection: NDArray[np.bool_] | None = None,
    log: Collection[str] = HEAVY_TAILED,
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Make the figure of `draw_features` with names of positions and a legend, `width` inches wide.

    Without `positions` it shows those of which any run has a row.
    """
    if positions is None:
        positions = in_order({number for run in runs for number in run.table["position"]})
    with publication_style():
        figure = new_figure(width, 0.6 + 0.95 * len(positions))
        grid = new_axes(figure, len(positions), len(FEATURE_COLUMNS), sharex=True)
        draw_features(grid, runs, positions, interjection=interjection, log=log)
        for axes, position in zip(grid[:, 0], positions, strict=True):
            axes.set_ylabel(textwrap.fill(f"{position}: {title_of(position)}", 14))
        figure.align_ylabels(grid[:, 0])
        seen = any(run.seen_through_prompt(feature).any() for run in runs for feature in FEATURE_COLUMNS)
        marks = mark_handles(
            absent=any(not np.all(run.object_present) for run in runs),
            prompted="compared with a prompted frame" if seen else None,
            interjected=interjection is not None and bool(np.any(interjection)),
        )
        lines = [line for line in grid[0, 0].get_lines() if not line.get_label().startswith("_")]
        make_room_for(add_legend(figure, [*lines, *marks]), figure)
    return figure


def _scale(axes: Axes, *, logarithmic: bool) -> None:
    """Set the y axis: logarithmic where asked for and there is anything above 0, else linear."""
    from matplotlib.ticker import MaxNLocator

    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines()])
    positive = values[np.isfinite(values) & (values > 0)]
    if logarithmic and positive.size:
        axes.set_yscale("log", nonpositive="mask")
        number_log_axis(axes.yaxis, *axes.get_ylim(), _MOST_NUMBERS)
    elif not positive.size and not np.isfinite(values).any():
        say_no_values(axes)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=_MOST_NUMBERS))
