"""Plots in a dock: figures are drawn by matplotlib in a worker, and shown as a picture with a cursor over it.

A figure of twenty axes takes matplotlib a second, so it is never drawn in the GUI thread. What moves with the time
slider, a line or a ring, is painted by Qt over the picture, and moving it draws nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2_probe.figures.style import NEUTRAL, publication_style
from napari_sam2_probe.gui.collector import set_aside_what_is_loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from qtpy.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent

    from napari_sam2_probe.gui.background import Background

DOCK_DPI = 112.0
"""Makes the 7 point text of the figures about as large as the text of napari's widgets."""

RESIZE_PAUSE = 150
"""Milliseconds without a change of size after which a plot is drawn anew."""

_RING_RADIUS = 5.0


@dataclass(frozen=True)
class PlotTheme:
    """The colours of the window, as ``#rrggbb``."""

    background: str
    text: str


def plot_theme(name: str) -> PlotTheme:
    """Return the colours that a napari theme of this name gives to plots."""
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    # What `as_hex` takes and gives differs between versions of napari.
    background, text = ("#" + bytes(colour.as_rgb_tuple()[:3]).hex() for colour in (theme.background, theme.text))
    return PlotTheme(background, text)


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


@dataclass(frozen=True)
class Ring:
    """A mark around a point: index of the area, data coordinates, and a colour."""

    area: int
    x: float
    y: float
    colour: str


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
        plot = _draw(make, size, pixel_ratio, theme)
    _set_aside_matplotlib()
    return plot


@cache
def _set_aside_matplotlib() -> None:
    """Keep what the first figure imported from the garbage collector."""
    set_aside_what_is_loaded()


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


class PlotView(QWidget):
    """Shows a figure and, over it, what moves with the time slider.

    Signals carry the index of an area and data coordinates in it.
    """

    pressed = Signal(int, float, float)
    """The mouse was pressed in an area, or is dragged from there."""

    stepped = Signal(int)
    """The arrow key to the left, -1, or to the right, 1, was pressed."""

    drawn = Signal()
    """A new picture is shown."""

    def __init__(self, background: Background, theme: PlotTheme, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._theme = theme
        self._key = key
        self._make: Callable[[float, float], Figure] | None = None
        self._image: QImage | None = None
        self._plot: DrawnPlot | None = None
        self._frame: int | None = None
        self._rings: tuple[Ring, ...] = ()
        self._held: int | None = None
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(RESIZE_PAUSE)
        self._pause.timeout.connect(self._draw)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    @property
    def plot(self) -> DrawnPlot | None:
        """What is shown."""
        return self._plot

    @property
    def frame(self) -> int | None:
        """Where the cursor is; None without one."""
        return self._frame

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The rings that are shown."""
        return self._rings

    def show_figure(self, make: Callable[[float, float], Figure] | None) -> None:
        """Draw the figure that `make` gives, as in `draw_plot`, now and whenever size or theme change."""
        self._make = make
        if make is None:
            self._image = self._plot = None
            self.update()
        else:
            self._draw()

    def set_theme(self, theme: PlotTheme) -> None:
        """Draw the figure in other colours."""
        if theme != self._theme:
            self._theme = theme
            self._draw()

    def move_cursor(self, frame: int | None) -> None:
        """Put a vertical line at a frame on every area whose x axis counts frames; draws nothing else."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    def set_rings(self, rings: Sequence[Ring]) -> None:
        """Put rings around points; draws nothing else."""
        if tuple(rings) != self._rings:
            self._rings = tuple(rings)
            self.update()

    def sizeHint(self) -> QSize:
        """Ask for room for one figure; Qt calls it."""
        return QSize(300, 240)

    def _draw(self) -> None:
        make, theme = self._make, self._theme
        if make is None or not self.isVisible():
            return
        size, ratio = (self.width(), self.height()), self.devicePixelRatioF()
        self._background.submit(self._key, lambda: draw_plot(make, size, ratio, theme), self._show)

    def _show(self, plot: DrawnPlot) -> None:
        self._plot = plot
        height, width = plot.picture.shape[:2]
        self._image = QImage(plot.picture.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self.update()
        self.drawn.emit()

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while hidden; Qt calls it."""
        super().showEvent(event)
        self._pause.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew once the size stays; Qt calls it."""
        super().resizeEvent(event)
        self._pause.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture and what moves; Qt calls it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.background))
        if self._image is not None and self._plot is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            # Stretched until the picture of a new size is there.
            painter.drawImage(self.rect(), self._image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.scale(*self._stretch())
            self._paint_cursor(painter, self._plot)
            self._paint_rings(painter, self._plot)
        painter.end()

    def _paint_cursor(self, painter: QPainter, plot: DrawnPlot) -> None:
        if self._frame is None:
            return
        painter.setPen(QPen(QColor(NEUTRAL), 1.4))
        for area in plot.areas:
            x, _ = area.to_pixels(self._frame, 0)
            if area.left <= x <= area.left + area.width:
                painter.drawLine(QPointF(x, area.top), QPointF(x, area.top + area.height))

    def _paint_rings(self, painter: QPainter, plot: DrawnPlot) -> None:
        for ring in self._rings:
            if ring.area < len(plot.areas) and np.isfinite((ring.x, ring.y)).all():
                x, y = plot.areas[ring.area].to_pixels(ring.x, ring.y)
                painter.setPen(QPen(QColor(readable(ring.colour, self._theme.background)), 2.0))
                painter.drawEllipse(QRectF(x - _RING_RADIUS, y - _RING_RADIUS, 2 * _RING_RADIUS, 2 * _RING_RADIUS))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Say which point of which area was pressed; Qt calls it."""
        if event.button() == Qt.MouseButton.LeftButton and self._plot is not None:
            x, y = self._at(event)
            self._held = next((k for k, area in enumerate(self._plot.areas) if area.contains(x, y)), None)
            self._tell(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say where the mouse is dragged, in the area where it was pressed; Qt calls it."""
        self._tell(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; Qt calls it."""
        self._held = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Say which way an arrow key points; Qt calls it."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps:
            self.stepped.emit(steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def _tell(self, event: QMouseEvent) -> None:
        if self._held is not None and self._plot is not None and self._held < len(self._plot.areas):
            self.pressed.emit(self._held, *self._plot.areas[self._held].to_data(*self._at(event)))

    def _at(self, event: QMouseEvent) -> tuple[float, float]:
        across, down = self._stretch()
        return event.position().x() / across, event.position().y() / down

    def _stretch(self) -> tuple[float, float]:
        """How much larger the widget is than the picture it still shows."""
        assert self._plot is not None
        height, width = self._plot.picture.shape[:2]
        ratio = self._plot.pixel_ratio
        return self.width() * ratio / width, self.height() * ratio / height


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
