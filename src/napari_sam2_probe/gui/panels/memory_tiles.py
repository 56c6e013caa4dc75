"""The tiles of the Memory panel: one for each memory and pointer of a bank, in as many columns as there is room for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QMimeData, QPoint, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QDrag, QImage, QPainter, QPixmap
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.figures.style import OBJECT_COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.gui.memory.bank_shown import EntryShown
    from napari_sam2_probe.gui.plots.area import PlotTheme

TWIN_FRAME = "application/x-sam2-probe-twin-frame"
"""What a thumbnail of the twin carries when it is dragged: the twin's frame."""

TILE_WIDTH = 104
ATTENTION_COLOUR, EFFECT_COLOUR = OBJECT_COLOURS[1], OBJECT_COLOURS[0]
_DROP_TIP = "Leave this {kind} out when the frame is tracked again"
_TWIN_TIP = "Read the twin's {kind} in its place when the frame is tracked again"


class Picture(QLabel):
    """A thumbnail that is clicked, or dragged.

    The signal `pressed` carries the place, from 0 (left, top) to 1.
    """

    pressed = Signal(float, float)

    def __init__(self, carries: int | None = None) -> None:
        super().__init__()
        self._carries = carries
        self._start: QPoint | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def show_picture(self, picture: NDArray[np.uint8], caption: str = "") -> None:
        """Show (h, w, 3) uint8, with a few letters in its corner."""
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        # A copy, since Qt doesn't keep what it is given.
        pixmap = QPixmap.fromImage(QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888))
        if caption:
            painter = QPainter(pixmap)
            place = painter.boundingRect(pixmap.rect(), Qt.AlignmentFlag.AlignLeft, caption).adjusted(0, 0, 6, 0)
            painter.fillRect(place, QColor("black"))
            painter.setPen(QColor("white"))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, caption)
            painter.end()
        self.setPixmap(pixmap)
        self.setFixedSize(QSize(width, height))

    def mousePressEvent(self, event: Any) -> None:
        """Begin a click or a drag; Qt calls it."""
        self._start = event.position().toPoint() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag what the picture carries; Qt calls it."""
        if self._start is None or self._carries is None:
            return
        if (event.position().toPoint() - self._start).manhattanLength() >= QApplication.startDragDistance():
            self._start = None
            drag, data = QDrag(self), QMimeData()
            data.setData(TWIN_FRAME, str(self._carries).encode())
            drag.setMimeData(data)
            drag.setPixmap(self.pixmap())
            drag.exec(Qt.DropAction.CopyAction)

    def mouseReleaseEvent(self, event: Any) -> None:
        """End a click; Qt calls it."""
        start, self._start = self._start, None
        at = event.position()
        if start is not None and self.rect().contains(at.toPoint()):
            self.pressed.emit(at.x() / max(self.width(), 1), at.y() / max(self.height(), 1))


class Bars(QWidget):
    """A share of attention, and below it an effect where one is known, as bars with their numbers."""

    LINE = 13

    def __init__(self, theme: PlotTheme) -> None:
        super().__init__()
        self.theme = theme
        self.share = self.effect = math.nan
        self._longest = self._largest = 1.0
        self.setFixedHeight(self.LINE)

    def set_values(self, share: float, longest: float, effect: float, largest: float = 1.0) -> None:
        """Show values; `longest` and `largest` are the share and the effect whose bars are full."""
        self.share, self.effect = share, effect
        self._longest, self._largest = max(longest, 1e-12), max(largest, 1e-12)
        self.setFixedHeight(self.LINE * (1 if math.isnan(effect) else 2))
        self.update()

    def paintEvent(self, _: Any) -> None:
        """Draw; Qt calls it."""
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        percent = "–" if math.isnan(self.share) else f"{100 * self.share:.1f} %"
        self._line(painter, 0, self.share / self._longest, ATTENTION_COLOUR, percent)
        if not math.isnan(self.effect):
            self._line(
                painter, 1, self.effect / self._largest, EFFECT_COLOUR, f"−{self.effect:.3f}" if self.effect else "0"
            )
        painter.end()

    def _line(self, painter: QPainter, row: int, length: float, colour: str, text: str) -> None:
        top, room = row * self.LINE, self.width() - 42
        full = 0.0 if math.isnan(length) else min(max(length, 0.0), 1.0)
        painter.fillRect(QRectF(0, top + 2, room, self.LINE - 5), QColor(128, 128, 128, 60))
        painter.fillRect(QRectF(0, top + 2, room * full, self.LINE - 5), QColor(colour))
        painter.setPen(QColor(self.theme.text))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(room, top, 42, self.LINE), right, text)


class EntryTile(QFrame):
    """One entry of a bank: where it comes from, its share of attention, its effect, and what is to be changed of it."""

    went_to = Signal(int)
    """The user wants to see this frame."""

    picture_pressed = Signal(int, float, float)
    """The thumbnail of this frame was clicked, at a place from 0 to 1."""

    changed = Signal()
    """The user has ticked something else."""

    def __init__(self, theme: PlotTheme) -> None:
        super().__init__()
        self.entry: EntryShown | None = None
        self.twin_frame: int | None = None
        self._likely_twin: int | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setFixedWidth(TILE_WIDTH)
        self.setAcceptDrops(True)
        self.title = QToolButton(autoRaise=True)
        self.title.clicked.connect(self._go)
        self.picture = Picture()
        self.picture.pressed.connect(self._press)
        self.bars = Bars(theme)
        self.drop, self.twin = QCheckBox("Drop"), QCheckBox("Twin")
        self.drop.toggled.connect(self._on_drop)
        self.twin.toggled.connect(self._on_twin)
        # What is ticked stands in a column: beside one another there is no room for a number.
        self._first, self._last = QHBoxLayout(), QVBoxLayout()
        for part in (self._first, self._last):
            part.setSpacing(2)
        self._first.addWidget(self.title, 1)
        self._last.addWidget(self.drop)
        self._last.addWidget(self.twin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 2, 3, 3)
        layout.setSpacing(2)
        layout.addLayout(self._first)
        layout.addWidget(self.picture, alignment=Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.bars)
        layout.addLayout(self._last)
        layout.addStretch()

    @property
    def key(self) -> tuple[Any, int]:
        """Kind and frame of the entry."""
        assert self.entry is not None
        return self.entry.kind, self.entry.frame

    def show_entry(self, entry: EntryShown, likely_twin: int | None) -> None:
        """Show an entry; `likely_twin` is the twin's frame that belongs to it, None without a twin."""
        self.entry, self._likely_twin = entry, likely_twin
        kind, frame = entry.kind, entry.frame
        self.setObjectName(f"{kind} {frame}")
        prompted = entry.role == "conditioning"
        back = "1 frame" if entry.age == 1 else f"{entry.age} frames"
        about = f" · {'prompted' if prompted else f'age {entry.age}'}"
        # Pointers are many: their tooltips say the rest.
        self.title.setText(f"{frame}{about if kind == 'memory' else ''}")
        self.title.setToolTip(
            f"{kind.capitalize()} of frame {frame}, {'a prompted one, ' if prompted else ''}{back} away: go there"
        )
        self.title.setObjectName(f"go {kind} {frame}")
        self.drop.setObjectName(f"drop {kind} {frame}")
        self.twin.setObjectName(f"twin {kind} {frame}")
        self.drop.setToolTip(_DROP_TIP.format(kind=kind))
        self.twin.setToolTip(_TWIN_TIP.format(kind=kind))
        # A tile without a picture has room beside its title.
        if kind == "pointer":
            self._first.addWidget(self.drop)
        else:
            self._last.insertWidget(0, self.drop)
        self.picture.setVisible(entry.picture is not None)
        if entry.picture is not None:
            self.picture.show_picture(entry.picture)
            self.picture.setToolTip("Click to go to this frame")
        self.twin.setVisible(likely_twin is not None)

    def set_changes(self, dropped: bool, twin_frame: int | None) -> None:
        """Tick what is changed, without telling anybody."""
        self.twin_frame = twin_frame
        for box, checked in ((self.drop, dropped), (self.twin, twin_frame is not None)):
            box.blockSignals(True)
            box.setChecked(checked)
            box.blockSignals(False)
        self._say_twin()

    def dragEnterEvent(self, event: Any) -> None:
        """Take a frame of the twin; Qt calls it."""
        if event.mimeData().hasFormat(TWIN_FRAME):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Take a frame of the twin; Qt calls it."""
        self.take_twin(int(bytes(event.mimeData().data(TWIN_FRAME)).decode()))
        event.acceptProposedAction()

    def take_twin(self, frame: int) -> None:
        """Put a frame of the twin in the entry's place."""
        self.set_changes(False, frame)
        self.changed.emit()

    def _on_drop(self, on: bool) -> None:
        self.set_changes(on, None if on else self.twin_frame)
        self.changed.emit()

    def _on_twin(self, on: bool) -> None:
        self.set_changes(self.drop.isChecked() and not on, self._likely_twin if on else None)
        self.changed.emit()

    def _say_twin(self) -> None:
        other = self.twin_frame if self.twin_frame not in (None, self._likely_twin) else None
        self.twin.setText("Twin" if other is None else f"Twin {other}")

    def _go(self) -> None:
        if self.entry is not None:
            self.went_to.emit(self.entry.frame)

    def _press(self, across: float, down: float) -> None:
        if self.entry is not None:
            self.picture_pressed.emit(self.entry.frame, across, down)


class TileGrid(QWidget):
    """Tiles in rows, as many beside one another as there is room for; the widgets are used again."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._tiles: list[QWidget] = []
        self._columns = 0

    @property
    def tiles(self) -> list[Any]:
        """What is shown, in order."""
        return list(self._tiles)

    def place(self, tiles: Sequence[QWidget]) -> None:
        """Show these, in this order, and no others."""
        for tile in self._tiles:
            self._grid.removeWidget(tile)
            if tile not in tiles:
                tile.hide()
        self._tiles = list(tiles)
        self._columns = max(1, (self.width() + 4) // (TILE_WIDTH + 4))
        for k, tile in enumerate(tiles):
            self._grid.addWidget(tile, k // self._columns, k % self._columns, Qt.AlignmentFlag.AlignTop)
            tile.show()

    def resizeEvent(self, event: Any) -> None:
        """Use the new width; Qt calls it."""
        super().resizeEvent(event)
        if self._tiles and max(1, (self.width() + 4) // (TILE_WIDTH + 4)) != self._columns:
            self.place(self._tiles)
