"""The warning of loss: what it is worth beside the object score alone, and its probability over a run's frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.dots import DotPanel, Dots, draw_dots
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    NEUTRAL,
    SINGLE_COLUMN,
    add_legend,
    new_axes,
    new_figure,
    publication_style,
)
from napari_sam2_probe.figures.timeline import frame_axis, shade_frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.analysis.loss_warning import Calibration, LossWarning

WARNING_LOOK = ("#AA3377", "D")
"""Colour and marker of all signals together."""

BASELINE_LOOK = ("#0077BB", "o")
"""Of the object score alone."""

HORIZON_COLOURS = ("#EE7733", "#AA3377", "#0077BB", "#009988")
"""Of probabilities that look further and further ahead."""

_DASHED = (0, (4, 2))


def draw_calibration(axes: Axes, curve: Calibration, *, label: bool = True) -> None:
    """Draw how often what was given some probability came true, with intervals, over the line where both are equal."""
    colour, marker = WARNING_LOOK
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.6, linestyle=_DASHED, zorder=1)
    axes.vlines(curve.predicted, curve.low, curve.high, color=colour, linewidth=0.9, zorder=2)
    axes.plot(curve.predicted, curve.observed, color=colour, marker=marker, markersize=3.2, linewidth=0.7, zorder=3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel("Predicted probability of loss")
    if label:
        axes.set_ylabel("Share that was lost")


def make_warning(warning: LossWarning, *, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure: AUROC and Brier score where the object is held, below calibration curves on all frames.

    Parameters
    ----------
    warning
        The warning.
    width
        In inches.
    """
    rows = tuple(ahead(one.horizon) for one in warning.horizons)
    judged = [one.held for one in warning.horizons]
    panels = (
        _panel("AUROC", rows, [one.auroc for one in judged], [one.auroc_baseline for one in judged], 0.5),
        _panel(
            "Brier score (lower is better)",
            rows,
            [one.brier for one in judged],
            [one.brier_baseline for one in judged],
            None,
        ),
    )
    columns = len(rows)
    with publication_style():
        figure = new_figure(width, 2.0 + width / columns)
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.4, width / columns))
        upper, lower = parts
        handles: dict[str, Artist] = {}
        for axes, panel in zip(new_axes(upper, 1, 2).flat, panels, strict=True):
            handles |= {str(handle.get_label()): handle for handle in draw_dots(axes, panel)}
            if panel is panels[1]:
                axes.tick_params(axis="y", labelleft=False)
        grid = new_axes(lower, 1, columns)
        for k, (axes, name, one) in enumerate(zip(grid.flat, rows, warning.horizons, strict=True)):
            draw_calibration(axes, one.everywhere.calibration, label=not k)
            axes.set_title(f"Calibration, {name}", loc="left")
        add_legend(figure, list(handles.values()))
    return figure


def draw_loss(
    axes: Axes,
    probabilities: Mapping[int, NDArray[np.floating]],
    *,
    threshold: float = 0.5,
) -> list[Line2D]:
    """Draw the probability of loss over frames, one line for each number of frames ahead.

    Parameters
    ----------
    axes
        Where to draw.
    probabilities
        (T,) by number of frames ahead; NaN where there is none.
    threshold
        From where on a frame is doubtful; drawn as a line.

    Returns
    -------
    list of matplotlib.lines.Line2D
        One for each number of frames ahead.
    """
    axes.axhline(threshold, color=NEUTRAL, linewidth=0.6, linestyle=_DASHED, zorder=1, label="_threshold")
    lines = []
    for colour, (horizon, values) in zip(_colours(len(probabilities)), probabilities.items(), strict=True):
        lines += axes.plot(
            np.arange(len(values)), values, color=colour, label=f"lost within {ahead(horizon)}", zorder=2
        )
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("Probability of loss")
    return lines


def make_loss(
    probabilities: Mapping[int, NDArray[np.floating]],
    *,
    region: NDArray[np.floating] | None = None,
    interjection: NDArray[np.bool_] | None = None,
    threshold: float = 0.5,
    width: float = SINGLE_COLUMN,
) -> Figure:
    """Make the figure of the probability of loss over the frames of a run, with J where it is known.

    Parameters
    ----------
    probabilities, threshold
        As in `draw_loss`.
    region
        (T,) J against true masks; None where there are none.
    interjection
        (T,) bool, the frames to shade; None for none.
    width
        In inches.
    """
    with publication_style():
        figure = new_figure(width, 2.0)
        axes = new_axes(figure)[0, 0]
        if interjection is not None:
            shade_frames(axes, interjection)
        handles = draw_loss(axes, probabilities, threshold=threshold)
        if region is not None and np.isfinite(region).any():
            handles += axes.plot(
                np.arange(len(region)), region, color="black", linewidth=0.8, linestyle=(0, (3, 1.5)), label="J"
            )
            axes.set_ylabel("Probability of loss, J")
        frame_axis(axes, max((len(values) for values in probabilities.values()), default=1))
        add_legend(figure, handles)
    return figure


def ahead(horizon: int) -> str:
    """Return how many frames ahead, in words: ``next frame``, ``next 5 frames``."""
    return "next frame" if horizon == 1 else f"next {horizon} frames"


def _colours(number: int) -> list[str]:
    return [HORIZON_COLOURS[k % len(HORIZON_COLOURS)] for k in range(number)]


def _panel(
    axis: str,
    rows: tuple[str, ...],
    all_signals: Sequence[Estimate],
    alone: Sequence[Estimate],
    reference: float | None,
) -> DotPanel:
    dots = []
    for label, estimates, look in (
        ("all signals", all_signals, WARNING_LOOK),
        ("object score alone", alone, BASELINE_LOOK),
    ):
        columns = np.array([(one.value, one.low, one.high) for one in estimates], np.float64)
        dots.append(Dots(label, columns[:, 0], columns[:, 1], columns[:, 2], look))
    limits = None if reference is None else (-0.02, 1.02)
    return DotPanel("Where the object is still held", rows, tuple(dots), axis, limits, reference)
