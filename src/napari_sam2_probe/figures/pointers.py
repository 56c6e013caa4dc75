"""Object pointers in two dimensions (the paper's figures 9 and 13; SPEC 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.series import Series, with_looks
from napari_sam2_probe.figures.style import (
    SINGLE_COLUMN,
    add_legend,
    make_room_for,
    new_axes,
    new_figure,
    plain_text,
    publication_style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PointerPath(Series):
    """The object pointers of one run, projected.

    Attributes
    ----------
    label, kind
        As in `Series`.
    coordinates
        (T, 2) float, in frame order; NaN rows where there is no pointer.
    object_present
        (T,) bool; absent frames are drawn hollow. None: present in all.
    """

    coordinates: NDArray[np.floating]
    object_present: NDArray[np.bool_] | None = None


def draw_pointer_paths(
    axes: Axes, paths: Sequence[PointerPath], explained_variance: Sequence[float] | NDArray[np.floating]
) -> list[Line2D]:
    """Draw pointer paths in time order with a star on each first frame.

    Parameters
    ----------
    axes
        Where to draw.
    paths
        The runs, projected on the same two components.
    explained_variance
        The share of variance of the first and of the second component, in [0, 1].

    Returns
    -------
    list of matplotlib.lines.Line2D
        The line of each path, in the order given.
    """
    lines = [_draw_path(axes, path, colour, linewidth - 0.2) for path, colour, linewidth in with_looks(paths)]
    first, second = explained_variance
    axes.set_xlabel(f"First component ({100 * first:.0f} % of variance)")
    axes.set_ylabel(f"Second component ({100 * second:.0f} % of variance)")
    axes.margins(0.07)
    return lines


def make_pointer_paths(
    paths: Sequence[PointerPath],
    explained_variance: Sequence[float] | NDArray[np.floating],
    *,
    width: float = SINGLE_COLUMN,
) -> Figure:
    """Make the figure of `draw_pointer_paths` with its legend, `width` inches wide."""
    from matplotlib.lines import Line2D

    with publication_style():
        figure = new_figure(width, 0.85 * width)
        axes = new_axes(figure)[0, 0]
        lines = draw_pointer_paths(axes, paths, explained_variance)
        handles = [
            *lines,
            Line2D([], [], linestyle="none", marker="*", markersize=7, color="0.35", label="first frame"),
        ]
        if any(_absent(p).any() for p in paths):
            handles.append(
                Line2D(
                    [], [], linestyle="none", marker="o", color="0.35", markerfacecolor="white", label="object absent"
                )
            )
        make_room_for(add_legend(figure, handles), figure)
    return figure


def _absent(path: PointerPath) -> NDArray[np.bool_]:
    if path.object_present is None:
        return np.zeros(len(path.coordinates), dtype=bool)
    absent: NDArray[np.bool_] = ~path.object_present
    return absent


def _draw_path(axes: Axes, path: PointerPath, colour: str, linewidth: float) -> Line2D:
    """Draw one path: the line with its frames, hollow where the object is absent, and the star."""
    xy = np.asarray(path.coordinates, dtype=np.float64)
    size = (1.8 if len(xy) <= 60 else 0.8) + 1.8 * linewidth
    absent = _absent(path)
    (line,) = axes.plot(
        xy[:, 0],
        xy[:, 1],
        color=colour,
        linewidth=linewidth,
        marker="o",
        markersize=size,
        markeredgewidth=0,
        markevery=np.flatnonzero(~absent).tolist(),
        label=plain_text(path.label),
        zorder=2,
    )
    axes.plot(
        xy[absent, 0],
        xy[absent, 1],
        linestyle="none",
        marker="o",
        markersize=size,
        markerfacecolor=axes.get_facecolor(),
        markeredgecolor=colour,
        label="_absent",
        zorder=3,
    )
    known = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if known.size:
        axes.plot(
            *xy[known[:1]].T,
            linestyle="none",
            marker="*",
            markersize=9,
            color=colour,
            markeredgecolor=axes.get_facecolor(),
            markeredgewidth=0.5,
            label="_first",
            zorder=4,
        )
    return line
