"""Causes over frames and clips: what patches bring back, what is read by age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.blame import COLOURS
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    INTERJECTION_COLOUR,
    NEUTRAL,
    add_legend,
    kind_label,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

MEASURE_LABELS = {"object_score": "object score", "predicted_iou": "predicted IoU", "J": "J"}
"""What a reader sees for the measures of patches."""

_MISSING_COLOUR = "#D9D9D9"


def draw_grid(
    axes: Axes, values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[int], limits: tuple[float, float]
) -> AxesImage:
    """Draw numbers as coloured cells, grey where there is none; every row and some columns are named."""
    import matplotlib as mpl

    colours = mpl.colormaps["viridis"].with_extremes(bad=_MISSING_COLOUR)
    shown = np.ma.masked_invalid(values)
    image = axes.imshow(shown, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    axes.set_yticks(np.arange(len(rows)), rows)
    step = max(1, -(-len(columns) // 10))
    axes.set_xticks(np.arange(0, len(columns), step), [str(c) for c in columns[::step]])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def make_recovery(
    table: pd.DataFrame,
    measures: Sequence[str],
    change: range,
    *,
    value: str = "recovered",
    rows: Sequence[str] | None = None,
    changed: Sequence[str] | None = None,
) -> Figure:
    """Make the figure of what patches bring back: position by frame, a row of panels a kind of clip.

    Parameters
    ----------
    table
        Columns kind, position, measure, frame and `value`.
    measures
        Measures to show, one column of panels each.
    change
        The changed frames, marked above the panels; empty for none.
    value
        The column that is drawn, between 0 (nothing comes back) and 1 (all does).
    rows
        Names of positions, in order; those of the table by default.
    changed
        The kinds whose clips have a change; all by default.
    """
    kinds = list(dict.fromkeys(table["kind"]))
    positions = list(dict.fromkeys(table["position"])) if rows is None else list(rows)
    frames = sorted({int(frame) for frame in table["frame"]})
    with publication_style():
        figure = new_figure(DOUBLE_COLUMN, 0.7 + len(kinds) * (0.55 + 0.13 * len(positions)))
        grid = new_axes(figure, len(kinds), len(measures), sharey=True)
        image = None
        for line, kind in zip(grid, kinds, strict=True):
            for axes, measure in zip(line, measures, strict=True):
                part = table[(table["kind"] == kind) & (table["measure"] == measure)]
                cells = part.pivot_table(index="position", columns="frame", values=value, dropna=False)
                cells = cells.reindex(index=positions, columns=frames)
                image = draw_grid(axes, cells.to_numpy(np.float64), positions, frames, (0, 1))
                if len(change) and (changed is None or kind in changed):
                    ends = (frames.index(change[0]) - 0.5, frames.index(change[-1]) + 0.5)
                    axes.plot(ends, (-0.62, -0.62), color=INTERJECTION_COLOUR, linewidth=2, clip_on=False)
                title = MEASURE_LABELS.get(measure, measure)
                axes.set_title(f"{plain_text(kind_label(kind))}: {title}" if kind else title, loc="left", pad=6)
            line[0].set_ylabel("Position")
        for axes in grid[-1]:
            axes.set_xlabel("Frame")
        assert image is not None
        bar = figure.colorbar(image, ax=grid.ravel().tolist(), extend="both", shrink=0.9, pad=0.02, aspect=30)
        bar.set_label("Share that comes back")
        bar.outline.set_visible(False)
    return figure


def make_by_age(ages: pd.DataFrame) -> Figure:
    """Make the figure of attention and effect of recent memories and pointers by their age.

    Parameters
    ----------
    ages
        As `analysis.causes.by_age` gives them.
    """
    from matplotlib.lines import Line2D

    labels = {
        "attention": "Share of attention",
        "effect": "Change of the mask without it\n(1 − IoU)",
    }
    markers = {"memory": "o", "pointer": "s"}
    with publication_style():
        figure = new_figure(DOUBLE_COLUMN, 2.3)
        [panels] = new_axes(figure, 1, 2)
        for axes, (name, label) in zip(panels, labels.items(), strict=True):
            for entry, marker in markers.items():
                rows = ages[(ages["entry"] == entry) & (ages["role"] == "recent")].sort_values("age")
                axes.plot(rows["age"], rows[name], color=COLOURS[entry], marker=marker, markersize=3.2, zorder=3)
                axes.vlines(rows["age"], rows[f"{name}_low"], rows[f"{name}_high"], color=COLOURS[entry], linewidth=0.9)
                prompted = ages[(ages["entry"] == entry) & (ages["role"] == "conditioning")]
                if len(prompted):
                    height = float(prompted[name].iloc[0])
                    axes.axhline(height, color=COLOURS[entry], linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
            axes.set_xlabel("Age in frames")
            axes.set_ylabel(label)
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        names = {"memory": "memory", "pointer": "object pointer"}
        handles = [
            Line2D([], [], color=COLOURS[entry], marker=marker, markersize=3.2, label=names[entry])
            for entry, marker in markers.items()
        ]
        handles.append(
            Line2D([], [], color=NEUTRAL, linewidth=0.8, linestyle=(0, (4, 2)), label="of the prompted frame")
        )
        add_legend(figure, handles)
    return figure
