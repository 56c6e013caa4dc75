"""Object score and predicted IoU over time, small, with the frame that is shown; a click goes to a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEFT, _MARGIN = 26, 6
_LEGEND = 16
_NEVER = np.zeros(0, np.float32)


class ScoreStrip(QWidget):
    """Two lines between 0 and 1: the object score through the sigmoid, and the predicted IoU."""

    frame_clicked = Signal(int)
    """The user wants to see this frame."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scores")
        self.setMinimumHeight(84)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Object score and predicted IoU by frame")
        self._scores: NDArray[np.float32] = _NEVER
        self._ious: NDArray[np.float32] = _NEVER
        self._prompted: tuple[int, ...] = ()
        self._colour = QColor()
        self._frame = 0

    def show_scores(
        self, scores: NDArray[np.float32], ious: NDArray[np.float32], prompted: tuple[int, ...], colour: str
    ) -> None:
        """Show (T,) object score logits and predicted IoU, NaN where unknown, with marks on prompted frames."""
        self._scores, self._ious, self._prompted = scores, ious, prompted
        self._colour = QColor(colour)
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.show_scores(_NEVER, _NEVER, (), "#000000")

    def show_frame(self, frame_idx: int) -> None:
        """Mark the frame that is looked at."""
        if frame_idx != self._frame:
            self._frame = frame_idx
            self.update()

    def frame_at(self, x: float) -> int:
        """Return the frame at a horizontal place in the widget."""
        last = max(len(self._scores) - 1, 0)
        share = (x - _LEFT) / max(self.width() - _LEFT - _MARGIN, 1)
        return round(min(max(share, 0.0), 1.0) * last)

    def x_of(self, frame_idx: int) -> float:
        """Return the horizontal place of a frame."""
        return _LEFT + (self.width() - _LEFT - _MARGIN) * frame_idx / max(len(self._scores) - 1, 1)

    def mousePressEvent(self, event: Any) -> None:
        """Go to the frame under the pointer; Qt calls it."""
        if len(self._scores):
            self.frame_clicked.emit(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: Any) -> None:
        """Tell the numbers under the pointer, and follow it while it is pressed; Qt calls it."""
        if not len(self._scores):
            return
        frame_idx = self.frame_at(event.position().x())
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_clicked.emit(frame_idx)
        QToolTip.showText(event.globalPosition().toPoint(), self.describe(frame_idx), self)

    def keyPressEvent(self, event: Any) -> None:
        """Go a frame on or back with the arrow keys; Qt calls it."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key(), 0)
        if step and len(self._scores):
            self.frame_clicked.emit(min(max(self._frame + step, 0), len(self._scores) - 1))
        else:
            super().keyPressEvent(event)

    def describe(self, frame_idx: int) -> str:
        """Return what is known of a frame in words."""
        score, iou = self._scores[frame_idx], self._ious[frame_idx]
        if np.isnan(score):
            return f"Frame {frame_idx}: not tracked yet"
        guess = "prompted with a mask" if np.isnan(iou) else f"predicted IoU {iou:.2f}"
        return f"Frame {frame_idx}: object score {score:.1f}, {guess}"

    def paintEvent(self, _: Any) -> None:
        """Draw; Qt calls it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(self.foregroundRole())
        faint = QColor(text)
        faint.setAlpha(70)
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.85, 6))
        painter.setFont(font)
        for level in (0.0, 0.5, 1.0):
            y = self._y(level)
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(_LEFT, y), QPointF(self.width() - _MARGIN, y))
            painter.setPen(text)
            number = QRectF(0, y - _LEGEND / 2, _LEFT - 5, _LEGEND)
            painter.drawText(number, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{level:g}")
        self._draw_legend(painter, text)
        if not len(self._scores):
            painter.end()
            return
        with np.errstate(over="ignore"):
            self._draw_line(painter, 1 / (1 + np.exp(-self._scores)), QPen(self._colour, 2))
        self._draw_line(painter, self._ious, QPen(text, 1.2, Qt.PenStyle.DotLine))
        painter.setPen(QPen(text, 1))
        for frame_idx in self._prompted:
            x, y = self.x_of(frame_idx), self._y(0.0)
            painter.drawLine(QPointF(x, y), QPointF(x - 3, y + 5))
            painter.drawLine(QPointF(x, y), QPointF(x + 3, y + 5))
        x = self.x_of(self._frame)
        painter.drawLine(QPointF(x, self._y(1.0)), QPointF(x, self._y(0.0)))
        painter.end()

    def _draw_line(self, painter: QPainter, values: NDArray[np.floating], pen: QPen) -> None:
        painter.setPen(pen)
        known = np.isfinite(values)
        for frame_idx in np.flatnonzero(known).tolist():
            here = QPointF(self.x_of(frame_idx), self._y(values[frame_idx]))
            if frame_idx > 0 and known[frame_idx - 1]:
                painter.drawLine(QPointF(self.x_of(frame_idx - 1), self._y(values[frame_idx - 1])), here)
            else:
                painter.drawEllipse(here, 1.0, 1.0)

    def _draw_legend(self, painter: QPainter, text: QColor) -> None:
        x = float(_LEFT)
        for label, pen in (
            ("object score (sigmoid)", QPen(self._colour if len(self._scores) else text, 2)),
            ("predicted IoU", QPen(text, 1.2, Qt.PenStyle.DotLine)),
        ):
            painter.setPen(pen)
            painter.drawLine(QPointF(x, _LEGEND / 2), QPointF(x + 16, _LEGEND / 2))
            painter.setPen(text)
            painter.drawText(QPointF(x + 20, _LEGEND / 2 + 4), label)
            x += 34 + painter.fontMetrics().horizontalAdvance(label)

    def _y(self, value: float) -> float:
        top, bottom = _LEGEND + 4, self.height() - _MARGIN - 2
        return bottom - (bottom - top) * float(min(max(value, 0.0), 1.0))
