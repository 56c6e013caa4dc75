"""How lanes are painted: one row of an object from its first frame to its last, readable at 22 pixels of height."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QPen, QPolygonF

from napari_sam2_probe.common.stretches import stretches_of
from napari_sam2_probe.figures.style import EXCLUDED_COLOUR, INCLUDED_COLOUR, PROMPT_RIM, TRUTH_COLOUR
from napari_sam2_probe.gui.plots.area import readable
from napari_sam2_probe.gui.plots.ticks import round_values
from napari_sam2_probe.live.lane import Mark
from napari_sam2_probe.live.scores import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from qtpy.QtGui import QPainter

    from napari_sam2_probe.gui.plots.area import PlotTheme
    from napari_sam2_probe.live.lane import Lane

GUTTER, RIGHT = 108, 10
"""Pixels left of the first frame, where the object's name stands, and right of the last."""

DOUBT_COLOUR = "#E3A000"
_SCORE, _DOUBT, _PAD = 4.0, 4.0, 3.0
"""Heights of the bars of object score and doubt, and of what is free between lanes."""
_MARK, _RIM = 4.0, 1.4
_TRACKED, _STALE, _EMPTY, _DOUBTED = 55, 170, 16, 60
"""How opaque the ground of frames is."""


@dataclass(frozen=True)
class FrameAxis:
    """Where frames lie from left to right: each has an equal share of the width.

    Attributes
    ----------
    num_frames
        How many, T.
    left, width
        In pixels.
    """

    num_frames: int
    left: float
    width: float

    @property
    def step(self) -> float:
        """The width of a frame."""
        return self.width / max(self.num_frames, 1)

    def start(self, frame_idx: float) -> float:
        """Return where a frame begins."""
        return self.left + frame_idx * self.step

    def centre(self, frame_idx: float) -> float:
        """Return the middle of a frame."""
        return self.start(frame_idx + 0.5)

    def frame_at(self, x: float) -> int:
        """Return the frame at a pixel; beyond the ends, the first or the last."""
        return int(min(max((x - self.left) / max(self.step, 1e-9), 0), max(self.num_frames - 1, 0)))

    def bins(self) -> NDArray[np.intp]:
        """Return the first frames of what can be told apart: frames, or where there are more than pixels, a pixel's."""
        most = max(int(self.width), 1)
        if self.num_frames <= most:
            return np.arange(self.num_frames)
        return np.unique(np.linspace(0, self.num_frames, most, endpoint=False).astype(np.intp))


def paint_lane(painter: QPainter, lane: Lane, colour: str, axis: FrameAxis, box: QRectF, theme: PlotTheme) -> None:
    """Paint the frames of an object: ground, object score, predicted IoU, J, doubt and prompts.

    Parameters
    ----------
    painter
        With the widget's font.
    lane, colour
        What is known of the object, and how it is drawn, as ``#rrggbb``.
    axis, box
        Where frames lie, and the top and bottom of the lane.
    theme
        The window's colours.
    """
    band = QRectF(axis.left, box.top() + _PAD / 2, axis.width, box.height() - _PAD)
    own = QColor(readable(colour, theme.background))
    bins = axis.bins()
    _paint_ground(painter, lane, own, axis, band, bins, QColor(theme.text))
    _paint_doubt(painter, lane, axis, band, bins, theme)
    _paint_scores(painter, lane, own, axis, band, bins)
    inner = band.adjusted(0, _DOUBT + 1, 0, -_SCORE - 1)
    numbers = lane.numbers
    truth = QColor(readable(TRUTH_COLOUR, theme.background))
    _paint_line(painter, numbers.jaccard, QPen(truth, 1.4, Qt.PenStyle.DotLine), axis, inner, bins)
    _paint_line(painter, numbers.predicted_iou, QPen(own, 1.6), axis, inner, bins)
    for frame_idx, marks in sorted(lane.marks.items()):
        for place, mark in enumerate(marks):
            paint_mark(painter, mark, QPointF(axis.centre(frame_idx) + place * 2.5 * _MARK, band.center().y()), own)


def paint_axis(painter: QPainter, axis: FrameAxis, top: float, theme: PlotTheme) -> None:
    """Paint frame numbers below the lanes."""
    painter.setPen(QColor(theme.text))
    metrics = painter.fontMetrics()
    for number in round_values(0, max(axis.num_frames - 1, 1), max(int(axis.width // 60), 2), whole=True):
        if number < axis.num_frames:
            x, text = axis.centre(number), str(int(number))
            painter.drawLine(QLineF(x, top, x, top + 3))
            wide = metrics.horizontalAdvance(text)
            left = min(x - wide / 2, axis.left + axis.width + RIGHT - wide)
            painter.drawText(QPointF(left, top + 4 + metrics.ascent()), text)


def paint_legend(painter: QPainter, left: float, right: float, height: float, theme: PlotTheme, *, truth: bool) -> None:
    """Paint what lines and bars mean, from the right as far as there is room."""
    entries = [("predicted IoU", "line"), ("doubtful", "doubt"), ("object score", "bar"), ("stale", "stale")]
    if truth:
        entries.insert(1, ("J", "truth"))
    metrics = painter.fontMetrics()
    widths = [metrics.horizontalAdvance(label) + 32 for label, _ in entries]
    while entries and sum(widths) > right - left:
        entries.pop()
        widths.pop()
    x, middle = right - sum(widths), height / 2
    text = QColor(theme.text)
    for (label, what), width in zip(entries, widths, strict=True):
        _paint_key(painter, what, QRectF(x, middle - 4, 16, 8), theme)
        painter.setPen(text)
        painter.drawText(
            QRectF(x + 20, 0, width - 20, height), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, label
        )
        x += width


def paint_mark(painter: QPainter, mark: Mark, at: QPointF, colour: QColor) -> None:
    """Paint a prompt: a disc or a cross for points, an outline for a box, a square for a mask; each with a rim."""
    rim, size = QColor(PROMPT_RIM), _MARK
    if mark is Mark.EXCLUDED:
        arm = size - 0.5
        cross = [QLineF(at.x() - arm, at.y() + s * arm, at.x() + arm, at.y() - s * arm) for s in (1, -1)]
        for pen in (QPen(rim, 4.6), QPen(QColor(EXCLUDED_COLOUR), 2.2)):
            painter.setPen(pen)
            painter.drawLines(cross)
        return
    square = QRectF(at.x() - size, at.y() - size, 2 * size, 2 * size)
    if mark is Mark.BOX:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(rim, 4.2), QPen(colour, 1.8)):
            painter.setPen(pen)
            painter.drawRect(square)
        return
    painter.setPen(QPen(rim, _RIM))
    painter.setBrush(colour if mark is Mark.MASK else QColor(INCLUDED_COLOUR))
    if mark is Mark.MASK:
        painter.drawRect(square)
    else:
        painter.drawEllipse(at, size, size)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _paint_key(painter: QPainter, what: str, box: QRectF, theme: PlotTheme) -> None:
    text, y = QColor(theme.text), box.center().y()
    if what == "stale":
        painter.fillRect(box, QBrush(_faded(text, _STALE), Qt.BrushStyle.BDiagPattern))
    elif what == "doubt":
        painter.fillRect(QRectF(box.left(), y - 2, box.width(), _DOUBT), QColor(_doubt(theme)))
    elif what == "bar":
        painter.fillRect(QRectF(box.left(), y - 2, box.width(), _SCORE), text)
    else:
        truth = QColor(readable(TRUTH_COLOUR, theme.background))
        painter.setPen(QPen(text, 1.6) if what == "line" else QPen(truth, 1.4, Qt.PenStyle.DotLine))
        painter.drawLine(QLineF(box.left(), y, box.right(), y))


def _paint_ground(
    painter: QPainter, lane: Lane, own: QColor, axis: FrameAxis, band: QRectF, bins: NDArray[np.intp], text: QColor
) -> None:
    painter.fillRect(band, _faded(text, _EMPTY))
    # Of several frames in a pixel, the one that says most: stale before tracked before prompted before nothing.
    standings = np.maximum.reduceat(lane.numbers.standings, bins) if len(bins) else lane.numbers.standings
    brushes = {
        Standing.PROMPTED: QBrush(_faded(own, _TRACKED)),
        Standing.TRACKED: QBrush(_faded(own, _TRACKED)),
        Standing.STALE: QBrush(_faded(own, _STALE), Qt.BrushStyle.BDiagPattern),
    }
    for standing, brush in brushes.items():
        for area in _areas(standings == standing, axis, band, bins):
            painter.fillRect(area, brush)


def _paint_doubt(
    painter: QPainter, lane: Lane, axis: FrameAxis, band: QRectF, bins: NDArray[np.intp], theme: PlotTheme
) -> None:
    if not lane.doubtful.any():
        return
    colour = QColor(_doubt(theme))
    for area in _areas(np.logical_or.reduceat(lane.doubtful, bins), axis, band, bins):
        painter.fillRect(area, _faded(colour, _DOUBTED))
        wide = max(area.width(), _DOUBT)
        painter.fillRect(QRectF(area.center().x() - wide / 2, band.top(), wide, _DOUBT), colour)


def _paint_scores(
    painter: QPainter, lane: Lane, own: QColor, axis: FrameAxis, band: QRectF, bins: NDArray[np.intp]
) -> None:
    scores = lane.numbers.object_scores
    if not np.isfinite(scores).any():
        return
    lowest = np.minimum.reduceat(np.where(np.isnan(scores), np.inf, scores), bins)
    with np.errstate(over="ignore"):
        sure = np.where(np.isfinite(lowest) & (lowest > 0), 1 / (1 + np.exp(-lowest)), 0)
    # In steps, so that frames that look alike are painted as one.
    for level in np.unique(steps := np.ceil(sure * 8) / 8):
        if level > 0:
            for area in _areas(steps == level, axis, band, bins):
                # Between present and absent, 0.5, and sure, 1, the bar gains strength.
                painter.fillRect(
                    QRectF(area.left(), band.bottom() - _SCORE, area.width(), _SCORE),
                    _faded(own, round(255 * (2 * level - 1)) if level > 0.5 else 25),
                )


def _paint_line(
    painter: QPainter, values: NDArray[np.float32], pen: QPen, axis: FrameAxis, box: QRectF, bins: NDArray[np.intp]
) -> None:
    if not np.isfinite(values).any():
        return
    lowest = np.minimum.reduceat(np.where(np.isnan(values), np.inf, values), bins)
    ends = np.append(bins[1:], axis.num_frames)
    painter.setPen(pen)
    for first, last in stretches_of(np.isfinite(lowest)):
        where = range(first, last + 1)
        points = [
            QPointF(axis.start((bins[k] + ends[k]) / 2), box.bottom() - box.height() * float(np.clip(lowest[k], 0, 1)))
            for k in where
        ]
        if len(points) == 1:
            half = max(axis.step / 2, 1.0)
            points = [points[0] - QPointF(half, 0), points[0] + QPointF(half, 0)]
        painter.drawPolyline(QPolygonF(points))


def _areas(where: NDArray[np.bool_], axis: FrameAxis, band: QRectF, bins: NDArray[np.intp]) -> Iterator[QRectF]:
    """Give the part of a band that each stretch of bins takes."""
    ends = np.append(bins[1:], axis.num_frames)
    for first, last in stretches_of(where):
        left, right = axis.start(bins[first]), axis.start(ends[last])
        yield QRectF(left, band.top(), right - left, band.height())


def _doubt(theme: PlotTheme) -> str:
    return readable(DOUBT_COLOUR, theme.background)


def _faded(colour: QColor, alpha: int) -> QColor:
    faded = QColor(colour)
    faded.setAlpha(alpha)
    return faded
