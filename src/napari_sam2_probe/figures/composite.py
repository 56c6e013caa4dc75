"""The composite of the observation positions of one frame (the paper's figures 7, 8, 11 and 12)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.figures.maps import display_limits, draw_map
from napari_sam2_probe.figures.overlays import DrawnPrompts, draw_prompts, outline_mask, show_frame
from napari_sam2_probe.figures.style import (
    DOUBLE_COLUMN,
    new_axes,
    new_figure,
    object_colour,
    plain_text,
    publication_style,
)
from napari_sam2_probe.probe.positions import STATISTICS, Statistic, base_number, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Outline = Literal["frame", "all"]
Limits = dict[tuple[str, Statistic], tuple[float, float]]
"""Display limits (low, high) by position number (``"0"`` is the frame) and statistic."""


@dataclass(frozen=True)
class MapPair:
    """The two channel statistics of one position on one frame.

    Attributes
    ----------
    position
        The position's number, such as ``"1"`` or ``"5r"``.
    mean, variance
        (h, w) float, channel-wise mean and population variance over the model's square input; all NaN where
        the stage did not run.
    status
        Why there is nothing, or what is out of the ordinary (``"the plain image feature"``), in words for the
        reader; empty for an ordinary value. Shown in the panel where the maps are NaN, else as a footnote.
    """

    position: str
    mean: NDArray[np.floating]
    variance: NDArray[np.floating]
    status: str = ""


@dataclass(frozen=True)
class Composite:
    """One frame and what SAM 2 made of it.

    Attributes
    ----------
    frame
        (H, W, 3) uint8 RGB.
    maps
        The positions to show beside it, left to right.
    label
        What tells this frame from others in one figure (``"Clean"``, ``"Obscured"``).
    mask
        (H, W) bool, outlined; None for no outline.
    prompts
        Drawn on the frame; None where the frame was not prompted.
    object_id
        The object that is tracked, 1 and up; chooses a colour.
    frame_idx
        Which frame of its video it is; None where that says nothing.
    """

    frame: NDArray[np.uint8]
    maps: tuple[MapPair, ...]
    label: str = ""
    mask: NDArray[np.bool_] | None = None
    prompts: DrawnPrompts | None = None
    object_id: int = 1
    frame_idx: int | None = None


def frame_variance(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the population variance over RGB of a frame, position 0's own channel variance.

    Parameters
    ----------
    frame
        (H, W, 3) uint8.

    Returns
    -------
    numpy.ndarray
        (H, W) float32, of intensities in [0, 1].
    """
    # In whole numbers: a grey frame has a variance of exactly 0, not of rounding noise in full contrast.
    rgb = frame.astype(np.int64)
    nine_variances = 3 * (rgb**2).sum(axis=-1) - rgb.sum(axis=-1) ** 2
    variance: NDArray[np.float32] = (nine_variances / (9 * 255**2)).astype(np.float32)
    return variance


def shared_limits(composites: Sequence[Composite]) -> Limits:
    """Choose display limits that panels of one position share over several composites.

    A gated position and its ungated twin (5 and 5r) share theirs too, so that the gate is what is seen.

    Returns
    -------
    dict
        Limits by position number and statistic, for `draw_composite`.
    """
    limits: Limits = {}
    shown = {p.position for c in composites for p in c.maps}
    for number in shown:
        kin = [p for c in composites for p in c.maps if base_number(p.position) == base_number(number)]
        for statistic in STATISTICS:
            found = display_limits(getattr(p, statistic) for p in kin)
            if found is not None:
                limits[number, statistic] = found
    frames = display_limits(frame_variance(c.frame) for c in composites)
    if frames is not None:
        limits["0", "variance"] = frames
    return limits


def draw_composite(
    grid: NDArray[Any],
    composite: Composite,
    *,
    limits: Limits | None = None,
    smooth: bool = False,
    outline: Outline = "frame",
) -> None:
    """Draw a composite on a grid of axes: the frame and mean maps above, the variances below.

    Parameters
    ----------
    grid
        (2, 1 + number of maps) axes.
    composite
        What to draw.
    limits
        Display limits by position and statistic; a panel without any has its own.
    smooth
        As in `draw_map`.
    outline
        Where the mask is outlined: on the frame alone, or on the maps as well (it hides what lies under it).
    """
    limits = limits or {}
    size = composite.frame.shape[0], composite.frame.shape[1]
    show_frame(grid[0, 0], composite.frame)
    draw_map(
        grid[1, 0],
        frame_variance(composite.frame),
        size,
        statistic="variance",
        limits=limits.get(("0", "variance")),
        smooth=True,
    )
    for column, pair in enumerate(composite.maps, start=1):
        for row, statistic in enumerate(STATISTICS):
            draw_map(
                grid[row, column],
                getattr(pair, statistic),
                size,
                statistic=statistic,
                limits=limits.get((pair.position, statistic)),
                smooth=smooth,
                status=pair.status,
            )
    if composite.mask is not None:
        outline_mask(grid[0, 0], composite.mask, object_colour(composite.object_id), linewidth=0.6)
        if outline == "all":
            for axes in grid.flat[1:]:
                outline_mask(axes, composite.mask, "white", linewidth=0.4)
    if composite.prompts is not None:
        draw_prompts(grid[0, 0], composite.prompts, object_id=composite.object_id)


def make_composite(
    composites: Sequence[Composite],
    *,
    contrast: Literal["own", "shared"] = "own",
    smooth: bool = False,
    outline: Outline = "frame",
    width: float = DOUBLE_COLUMN,
) -> Figure:
    """Make the figure of one or several composites below each other (clean above obscured, as figures 7 and 8).

    Parameters
    ----------
    composites
        What to draw; all show the same positions.
    contrast
        ``"own"``: each panel has its own display limits. ``"shared"``: a position has the same in all
        composites (`shared_limits`).
    smooth
        As in `draw_map`.
    outline
        As in `draw_composite`.
    width
        In inches; the height follows from the video's shape.

    Raises
    ------
    ValueError
        If there is nothing to draw or the composites show different positions.
    """
    shown = {tuple(p.position for p in c.maps) for c in composites}
    if len(shown) != 1:
        raise ValueError(f"composites must show the same positions, and here are {sorted(shown)}")
    numbers = ["0", *shown.pop()]
    with publication_style():
        # Every size is known beforehand, so the panels are laid out in inches, with no gap left to chance.
        gap, bar_room, line = 0.06, 0.2, 0.125
        names = [_name(c, with_frame=len({c.frame_idx for c in composites}) > 1) for c in composites]
        left = 0.08 + line * (2 if any(names) else 1)
        panel_width = (width - left - gap * len(numbers)) / len(numbers)
        frames = {c.frame_idx for c in composites}
        same_frame = frames.pop() if len(frames) == 1 else None
        titles = [_title(number, panel_width, same_frame) for number in numbers]
        top = 0.08 + line * max(title.count("\n") + 1 for title in titles)
        panel_heights = [panel_width * c.frame.shape[0] / c.frame.shape[1] for c in composites for _ in STATISTICS]
        footnotes = _footnotes(composites)
        notes = [f"{mark} {status}" for status, mark in footnotes.items()]
        notes = [part for note in notes for part in textwrap.wrap(note, int(width * 72 / _LETTER))]
        bottom = bar_room + line * len(notes)
        height = top + sum(panel_heights) + bar_room * (len(panel_heights) - 1) + bottom
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        grid = new_axes(
            figure,
            len(panel_heights),
            len(numbers),
            height_ratios=panel_heights,
            gridspec_kw={
                "left": left / width,
                "right": 1 - gap / width,
                "top": 1 - top / height,
                "bottom": bottom / height,
                "wspace": gap / panel_width,
                "hspace": bar_room / np.mean(panel_heights),
            },
        )
        limits = shared_limits(composites) if contrast == "shared" else None
        for k, composite in enumerate(composites):
            rows = grid[2 * k : 2 * k + 2]
            draw_composite(rows, composite, limits=limits, smooth=smooth, outline=outline)
            letters = max(int(panel_heights[2 * k] * 72 / _LETTER), 1)
            label = plain_text(textwrap.shorten(names[k], letters, placeholder="…"))
            for axes, statistic in zip(rows[:, 0], STATISTICS, strict=True):
                axes.set_ylabel("\n".join(line for line in (label, statistic.capitalize()) if line))
            for column, pair in enumerate(composite.maps, start=1):
                if pair.status in footnotes and _has_values(pair):
                    _mark_panels(rows[:, column], footnotes[pair.status])
        for axes, title in zip(grid[0], titles, strict=True):
            axes.set_title(title)
        figure.text(left / width, 0.04 / height, "\n".join(notes), ha="left", va="bottom", fontsize=6)
    return figure


_LETTER = 4.3
"""Mean width in points of a letter of the 7 point font."""


def _has_values(pair: MapPair) -> bool:
    return bool(np.isfinite(pair.mean).any())


def _footnotes(composites: Sequence[Composite]) -> dict[str, str]:
    """Choose a footnote mark for each status of maps that are there but out of the ordinary."""
    statuses = dict.fromkeys(p.status for c in composites for p in c.maps if p.status and _has_values(p))
    return {status: "†‡§¶"[k % 4] * (1 + k // 4) for k, status in enumerate(statuses)}


def _mark_panels(panels: NDArray[Any], mark: str) -> None:
    """Write a footnote mark into the corner of panels, readable on any colour."""
    from matplotlib import patheffects

    edge = [patheffects.withStroke(linewidth=1.4, foreground="black")]
    for axes in panels:
        axes.annotate(
            mark,
            (1, 1),
            xycoords="axes fraction",
            xytext=(-2, -2),
            textcoords="offset points",
            ha="right",
            va="top",
            color="white",
            path_effects=edge,
        )


def _name(composite: Composite, *, with_frame: bool) -> str:
    """Return what a composite is called beside its rows; its frame too, where not all show the same."""
    if not with_frame or composite.frame_idx is None:
        return composite.label
    # The frame first: a long name is cut at its end.
    return f"Frame {composite.frame_idx} {composite.label}".rstrip()


def _title(number: str, panel_width: float, frame_idx: int | None) -> str:
    """Write a position's number and name in lines that fit a panel `panel_width` inches wide."""
    frame = "Frame" if frame_idx is None else f"Frame {frame_idx}"
    name = frame if number == "0" else title_of(number)
    return "\n".join([f"Position {number}", *textwrap.wrap(name, int(panel_width * 72 / _LETTER))])
