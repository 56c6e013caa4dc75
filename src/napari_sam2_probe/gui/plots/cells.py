"""Where the cells of a composite lie in a widget: pairs of pictures in as many columns as can be read; without Qt."""

from __future__ import annotations

from dataclasses import dataclass

MARGIN, GAP = 4.0, 8.0
LABEL, TITLE, BAR = 14.0, 17.0, 16.0
"""Pixels left of a row for its name, above a column for its title, and below a picture for its colour bar."""

NARROWEST, WIDEST = 92.0, 240.0
"""Pixels of a picture's width: narrower ones go to another row, and wider ones are not needed."""

HIGHEST = 1.25
"""Of a picture's height, in widths of its column; that of a video that is higher gets narrower."""


@dataclass(frozen=True)
class Place:
    """A picture, in pixels from the top left corner."""

    left: float
    top: float
    width: float
    height: float

    def share(self, x: float, y: float) -> tuple[float, float] | None:
        """Return the share of the height and of the width at which a pixel lies; None outside."""
        down, along = (y - self.top) / self.height, (x - self.left) / self.width
        return (down, along) if 0 <= down < 1 and 0 <= along < 1 else None


def place_cells(columns: int, width: float, aspect: float) -> tuple[list[tuple[Place, Place]], float]:
    """Lay out columns of two pictures, in several bands where they don't fit beside one another.

    Parameters
    ----------
    columns
        How many.
    width
        Of the widget, in pixels.
    aspect
        Height of a picture by its width.

    Returns
    -------
    places, height
        The upper and the lower picture of each column, and the height that all need.
    """
    if not columns:
        return [], 0.0
    room = max(width - 2 * MARGIN - LABEL, NARROWEST)
    most = max(min(int((room + GAP) / (NARROWEST + GAP)), columns), 1)
    bands = -(-columns // most)
    # Evenly: five columns in two bands are three and two.
    across = -(-columns // bands)
    column = min((room - (across - 1) * GAP) / across, WIDEST)
    high = column * min(aspect, HIGHEST)
    wide = high / aspect
    band = TITLE + 2 * (high + BAR) + GAP
    places = []
    for k in range(columns):
        row, at = divmod(k, across)
        left = MARGIN + LABEL + at * (column + GAP) + (column - wide) / 2
        top = MARGIN + row * band + TITLE
        places.append((Place(left, top, wide, high), Place(left, top + high + BAR, wide, high)))
    return places, 2 * MARGIN + bands * band - GAP
