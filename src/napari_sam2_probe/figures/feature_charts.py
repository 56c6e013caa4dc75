"""Features over time as charts: the positions as lines of one plot, or a row a position and a column a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, FEATURE_LABELS, HEAVY_TAILED
from napari_sam2_probe.common.stretches import stretches_of
from napari_sam2_probe.figures.chart import DASHES, PROMPTED, Chart, Dash, Dots, Limits, Shade, Trace, limits_of
from napari_sam2_probe.figures.series import with_looks
from napari_sam2_probe.figures.style import INTERJECTION_COLOUR, NEUTRAL
from napari_sam2_probe.figures.timeline import tracked_span
from napari_sam2_probe.probe.positions import POSITIONS, title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.figures.features import FeatureRun

POSITION_COLOURS = ("#0077BB", "#EE7733", "#009988", "#CC3377", "#E39BB4", "#A8A032", "#D6CE7A", "#8B5FBF")
"""Of lines by their position's place in the table, an ungated one in a lighter tone; then from the start again."""

_ENOUGH = 0.5
"""Of the values that a scale must hold."""


class OverTime(Protocol):
    """What a chart over time marks of a run: (T,) bool each."""

    @property
    def object_present(self) -> NDArray[np.bool_]:
        """The frames on which the object is there."""

    @property
    def prompted(self) -> NDArray[np.bool_]:
        """The frames that the user prompted."""


def position_colour(number: str) -> str:
    """Return the colour of a position's lines."""
    numbers = [position.number for position in POSITIONS]
    return POSITION_COLOURS[(numbers.index(number) if number in numbers else 0) % len(POSITION_COLOURS)]


def positions_chart(
    runs: Sequence[FeatureRun],
    positions: Sequence[str],
    feature: str,
    *,
    own_scales: bool = True,
    log: bool = False,
    interjection: NDArray[np.bool_] | None = None,
) -> Chart:
    """Return one feature over time: a line a position, of several runs in several dashes.

    Parameters
    ----------
    runs
        The runs.
    positions
        Numbers of positions.
    feature
        A column of ``features.csv``.
    own_scales
        Whether each position goes from bottom to top by itself, the same in all runs; else they share an axis with
        numbers.
    log
        Whether the values are on a logarithmic scale.
    interjection
        (T,) bool, the frames to shade; None for none.
    """
    scales = {number: _limits(runs, [number], feature, log=log) for number in positions}
    shared = _limits(runs, positions, feature, log=log)
    traces, dots = [], []
    for run, dash in zip(runs, _dashes(len(runs)), strict=True):
        for number in positions:
            values, colour = run.values(number, feature), position_colour(number)
            y = _share(values, scales[number], log=log) if own_scales else values
            title = f"{number} {title_of(number)}"
            label, short = (title, number) if len(runs) == 1 else (f"{title} · {run.label}", f"{number} · {run.label}")
            frames = np.arange(len(values))
            traces.append(Trace(label, frames.astype(float), y, colour, dash, 1.6, values, short))
            dots.append(_absent(run, frames, y, colour))
    prompted = prompted_marks(runs, 0.0 if own_scales else shared[0])
    return Chart(
        traces=tuple(traces),
        dots=(*dots, *prompted),
        shades=shades_of(runs, interjection),
        x_limits=_tracked(runs),
        y_limits=(0.0, 1.0) if own_scales else shared,
        x_label="Frame",
        y_label="own scale each" if own_scales else FEATURE_LABELS[feature],
        counts_frames=True,
        y_log=log and not own_scales,
        y_numbers=not own_scales,
    )


def all_charts(
    runs: Sequence[FeatureRun],
    positions: Sequence[str],
    *,
    log: Collection[str] = HEAVY_TAILED,
    interjection: NDArray[np.bool_] | None = None,
) -> list[list[Chart]]:
    """Return a chart a position (rows) and feature (columns), with the runs as lines."""
    shades, looks = shades_of(runs, interjection), with_looks(runs)
    grid = []
    for row, number in enumerate(positions):
        charts = []
        for column, feature in enumerate(FEATURE_COLUMNS):
            limits, traces, dots = _limits(runs, [number], feature, log=feature in log), [], []
            for run, colour, width in looks:
                values, frames = run.values(number, feature), np.arange(len(run.object_present))
                traces.append(Trace(run.label, frames.astype(float), values, colour, width=1.3 * width))
                dots.append(_absent(run, frames, values, colour))
            charts.append(
                Chart(
                    tuple(traces),
                    (*dots, *prompted_marks(runs, limits[0])),
                    shades,
                    x_limits=_tracked(runs),
                    y_limits=limits,
                    title=FEATURE_LABELS[feature] if row == 0 else "",
                    x_label="Frame" if row == len(positions) - 1 else "",
                    y_label=f"{number} {title_of(number)}" if column == 0 else "",
                    counts_frames=True,
                    y_log=feature in log,
                )
            )
        grid.append(charts)
    return grid


def shades_of(runs: Sequence[OverTime], interjection: NDArray[np.bool_] | None) -> tuple[Shade, ...]:
    """Return the shades of interjected frames, and of other frames without the object in any run."""
    absent = np.zeros(_num_frames(runs), bool)
    for run in runs:
        absent[: len(run.object_present)] |= ~run.object_present
    shades = []
    if interjection is not None and interjection.any():
        shades.append(Shade("interjection", _spans(interjection), INTERJECTION_COLOUR))
        absent[: len(interjection)] &= ~interjection[: len(absent)]
    if absent.any():
        shades.append(Shade("object absent", _spans(absent), NEUTRAL))
    return tuple(shades)


def _absent(run: FeatureRun, frames: NDArray[np.integer], y: NDArray[np.float64], colour: str) -> Dots:
    where = ~np.asarray(run.object_present, bool)
    return Dots("", frames[where].astype(float), y[where], colour, size=3.2, frames=frames[where])


def prompted_marks(runs: Sequence[OverTime], bottom: float) -> tuple[Dots, ...]:
    """Return a mark at the bottom of a chart for each frame that is prompted in any run."""
    frames = np.unique(np.concatenate([np.flatnonzero(run.prompted) for run in runs]))
    if not frames.size:
        return ()
    at = np.full(frames.size, bottom)
    return (Dots(PROMPTED, frames.astype(float), at, NEUTRAL, "triangle", 6.0, frames=frames),)


def _limits(runs: Sequence[FeatureRun], positions: Sequence[str], feature: str, *, log: bool) -> Limits:
    """Return what a scale holds.

    Prompted frames, and those that are compared with one, have values of another size: they are left out where others
    remain.
    """
    values = [(run.values(number, feature), run) for run in runs for number in positions]
    for left_out in (_touched_by_prompts(feature), _prompted_frames):
        kept = [one[~left_out(run)] for one, run in values]
        if (
            sum(np.isfinite(one).sum() for one in kept)
            >= _ENOUGH * sum(np.isfinite(one).sum() for one, _ in values)
            > 0
        ):
            return limits_of(kept, log=log)
    return limits_of([one for one, _ in values], log=log)


def _touched_by_prompts(feature: str) -> Callable[[FeatureRun], NDArray[np.bool_]]:
    return lambda run: run.prompted | run.seen_through_prompt(feature)


def _prompted_frames(run: FeatureRun) -> NDArray[np.bool_]:
    return run.prompted


def _share(values: NDArray[np.float64], limits: Limits, *, log: bool) -> NDArray[np.float64]:
    """Where values lie between limits, from 0 to 1; beyond them also below and above."""
    low, high = limits
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log10(values), np.nan)
        low, high = np.log10(low), np.log10(high)
    shares: NDArray[np.float64] = (values - low) / (high - low)
    return shares


def _dashes(number: int) -> list[Dash]:
    return [DASHES[k % len(DASHES)] for k in range(number)]


def _spans(flags: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    return tuple((first - 0.5, last + 0.5) for first, last in stretches_of(flags))


def _tracked(runs: Sequence[FeatureRun]) -> Limits:
    """Return the limits that hold the frames which any run has tracked; all frames where none has."""
    first, end = tracked_span(
        np.ones(len(run.object_present), bool) if run.tracked is None else run.tracked for run in runs
    )
    return first - 0.5, max(end, first + 1) - 0.5


def _num_frames(runs: Sequence[OverTime]) -> int:
    return max((len(run.object_present) for run in runs), default=0)
