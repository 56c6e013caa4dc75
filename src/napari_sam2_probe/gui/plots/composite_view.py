"""The widget that shows the composite of a frame: positions in columns, means above variances, each with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2_probe.figures.maps import format_limit
from napari_sam2_probe.gui.plots.cells import BAR, LABEL, TITLE, place_cells
from napari_sam2_probe.gui.plots.readout import Reading, paint_readout
from napari_sam2_probe.gui.plots.stepping import SteppingWidget
from napari_sam2_probe.gui.plots.ticks import write_value

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray
    from qtpy.QtGui import QFont, QMouseEvent, QPaintEvent

    from napari_sam2_probe.gui.look import LookCell, LookFrame
    from napari_sam2_probe.gui.plots.area import PlotTheme
    from napari_sam2_probe.gui.plots.cells import Place

_TEXT = 0.85
"""Size of the text, of that of other widgets."""
_CENTRE = Qt.AlignmentFlag.AlignCenter
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class At:
    """A cell under the mouse, and where: shares of its height and width."""

    cell: LookCell
    y: float
    x: float


class CompositeView(SteppingWidget):
    """Shows the cells of a frame; a press tells which one, and where in it."""

    pressed = Signal(str, str, float, float, bool)
    """Number of the position, statistic, shares of height and width, and whether Shift was held."""

    def __init__(self, theme: PlotTheme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._frame: LookFrame | None = None
        self._images: dict[tuple[str, str], QImage] = {}
        self._layers: frozenset[tuple[str, str]] = frozenset()
        self._plotted: tuple[str, str] | None = None
        self._mark: tuple[float, float] | None = None
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumWidth(200)

    @property
    def frame(self) -> LookFrame | None:
        """What is shown."""
        return self._frame

    @property
    def layers(self) -> frozenset[tuple[str, str]]:
        """The cells, by number and statistic, that are framed because they lie over the video."""
        return self._layers

    @property
    def mark(self) -> tuple[float, float] | None:
        """Where the cross is: shares of height and width; None without one."""
        return self._mark

    def show_frame(self, frame: LookFrame | None) -> None:
        """Show the cells of a frame, or none."""
        shape_before = self._shape()
        self._frame = frame
        cells = [cell for column in (frame.cells if frame else ()) for cell in column]
        self._images = {(c.number, c.statistic): _image(c.picture) for c in cells if c.picture is not None}
        if self._shape() != shape_before:
            self.updateGeometry()
        self.update()

    def set_theme(self, theme: PlotTheme) -> None:
        """Paint in other colours."""
        self._theme = theme
        self.update()

    def set_layers(self, layers: Collection[tuple[str, str]]) -> None:
        """Frame the cells that lie over the video."""
        if frozenset(layers) != self._layers:
            self._layers = frozenset(layers)
            self.update()

    def set_plotted(self, cell: tuple[str, str] | None, mark: tuple[float, float] | None) -> None:
        """Underline the title of the cell whose values are plotted, and put a cross at their pixel."""
        if (cell, mark) != (self._plotted, self._mark):
            self._plotted, self._mark = cell, mark
            self.update()

    def place_of(self, number: str, statistic: str) -> Place | None:
        """Return where a cell's picture lies; None where there is no such cell."""
        wanted = (number, statistic)
        return next((place for cell, place in self._placed() if (cell.number, cell.statistic) == wanted), None)

    def read(self, x: float, y: float) -> list[str]:
        """Return what the mouse reads off at a pixel: lines of text, empty where there is nothing."""
        at = self._at(x, y)
        if at is None or self._frame is None:
            return []
        cell, (height, width) = at.cell, self._frame.size
        lines = [f"{cell.title}, {cell.statistic}"]
        if cell.values is not None:
            rows, columns = cell.values.shape
            value = cell.values[int(at.y * rows), int(at.x * columns)]
            lines.append(f"{write_value(float(value))} at x {int(at.x * width)}, y {int(at.y * height)}")
        if cell.note:
            lines.append(cell.note)
        return lines

    def hasHeightForWidth(self) -> bool:
        """Let the height follow from the width; Qt calls it."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height that all cells need; Qt calls it."""
        columns, aspect = self._shape()
        return max(round(place_cells(columns, width, aspect)[1]), 40)

    def sizeHint(self) -> QSize:
        """Ask for the height that all cells need; Qt calls it."""
        width = max(self.width(), 320)
        return QSize(320, self.heightForWidth(width))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the cells; Qt calls it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setFont(self._font())
        placed = self._placed()
        leftmost = min((place.left for _, place in placed), default=0.0)
        for cell, place in placed:
            self._paint_cell(painter, cell, place)
            if place.left == leftmost:
                self._paint_row_name(painter, cell, place)
        lines = self.read(*self._mouse) if self._mouse is not None else []
        if lines and self._mouse is not None:
            reading = Reading(lines, [""] * len(lines), [])
            paint_readout(painter, reading, None, self._mouse, self.rect(), self._theme)
        painter.end()

    def _paint_cell(self, painter: QPainter, cell: LookCell, place: Place) -> None:
        text, of = QColor(self._theme.text), (cell.number, cell.statistic)
        where = QRectF(place.left, place.top, place.width, place.height)
        image = self._images.get(of)
        painter.setPen(text)
        if image is None:
            ground = QColor(text)
            ground.setAlpha(30)
            painter.fillRect(where, ground)
            painter.drawText(where.adjusted(3, 2, -3, -2), _CENTRE | Qt.TextFlag.TextWordWrap, cell.note)
        else:
            # Cells of a map are plain squares where they are larger than pixels.
            larger = image.width() < place.width
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not larger)
            painter.drawImage(where, image)
        if cell.statistic == "mean":
            self._paint_title(painter, cell, place)
        if of in self._layers:
            painter.setPen(QPen(text, 2.5))
            painter.drawRect(where.adjusted(-1, -1, 1, 1))
        if cell.limits is not None:
            self._paint_bar(painter, cell, place)
        if self._mark is not None:
            y, x = self._mark
            _paint_cross(painter, place.left + x * place.width, place.top + y * place.height)

    def _paint_title(self, painter: QPainter, cell: LookCell, place: Place) -> None:
        where = QRectF(place.left, place.top - TITLE, place.width, TITLE - 1)
        plotted = self._plotted is not None and self._plotted[0] == cell.number
        font = painter.font()
        font.setUnderline(plotted)
        painter.setFont(font)
        mark = " †" if cell.note and cell.picture is not None else ""
        words = painter.fontMetrics().elidedText(cell.title + mark, Qt.TextElideMode.ElideRight, int(place.width))
        painter.drawText(where, Qt.AlignmentFlag.AlignLeft | _MIDDLE, words)
        font.setUnderline(False)
        painter.setFont(font)

    def _paint_bar(self, painter: QPainter, cell: LookCell, place: Place) -> None:
        assert cell.limits is not None
        low, high = cell.limits
        row = QRectF(place.left, place.top + place.height + 1, place.width, BAR - 2)
        painter.setPen(QColor(self._theme.text))
        if not low < high:
            painter.drawText(row, _CENTRE, f"constant {write_value(low)}")
            return
        texts = [format_limit(limit, high - low) for limit in (low, high)]
        widths = [painter.fontMetrics().horizontalAdvance(text) + 4 for text in texts]
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | _MIDDLE, texts[0])
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | _MIDDLE, texts[1])
        bar = row.adjusted(widths[0], 4, -widths[1], -4)
        if bar.width() > 4:
            from matplotlib import colormaps

            colours: NDArray[np.uint8] = colormaps[cell.colours](np.linspace(0, 1, 64), bytes=True)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, True)
            painter.drawImage(bar, _image(colours[None]))

    def _paint_row_name(self, painter: QPainter, cell: LookCell, place: Place) -> None:
        painter.save()
        painter.setPen(QColor(self._theme.text))
        painter.translate(place.left - LABEL / 2 - 2, place.top + place.height / 2)
        painter.rotate(-90)
        painter.drawText(QRectF(-60, -LABEL / 2, 120, LABEL), _CENTRE, cell.statistic)
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Report which cell is pressed; Qt calls it."""
        at = self._at(event.position().x(), event.position().y())
        if at is not None and event.button() == Qt.MouseButton.LeftButton:
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.pressed.emit(at.cell.number, at.cell.statistic, at.y, at.x, shift)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read off what is under the mouse; Qt calls it."""
        self._mouse = event.position().x(), event.position().y()
        self.update()

    def _shape(self) -> tuple[int, float]:
        """Return the number of columns, and the height of a picture by its width."""
        frame = self._frame
        return (0, 1.0) if frame is None else (len(frame.cells), frame.size[0] / frame.size[1])

    def _placed(self) -> list[tuple[LookCell, Place]]:
        if self._frame is None:
            return []
        columns, aspect = self._shape()
        places, _ = place_cells(columns, self.width(), aspect)
        pairs = zip(self._frame.cells, places, strict=True)
        return [(cell, place) for column, both in pairs for cell, place in zip(column, both, strict=True)]

    def _at(self, x: float, y: float) -> At | None:
        for cell, place in self._placed():
            share = place.share(x, y)
            if share is not None:
                return At(cell, *share)
        return None

    def _font(self) -> QFont:
        font = self.font()
        if font.pointSizeF() > 0:
            font.setPointSizeF(_TEXT * font.pointSizeF())
        else:
            font.setPixelSize(round(_TEXT * font.pixelSize()))
        return font


def _image(picture: NDArray[np.uint8]) -> QImage:
    """Return a picture (h, w, 3 or 4) for Qt, which gets a copy."""
    height, width, bands = picture.shape
    kind = QImage.Format.Format_RGB888 if bands == 3 else QImage.Format.Format_RGBA8888
    data = np.ascontiguousarray(picture)
    return QImage(data.tobytes(), width, height, bands * width, kind).copy()


def _paint_cross(painter: QPainter, x: float, y: float) -> None:
    for colour, width in (("#000000", 3.0), ("#ffffff", 1.2)):
        painter.setPen(QPen(QColor(colour), width))
        for dx, dy in ((5, 0), (0, 5)):
            painter.drawLine(QPointF(x - dx, y - dy), QPointF(x - dx / 3, y - dy / 3))
            painter.drawLine(QPointF(x + dx / 3, y + dy / 3), QPointF(x + dx, y + dy))
