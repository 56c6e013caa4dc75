"""What caused a frame's mask: attention and effect of each entry of the bank, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import (
    NEUTRAL,
    OBJECT_COLOURS,
    SINGLE_COLUMN,
    add_legend,
    new_axes,
    new_figure,
    publication_style,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"memory": OBJECT_COLOURS[4], "pointer": OBJECT_COLOURS[0], "both": NEUTRAL}
"""Colours of bars by kind of entry."""

GROUP_LABELS = {
    ("memory", "all"): "all memories",
    ("pointer", "all"): "all pointers",
    ("both", "recent"): "all recent",
    ("both", "conditioning"): "all conditioning",
    ("both", "all"): "everything",
}
"""How groups of entries are called, by kind and role."""


def entry_labels(table: pd.DataFrame) -> list[str]:
    """Return a short name for each row of a table of blame, such as ``memory 12`` or ``pointer 0, prompted``."""
    labels = []
    for kind, role, frame in zip(table["kind"], table["role"], table["entry_frame"].isna(), strict=True):
        labels.append(GROUP_LABELS[kind, role] if frame else "")
    frames = table["entry_frame"].astype("string").fillna("")
    return [
        label or f"{kind} {frame}{', prompted' if role == 'conditioning' else ''}"
        for label, kind, frame, role in zip(labels, table["kind"], frames, table["role"], strict=True)
    ]


def draw_blame(axes: Axes, table: pd.DataFrame, column: str) -> None:
    """Draw one column of a table of blame as bars, one row for each entry or group, the first on top.

    Parameters
    ----------
    axes
        Where to draw.
    table
        The rows of one frame and object, with the columns of ``blame.csv``.
    column
        The column.
    """
    values = table[column].to_numpy(float)
    rows = np.arange(len(values))
    axes.barh(rows, np.nan_to_num(values), color=[COLOURS[kind] for kind in table["kind"]], height=0.7, zorder=2)
    groups = int(table["entry_frame"].isna().sum())
    if 0 < groups < len(values):
        axes.axhline(len(values) - groups - 0.5, color=NEUTRAL, linewidth=0.6, zorder=1)
    axes.axvline(0, color=NEUTRAL, linewidth=0.6, zorder=1)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(rows, entry_labels(table))


def make_blame(table: pd.DataFrame, *, width: float = 2 * SINGLE_COLUMN) -> Figure:
    """Make the figure of one frame's blame: attention beside the change of mask and of object score.

    Parameters
    ----------
    table
        The rows of one frame and object, with the columns of ``blame.csv``.
    width
        In inches.
    """
    from matplotlib.patches import Patch

    columns = {"attention": "Share of attention", "delta_iou": "Change of IoU", "delta_score": "Change of object score"}
    with publication_style():
        figure = new_figure(width, 0.9 + 0.16 * len(table))
        panels = new_axes(figure, 1, len(columns), sharey=True)[0]
        for axes, (column, label) in zip(panels, columns.items(), strict=True):
            draw_blame(axes, table, column)
            axes.set_xlabel(label)
        kinds = [kind for kind in COLOURS if kind in set(table["kind"])]
        names = {"memory": "memory", "pointer": "object pointer", "both": "both"}
        add_legend(figure, [Patch(color=COLOURS[kind], label=names[kind]) for kind in kinds])
    return figure
