"""What lines, paths and clouds of points share in every figure: a name, a kind, and the looks that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from napari_sam2_probe.figures.style import series_colours, series_widths

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Series:
    """What is drawn in one colour.

    Attributes
    ----------
    label
        Its name in the legend.
    kind
        The kind of data set, which chooses the colour.
    """

    label: str
    kind: str


S = TypeVar("S", bound=Series)


def with_looks(series: Sequence[S]) -> list[tuple[S, str, float]]:
    """Pair each series with its colour and, for lines drawn over each other, its width in points."""
    colours = series_colours([one.kind for one in series])
    return list(zip(series, colours, series_widths(len(series)), strict=True))
