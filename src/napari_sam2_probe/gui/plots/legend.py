"""The legend of charts: entries that are laid out in rows above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.figures.style import NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.figures.chart import Chart, Dash, Shape

HANDLE, GAP, ROW = 20, 12, 15
"""Pixels of an entry's mark, after an entry, and of a row."""

MOST_ROWS = 2


@dataclass(frozen=True)
class Entry:
    """A mark and its name.

    Attributes
    ----------
    label, short
        The name, and what is left of it where there is little room.
    colour
        ``#rrggbb``.
    mark
        A dash, a shape, or ``"shade"``.
    hollow
        Whether a shape is an outline.
    """

    label: str
    short: str
    colour: str
    mark: Dash | Shape | str
    hollow: bool = False


@dataclass(frozen=True)
class Placed:
    """An entry in its place: pixels from the top left, and the text that fits."""

    entry: Entry
    text: str
    x: float
    y: float


def entries_of(charts: Sequence[Chart]) -> list[Entry]:
    """Return what the legend of some charts holds, each name once."""
    found: dict[str, Entry] = {}
    for chart in charts:
        for trace in chart.traces:
            if trace.listed:
                short = trace.short or trace.label
                found.setdefault(trace.label, Entry(trace.label, short, trace.colour, trace.dash))
        for dots in chart.dots:
            if dots.label:
                colour = dots.colours if isinstance(dots.colours, str) else NEUTRAL
                hollow = dots.hollow is not None and bool(dots.hollow.all()) and len(dots.hollow) > 0
                found.setdefault(dots.label, Entry(dots.label, dots.label, colour, dots.shape, hollow))
        for shade in chart.shades:
            if shade.spans:
                found.setdefault(shade.label, Entry(shade.label, shade.label, shade.colour, "shade"))
    return list(found.values())


def place_entries(
    entries: Sequence[Entry], width: float, text_width: Callable[[str], float]
) -> tuple[list[Placed], int]:
    """Lay entries out in as few rows as there must be, with short names where long ones need more than `MOST_ROWS`.

    Parameters
    ----------
    entries
        What to lay out.
    width
        Pixels of room.
    text_width
        Gives the pixels that a text takes.

    Returns
    -------
    placed, rows
        Every entry, and how many rows they fill.
    """
    for texts in ([entry.label for entry in entries], [entry.short for entry in entries]):
        placed, rows = _flow(entries, texts, width, text_width)
        if rows <= MOST_ROWS:
            break
    return placed, rows


def _flow(
    entries: Sequence[Entry], texts: Sequence[str], width: float, text_width: Callable[[str], float]
) -> tuple[list[Placed], int]:
    placed, x, row = [], 0.0, 0
    for entry, text in zip(entries, texts, strict=True):
        takes = HANDLE + text_width(text) + GAP
        if x > 0 and x + takes - GAP > width:
            x, row = 0.0, row + 1
        placed.append(Placed(entry, text, x, float(row * ROW)))
        x += takes
    return placed, row + 1 if entries else 0
