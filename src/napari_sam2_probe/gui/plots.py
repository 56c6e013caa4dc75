"""Plots in a dock: figures are drawn by matplotlib beside the window, and shown as a picture with a cursor over it.

A figure of twenty axes takes matplotlib a second, so it is never drawn in the GUI thread. What moves with the time
slider, a line or a ring, is painted by Qt over the picture, and moving it draws nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2_probe.figures.style import NEUTRAL
from napari_sam2_probe.gui.drawing import PlotTheme, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure
    from qtpy.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.gui.drawing import DrawnPlot
    from napari_sam2_probe.gui.drawing_process import DrawingProcess

RESIZE_PAUSE = 150
"""Milliseconds without a change of size after which a plot is drawn anew."""

_RING_RADIUS = 5.0


def plot_theme(name: str) -> PlotTheme:
    """Return the colours that a napari theme of this name gives to plots."""
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    # What `as_hex` takes and gives differs between versions of napari.
    background, text = ("#" + bytes(colour.as_rgb_tuple()[:3]).hex() for colour in (theme.background, theme.text))
    return PlotTheme(background, text)


@dataclass(frozen=True)
class Ring:
    """A mark around a point: index of the area, data coordinates, and a colour."""

    area: int
    x: float
    y: float
    colour: str


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

    def __init__(
        self,
        background: Background,
        drawing: DrawingProcess,
        theme: PlotTheme,
        key: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._background = background
        self._drawing = drawing
        self._theme = theme
        self._key = key
        self._make: Callable[[float, float], Figure] | None = None
        self._about: object = None
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

    def show_figure(self, make: Callable[[float, float], Figure] | None, about: object = None) -> None:
        """Draw the figure that `make` gives, as in `draw_plot`, now and whenever size or theme change.

        Parameters
        ----------
        make
            Gives the figure; None to show nothing.
        about
            What the figure shows. An earlier figure about the same that is being drawn is shown until this one is.
        """
        if about != self._about:
            self._background.forget(self._key)
        self._make, self._about = make, about
        if make is None:
            # Also one that is being drawn.
            self._background.forget(self._key)
            self._image = self._plot = None
            self.update()
        else:
            self._draw()

    def expect_other(self) -> None:
        """Draw the figure no more, since one about something else is to come; its picture stays until then."""
        self._make = None
        self._background.forget(self._key)

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
        draw = partial(self._drawing.draw, make, size, ratio, theme)
        self._background.submit(self._key, draw, self._show, show_older=True)

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
