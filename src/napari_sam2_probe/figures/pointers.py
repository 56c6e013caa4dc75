"""Object pointers in two dimensions (the paper's figures 9 and 13)."""

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
    prompted
        (T,) bool; pointers of prompted frames lie far from all others and don't decide what range is shown. One that
        falls outside has its star on the border. None: they are like others.
    obscured
        (T,) float in [0, 1], how much of the object is covered. Given, frames are coloured in time order, and the
        larger the more is covered; the rim has the colour of the run.
    """

    coordinates: NDArray[np.floating]
    object_present: NDArray[np.bool_] | None = None
    prompted: NDArray[np.bool_] | None = None
    obscured: NDArray[np.floating] | None = None


TIME_COLOURS = "viridis"
"""Colours of frames in time order."""

_SIZES = (9.0, 70.0)
"""Area in points of a frame's mark where nothing and where all of the object is covered."""


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
    _set_range(axes, paths)
    lines = [_draw_path(axes, path, colour, linewidth - 0.2) for path, colour, linewidth in with_looks(paths)]
    first, second = explained_variance
    axes.set_xlabel(f"First component ({100 * first:.0f} % of variance)")
    axes.set_ylabel(f"Second component ({100 * second:.0f} % of variance)")
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
        timed = [path for path in paths if path.obscured is not None]
        if timed:
            handles += [
                Line2D([], [], linestyle="none", marker="o", color="0.35", markersize=_SIZES[k] ** 0.5, label=label)
                for k, label in enumerate(("nothing covered", "all covered"))
            ]
            _add_time_bar(figure, axes, max(len(path.coordinates) for path in timed))
        make_room_for(add_legend(figure, handles), figure)
    return figure


def _add_time_bar(figure: Figure, axes: Axes, num_frames: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(ScalarMappable(Normalize(0, num_frames - 1), TIME_COLOURS), ax=axes, pad=0.02, aspect=35)
    bar.set_label("Frame")
    bar.outline.set_linewidth(0)


def _set_range(axes: Axes, paths: Sequence[PointerPath]) -> None:
    """Show the range of all pointers but those of prompted frames, which lie far away."""
    parts = []
    for path in paths:
        xy = np.asarray(path.coordinates, dtype=np.float64)
        shown = np.isfinite(xy).all(axis=1)
        if path.prompted is not None and (shown & ~path.prompted).any():
            shown &= ~path.prompted
        parts.append(xy[shown])
    points = np.concatenate(parts) if parts else np.empty((0, 2))
    if not len(points):
        return
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, 0.07 * (high - low), 0.5)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])


def _within(axes: Axes, point: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point, or where the way to it from an inner one leaves the axes."""
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    way = point - inner
    beyond = np.where(way > 0, limits[:, 1], limits[:, 0]) - inner
    shares = np.divide(beyond, way, out=np.ones(2), where=way != 0)
    share = max(float(shares.min()), 0.0)
    result: NDArray[np.float64] = point if share >= 1 else inner + share * way
    return result


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
        markersize=0.0 if path.obscured is not None else size,
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
    if path.obscured is not None and known.size:
        covered = np.nan_to_num(np.asarray(path.obscured, dtype=np.float64)[known])
        axes.scatter(
            xy[known, 0],
            xy[known, 1],
            s=_SIZES[0] + covered * (_SIZES[1] - _SIZES[0]),
            c=known,
            cmap=TIME_COLOURS,
            vmin=0,
            vmax=max(len(xy) - 1, 1),
            edgecolor=colour,
            linewidth=0.9,
            label="_frames",
            zorder=3,
        )
    if known.size:
        # On the border where the first frame, a prompted one, lies outside of what is shown.
        axes.plot(
            *_within(axes, xy[known[0]], xy[known[min(1, len(known) - 1)]])[:, None],
            clip_on=False,
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
