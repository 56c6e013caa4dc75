"""Object score and mask quality over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.series import Series, with_looks
from napari_sam2_probe.figures.style import (
    NEUTRAL,
    SINGLE_COLUMN,
    add_legend,
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray


_DASHED = (0, (3, 1.5))


@dataclass(frozen=True)
class ScoreRun(Series):
    """What SAM 2 thought of its own masks for one object in one run.

    Attributes
    ----------
    label, kind
        As in `Series`.
    object_scores
        (T,) float, logits; above 0 SAM 2 takes the object to be in the frame. NaN where nothing ran.
    predicted_iou
        (T,) float in [0, 1], NaN where there is none (mask prompts).
    object_present
        (T,) bool; absent frames are marked with points.
    prompted
        (T,) bool; on a mask prompt the score is a fixed ±10 and says nothing.
    iou
        (T,) float in [0, 1], IoU of the predicted mask with ground truth; None where it is not known.
    """

    object_scores: NDArray[np.floating]
    predicted_iou: NDArray[np.floating]
    object_present: NDArray[np.bool_]
    prompted: NDArray[np.bool_]
    iou: NDArray[np.floating] | None = None


def draw_object_scores(axes: Axes, runs: Sequence[ScoreRun]) -> list[Line2D]:
    """Draw object scores over time: points on absent frames, hollow squares on prompted ones.

    Parameters
    ----------
    axes
        Where to draw.
    runs
        Drawn over each other, in colours by kind.

    Returns
    -------
    list of matplotlib.lines.Line2D
        The line of each run.
    """
    axes.axhline(0, color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1, label="_threshold")
    lines = [
        _draw_line(axes, run, run.object_scores, colour, linewidth, prompted=run.prompted)
        for run, colour, linewidth in with_looks(runs)
    ]
    axes.set_ylabel("Object score (logit)")
    return lines


def draw_iou(axes: Axes, runs: Sequence[ScoreRun]) -> list[Line2D]:
    """Draw over time the IoU that SAM 2 predicts, and dashed the IoU with ground truth where it is known.

    Parameters
    ----------
    axes
        Where to draw.
    runs
        Drawn over each other, in colours by kind.

    Returns
    -------
    list of matplotlib.lines.Line2D
        For each run the predicted line, then the true one where there is one.
    """
    lines = []
    for run, colour, linewidth in with_looks(runs):
        lines.append(_draw_line(axes, run, run.predicted_iou, colour, linewidth))
        if run.iou is not None:
            (truth,) = axes.plot(
                np.arange(len(run.iou)),
                run.iou,
                color=colour,
                linewidth=linewidth,
                linestyle=_DASHED,
                label="_true",
                zorder=2,
            )
            lines.append(truth)
    if not any(np.isfinite(np.asarray(line.get_ydata(), dtype=np.float64)).any() for line in lines):
        say_no_values(axes)
    axes.set_ylim(-0.04, 1.04)
    axes.set_ylabel("IoU")
    return lines


def make_scores(
    runs: Sequence[ScoreRun],
    *,
    interjection: NDArray[np.bool_] | None = None,
    width: float = SINGLE_COLUMN,
) -> Figure:
    """Make the figure of object scores above IoU over time, with a legend.

    Parameters
    ----------
    runs
        At least one.
    interjection
        (T,) bool, the frames to shade; None for none.
    width
        In inches.
    """
    with publication_style():
        figure = new_figure(width, 3.0)
        score_axes, iou_axes = new_axes(figure, 2, 1, sharex=True)[:, 0]
        for axes in (score_axes, iou_axes):
            if interjection is not None:
                shade_frames(axes, interjection)
        lines = draw_object_scores(score_axes, runs)
        draw_iou(iou_axes, runs)
        first, end = tracked_span(np.isfinite(run.object_scores) for run in runs)
        frame_axis(score_axes, end, first=first, label=False)
        frame_axis(iou_axes, end, first=first)
        figure.align_ylabels([score_axes, iou_axes])
        marks = mark_handles(
            absent=any(not np.all(run.object_present) for run in runs),
            prompted="prompted frame" if any(np.any(run.prompted) for run in runs) else None,
            interjected=interjection is not None and bool(np.any(interjection)),
        )
        add_legend(figure, [*lines, *_quality_handles(runs), *marks])
    return figure


def _draw_line(
    axes: Axes,
    run: ScoreRun,
    values: NDArray[np.floating],
    colour: str,
    linewidth: float,
    prompted: NDArray[np.bool_] | None = None,
) -> Line2D:
    """Draw one line over frames with its marks on absent and on prompted frames."""
    (line,) = axes.plot(
        np.arange(len(values)), values, color=colour, linewidth=linewidth, label=plain_text(run.label), zorder=2
    )
    mark_frames(axes, values, ~np.asarray(run.object_present, dtype=bool), colour, "absent")
    if prompted is not None:
        mark_frames(axes, values, prompted, colour, "prompted")
    return line


def _quality_handles(runs: Sequence[ScoreRun]) -> list[Line2D]:
    """Make legend entries for the two kinds of IoU, needed only where both are drawn."""
    from matplotlib.lines import Line2D

    if all(run.iou is None for run in runs):
        return []
    return [
        Line2D([], [], color="0.35", label="IoU predicted"),
        Line2D([], [], color="0.35", linestyle=_DASHED, label="IoU with ground truth"),
    ]
