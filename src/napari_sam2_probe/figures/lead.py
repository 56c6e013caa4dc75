"""How far decoded centres lead the motion, with the video backwards beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import DOUBLE_COLUMN, NEUTRAL, add_legend, new_axes, new_figure, publication_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_sam2_probe.decoder.lead import LeadResult

FORWARD_COLOUR, BACKWARD_COLOUR = "#0077BB", "#EE7733"
_AXIS = "Lead along the motion\n(% of the frame's diagonal)"
_MOST_NAMES = 40


def draw_lead_of_sequences(axes: Axes, result: LeadResult) -> None:
    """Draw each sequence's lead in the video as it is and backwards, joined by a line, the largest mean on top.

    Parameters
    ----------
    axes
        Where to draw.
    result
        With at least one sequence.
    """
    order = np.argsort((result.forward + result.backward) / 2)
    rows = np.arange(len(order))
    forward, backward = 100 * result.forward[order], 100 * result.backward[order]
    axes.axvline(0, color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    axes.hlines(rows, np.minimum(forward, backward), np.maximum(forward, backward), color=NEUTRAL, linewidth=0.6)
    looks: dict[str, Any] = {"linestyle": "none", "markersize": 3.6, "markeredgewidth": 0}
    axes.plot(forward, rows, marker="o", color=FORWARD_COLOUR, label="video as it is", **looks)
    axes.plot(backward, rows, marker="s", color=BACKWARD_COLOUR, label="video backwards", **looks)
    if len(order) <= _MOST_NAMES:
        axes.set_yticks(rows, [result.sequences[k] for k in order])
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(order)} sequences")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel(_AXIS)
    axes.set_title("Sequences", loc="left")


def draw_lead_means(axes: Axes, result: LeadResult) -> None:
    """Draw the four means with their intervals: both directions of time, their half sum and half difference.

    Parameters
    ----------
    axes
        Where to draw.
    result
        With at least one sequence.
    """
    rows = (
        ("video as it is", result.forward_mean, FORWARD_COLOUR, "o"),
        ("video backwards", result.backward_mean, BACKWARD_COLOUR, "s"),
        ("with the motion\n(half the sum)", result.motion, "black", "D"),
        ("with the looks\n(half the difference)", result.looks, "black", "D"),
    )
    axes.axvline(0, color=NEUTRAL, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
    for row, (_, estimate, colour, marker) in enumerate(rows):
        axes.hlines(row, 100 * estimate.low, 100 * estimate.high, color=colour, linewidth=1.0, zorder=2)
        axes.plot([100 * estimate.value], [row], marker=marker, color=colour, markersize=4.2, markeredgewidth=0)
    axes.set_yticks(np.arange(len(rows)), [name for name, *_ in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(_AXIS)
    axes.set_title("Mean over sequences", loc="left")


def make_lead(result: LeadResult, *, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure: every sequence on the left, means with intervals on the right.

    Parameters
    ----------
    result
        With at least one sequence.
    width
        In inches; the height follows from the number of sequences.
    """
    tall = 0.13 * min(len(result.sequences), _MOST_NAMES)
    with publication_style():
        figure = new_figure(width, max(2.0, 0.9 + tall))
        left, right = new_axes(figure, 1, 2).flat
        draw_lead_of_sequences(left, result)
        draw_lead_means(right, result)
        add_legend(figure, left.get_legend_handles_labels()[0])
    return figure
