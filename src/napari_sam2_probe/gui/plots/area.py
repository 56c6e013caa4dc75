"""Where plots lie in a widget, and colours that are seen on its background; without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import rgb_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTRAST = 3.0
"""The least contrast of a line with the background (WCAG 2.2, "non-text contrast")."""


@dataclass(frozen=True)
class PlotTheme:
    """The colours of the window, as ``#rrggbb``."""

    background: str
    text: str


@dataclass(frozen=True)
class PlotArea:
    """Where the axes of a drawn figure lie, in pixels of the widget from its top left corner.

    Attributes
    ----------
    left, top, width, height
        The area inside the axes.
    xlim, ylim
        The data at its edges.
    xlog, ylog
        Whether an axis is logarithmic.
    """

    left: float
    top: float
    width: float
    height: float
    xlim: tuple[float, float]
    ylim: tuple[float, float]
    xlog: bool = False
    ylog: bool = False

    def contains(self, x: float, y: float) -> bool:
        """Say whether a pixel lies inside."""
        return self.left <= x <= self.left + self.width and self.top <= y <= self.top + self.height

    def to_data(self, x: float, y: float) -> tuple[float, float]:
        """Return the data coordinates of a pixel, inside the area or not."""
        along, down = (x - self.left) / self.width, (y - self.top) / self.height
        return _between(*self.xlim, along, self.xlog), _between(*self.ylim, 1 - down, self.ylog)

    def all_to_pixels(
        self, x: NDArray[np.floating], y: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pixels of many points; not finite where a point is not, or has no place on a logarithmic axis."""
        along, up = _shares(*self.xlim, x, self.xlog), _shares(*self.ylim, y, self.ylog)
        return self.left + along * self.width, self.top + (1 - up) * self.height

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of data coordinates; NaN for what a logarithmic axis has no place for."""
        along, up = _share(*self.xlim, x, self.xlog), _share(*self.ylim, y, self.ylog)
        return self.left + along * self.width, self.top + (1 - up) * self.height


def readable(colour: str, background: str, contrast: float = CONTRAST) -> str:
    """Mix a colour with white or black until it stands out from a background.

    Parameters
    ----------
    colour, background
        As ``#rrggbb``.
    contrast
        The ratio of luminances to reach (WCAG 2, "relative luminance").
    """
    own, ground = _rgb(colour), _luminance(_rgb(background))
    towards = np.ones(3) if ground < 0.18 else np.zeros(3)
    mixed = own
    for share in np.linspace(0, 1, 21):
        mixed = (1 - share) * own + share * towards
        high, low = sorted((_luminance(mixed), ground), reverse=True)
        if (high + 0.05) / (low + 0.05) >= contrast:
            break
    return "#" + bytes(round(255 * float(part)) for part in mixed).hex()


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array(rgb_of(colour), np.float64) / 255


def _between(low: float, high: float, share: float, log: bool) -> float:
    return float(low * (high / low) ** share) if log else low + share * (high - low)


def _share(low: float, high: float, value: float, log: bool) -> float:
    if not log:
        return (value - low) / (high - low)
    return math.log(value / low) / math.log(high / low) if value > 0 else math.nan


def _shares(low: float, high: float, given: NDArray[np.floating], log: bool) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.asarray(given, np.float64)
    if not log:
        linear: NDArray[np.float64] = (values - low) / (high - low)
        return linear
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(values > 0, np.log(values / low), np.nan)
    shares: NDArray[np.float64] = logs / math.log(high / low)
    return shares


def _luminance(rgb: NDArray[np.float64]) -> float:
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
