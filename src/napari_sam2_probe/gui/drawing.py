"""Figures as pictures in the colours of the window: what a thread or another process draws, without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.style import publication_style

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

DOCK_DPI = 112.0
"""Makes the 7 point text of the figures about as large as the text of napari's widgets."""


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

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of data coordinates; NaN for what a logarithmic axis has no place for."""
        along, up = _share(*self.xlim, x, self.xlog), _share(*self.ylim, y, self.ylog)
        return self.left + along * self.width, self.top + (1 - up) * self.height


@dataclass(frozen=True)
class DrawnPlot:
    """A figure as a picture.

    Attributes
    ----------
    picture
        (H, W, 4) uint8 RGBA, in pixels of the screen.
    pixel_ratio
        Pixels of the screen per pixel of the widget.
    areas
        Of the figure's axes, in their order.
    """

    picture: NDArray[np.uint8]
    pixel_ratio: float
    areas: tuple[PlotArea, ...]


def draw_plot(
    make: Callable[[float, float], Figure], size: tuple[int, int], pixel_ratio: float, theme: PlotTheme
) -> DrawnPlot:
    """Draw a figure in the colours of the window; slow, for a worker.

    Parameters
    ----------
    make
        Gives the figure, of so many inches of width and height.
    size
        Width and height in pixels of the widget.
    pixel_ratio
        Pixels of the screen per pixel of the widget.
    theme
        The window's colours.
    """
    from matplotlib import rc_context

    with publication_style(), rc_context(_theme_style(theme)):
        return _draw(make, size, pixel_ratio, theme)


def _draw(
    make: Callable[[float, float], Figure], size: tuple[int, int], pixel_ratio: float, theme: PlotTheme
) -> DrawnPlot:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = (max(side, 60) for side in size)
    figure = make(width / DOCK_DPI, height / DOCK_DPI)
    adapt_lines(figure, theme)
    figure.set_dpi(DOCK_DPI * pixel_ratio)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.array(canvas.buffer_rgba())
    tall = picture.shape[0] / pixel_ratio
    areas = tuple(_area(axes, pixel_ratio, tall) for axes in figure.axes)
    # Breaks most of the circles in which artists hold one another.
    figure.clear()
    return DrawnPlot(picture, pixel_ratio, areas)


def adapt_lines(figure: Figure, theme: PlotTheme) -> None:
    """Lighten or darken lines and points that would not be seen on the window's background; hues stay."""
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    lines += [line for legend in figure.legends for line in legend.get_lines()]
    for line in lines:
        for name in ("color", "markerfacecolor", "markeredgecolor"):
            colour = getattr(line, f"get_{name}")()
            if isinstance(colour, str) and colour not in ("none", theme.background):
                getattr(line, f"set_{name}")(readable(colour, theme.background))


def readable(colour: str, background: str, contrast: float = 2.6) -> str:
    """Mix a colour with white or black until it stands out from a background.

    Parameters
    ----------
    colour, background
        Matplotlib colours.
    contrast
        The ratio of luminances to reach (WCAG 2, "relative luminance").
    """
    from matplotlib.colors import to_hex, to_rgb

    own, ground = np.array(to_rgb(colour)), _luminance(np.array(to_rgb(background)))
    towards = np.ones(3) if ground < 0.18 else np.zeros(3)
    for share in np.linspace(0, 1, 21):
        mixed = (1 - share) * own + share * towards
        high, low = sorted((_luminance(mixed), ground), reverse=True)
        if (high + 0.05) / (low + 0.05) >= contrast:
            break
    red, green, blue = mixed.tolist()
    return to_hex((red, green, blue))


def _theme_style(theme: PlotTheme) -> Any:
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "legend.labelcolor")
    grounds = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return dict.fromkeys(inked, theme.text) | dict.fromkeys(grounds, theme.background)


def _area(axes: Axes, pixel_ratio: float, tall: float) -> PlotArea:
    box = axes.get_window_extent()
    left, width, height = (float(v) / pixel_ratio for v in (box.x0, box.width, box.height))
    top = tall - float(box.y1) / pixel_ratio
    xlog, ylog = (scale == "log" for scale in (axes.get_xscale(), axes.get_yscale()))
    return PlotArea(left, top, width, height, axes.get_xlim(), axes.get_ylim(), xlog, ylog)


def _between(low: float, high: float, share: float, log: bool) -> float:
    return float(low * (high / low) ** share) if log else low + share * (high - low)


def _share(low: float, high: float, value: float, log: bool) -> float:
    if not log:
        return (value - low) / (high - low)
    return math.log(value / low) / math.log(high / low) if value > 0 else math.nan


def _luminance(rgb: NDArray[np.float64]) -> float:
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
