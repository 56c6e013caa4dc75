"""The widget that shows charts: a picture of them, and over it what moves with the time slider and the mouse.

Qt paints a chart in a few milliseconds, so nothing waits for another thread or process: a frame that comes is seen at
once, and zooming paints again. What moves, a cursor, rings and the values under the mouse, is painted over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2_probe.gui.plots.area import readable
from napari_sam2_probe.gui.plots.layout import MARGIN, lay_out
from napari_sam2_probe.gui.plots.legend import entries_of, place_entries
from napari_sam2_probe.gui.plots.painting import paint_chart, paint_key, paint_legend
from napari_sam2_probe.gui.plots.readout import NEAR, paint_readout, read_chart
from napari_sam2_probe.gui.plots.stepping import SteppingWidget
from napari_sam2_probe.gui.plots.zoom import fit_values, zoom, zoom_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QFont, QMouseEvent, QPaintEvent, QWheelEvent

    from napari_sam2_probe.figures.chart import Chart, Limits
    from napari_sam2_probe.gui.plots.area import PlotArea, PlotTheme

_RING_RADIUS = 6.0
_TEXT = 0.88
"""Size of the text in plots, of that of other widgets."""
_NOTCH = 120
"""What Qt calls one step of a wheel."""


@dataclass(frozen=True)
class Ring:
    """A mark around a point: index of the area, data coordinates, and a colour."""

    area: int
    x: float
    y: float
    colour: str


class PlotView(SteppingWidget):
    """Shows charts and, over them, what moves with the time slider and the mouse.

    Signals carry the index of an area and data coordinates in it.
    """

    pressed = Signal(int, float, float)
    """The mouse was pressed in an area, or is dragged from there."""

    drawn = Signal()
    """A new picture is shown."""

    def __init__(self, theme: PlotTheme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._grid: tuple[tuple[Chart, ...], ...] = ()
        self._areas: tuple[PlotArea, ...] = ()
        self._picture: QPixmap | None = None
        self._zoomed: dict[int, tuple[Limits, Limits]] = {}
        self._about: object = None
        self._frame: int | None = None
        self._rings: tuple[Ring, ...] = ()
        self._held: int | None = None
        self.scrolls = False
        """Whether the wheel is left to what the plot lies in, and zooms with Ctrl alone."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 80)

    @property
    def charts(self) -> tuple[Chart, ...]:
        """What is shown, row by row."""
        return tuple(chart for row in self._grid for chart in row)

    @property
    def areas(self) -> tuple[PlotArea, ...]:
        """Where each chart lies."""
        if self._picture is None and self._grid:
            self._compose()
        return self._areas

    @property
    def frame(self) -> int | None:
        """Where the cursor is; None without one."""
        return self._frame

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The rings that are shown."""
        return self._rings

    def show_charts(self, grid: Sequence[Sequence[Chart]], about: object = None) -> None:
        """Show rows of charts.

        Parameters
        ----------
        grid
            Rows of one length; empty to show nothing.
        about
            What they show. Where it is what was shown before, with newer values, the zoom is kept.
        """
        if about != self._about or about is None:
            self._zoomed.clear()
        self._grid, self._about = tuple(tuple(row) for row in grid), about
        self._paint_again()

    def show_chart(self, chart: Chart | None, about: object = None) -> None:
        """Show one chart, or nothing."""
        self.show_charts([] if chart is None else [[chart]], about)

    def set_theme(self, theme: PlotTheme) -> None:
        """Paint in other colours."""
        if theme != self._theme:
            self._theme = theme
            self._paint_again()

    def move_cursor(self, frame: int | None) -> None:
        """Put a vertical line at a frame on every chart that counts frames."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    def set_rings(self, rings: Sequence[Ring]) -> None:
        """Put rings around points."""
        if tuple(rings) != self._rings:
            self._rings = tuple(rings)
            self.update()

    def read(self, x: float, y: float) -> list[str]:
        """Return what the mouse reads off at a pixel: lines of text, empty where there is nothing."""
        index = self._area_at(x, y)
        return [] if index is None else read_chart(self.charts[index], self.areas[index], (x, y)).lines

    def sizeHint(self) -> QSize:
        """Ask for room for one chart; Qt calls it."""
        return QSize(300, 200)

    def _paint_again(self) -> None:
        self._picture = None
        self.update()

    def _compose(self) -> None:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(self._theme.background))
        if self._grid:
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._font())
            measure = painter.fontMetrics().horizontalAdvance
            placed, rows = place_entries(entries_of(self.charts), self.width() - 2 * MARGIN, measure)
            self._areas = tuple(lay_out(self._grid, self.width(), self.height(), rows, self._zoomed))
            paint_legend(painter, placed, MARGIN, 2, self._theme)
            for chart, area in zip(self.charts, self._areas, strict=True):
                paint_chart(painter, chart, area, self._theme)
                paint_key(painter, chart, area, self._theme)
            painter.end()
        else:
            self._areas = ()
        self._picture = picture

    def _font(self) -> QFont:
        font = self.font()
        if font.pointSizeF() > 0:
            font.setPointSizeF(_TEXT * font.pointSizeF())
        else:
            font.setPixelSize(round(_TEXT * font.pixelSize()))
        return font

    def resizeEvent(self, event: Any) -> None:
        """Paint anew; Qt calls it."""
        super().resizeEvent(event)
        self._picture = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture and what moves; Qt calls it."""
        anew = self._picture is None
        if anew:
            self._compose()
        assert self._picture is not None
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font())
        for chart, area in zip(self.charts, self._areas, strict=True):
            self._paint_cursor(painter, chart, area)
        self._paint_rings(painter)
        index = None if self._mouse is None or self._held is not None else self._area_at(*self._mouse)
        if index is not None and self._mouse is not None:
            reading = read_chart(self.charts[index], self._areas[index], self._mouse)
            paint_readout(painter, reading, self._areas[index], self._mouse, self.rect(), self._theme)
        painter.end()
        if anew and self._grid:
            self.drawn.emit()

    def _paint_cursor(self, painter: QPainter, chart: Chart, area: PlotArea) -> None:
        if self._frame is None or not chart.counts_frames:
            return
        x, _ = area.to_pixels(self._frame, area.ylim[0])
        if area.left <= x <= area.left + area.width:
            painter.setPen(QPen(QColor(self._theme.text), 1.2))
            painter.drawLine(QPointF(x, area.top), QPointF(x, area.top + area.height))

    def _paint_rings(self, painter: QPainter) -> None:
        for ring in self._rings:
            if ring.area < len(self._areas) and np.isfinite((ring.x, ring.y)).all():
                area = self._areas[ring.area]
                x, y = area.to_pixels(ring.x, ring.y)
                if area.contains(x, y):
                    painter.setPen(QPen(QColor(readable(ring.colour, self._theme.background)), 2.0))
                    painter.drawEllipse(QRectF(x - _RING_RADIUS, y - _RING_RADIUS, 2 * _RING_RADIUS, 2 * _RING_RADIUS))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Say which point of which area was pressed; Qt calls it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._held = self._area_at(*_place(event))
            self._tell(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say where the mouse is dragged, or read off what is under it; Qt calls it."""
        self._mouse = _place(event)
        self._tell(event)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; Qt calls it."""
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all again; Qt calls it."""
        self._zoomed.clear()
        self._paint_again()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the mouse; Qt calls it."""
        index = self._area_at(event.position().x(), event.position().y())
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        turned = event.angleDelta().y() / _NOTCH
        if index is None or not turned or (self.scrolls and not ctrl):
            event.ignore()
            return
        self._zoom(index, event.position().x(), event.position().y(), 0.8**turned)
        event.accept()

    def _zoom(self, index: int, x: float, y: float, factor: float) -> None:
        area, chart = self.areas[index], self.charts[index]
        at_x, at_y = area.to_data(x, y)
        if not chart.counts_frames:
            self._zoomed[index] = (
                zoom(area.xlim, at_x, factor, log=area.xlog),
                zoom(area.ylim, at_y, factor, log=area.ylog),
            )
        else:
            frames = zoom_frames(chart, area.xlim, at_x, factor)
            self._zoomed.clear()
            if frames is not None:
                # All rows and columns show the same frames.
                self._zoomed.update({k: (frames, fit_values(one, frames)) for k, one in enumerate(self.charts)})
        self._paint_again()

    def _tell(self, event: QMouseEvent) -> None:
        if self._held is not None and self._held < len(self._areas):
            self.pressed.emit(self._held, *self._areas[self._held].to_data(*_place(event)))

    def _area_at(self, x: float, y: float) -> int | None:
        for index, area in enumerate(self.areas):
            if area.left - NEAR <= x <= area.left + area.width + NEAR and area.top <= y <= area.top + area.height:
                return index
        return None


def _place(event: QMouseEvent) -> tuple[float, float]:
    return event.position().x(), event.position().y()
