"""Paints charts with Qt: some milliseconds, so it is done whenever anything changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainterPath, QPen, QPolygonF

from napari_sam2_probe.common.stretches import stretches_of
from napari_sam2_probe.gui.plots.area import readable
from napari_sam2_probe.gui.plots.legend import HANDLE, ROW
from napari_sam2_probe.gui.plots.ticks import axis_values, write_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPainter

    from napari_sam2_probe.figures.chart import Chart, Dots, Shape, Trace
    from napari_sam2_probe.gui.plots.area import PlotArea, PlotTheme
    from napari_sam2_probe.gui.plots.legend import Placed

_DASHES = {
    "solid": Qt.PenStyle.SolidLine,
    "dashed": Qt.PenStyle.DashLine,
    "dotted": Qt.PenStyle.DotLine,
}
_X_NUMBER, _Y_NUMBER = 48, 26
"""Pixels between two numbers at least."""
_EDGE = 4.0
"""Pixels from the edge at which a point beyond the limits is hinted at."""


def paint_chart(painter: QPainter, chart: Chart, area: PlotArea, theme: PlotTheme) -> None:
    """Paint one chart into its area, with numbers, title and labels around it."""
    inside = QRectF(area.left, area.top, area.width, area.height)
    _paint_shades(painter, chart, area)
    _paint_axes(painter, chart, area, theme)
    painter.save()
    painter.setClipRect(inside.adjusted(-3, -3, 3, 3))
    for trace in chart.traces:
        _paint_trace(painter, trace, area, theme)
    painter.restore()
    for dots in chart.dots:
        _paint_dots(painter, dots, area, theme)
    if chart.is_empty:
        painter.setPen(QColor(theme.text))
        painter.drawText(inside, Qt.AlignmentFlag.AlignCenter, chart.note or "no values")


def paint_legend(painter: QPainter, placed: Sequence[Placed], left: float, top: float, theme: PlotTheme) -> None:
    """Paint the entries of a legend from a corner on."""
    for one in placed:
        entry, x, y = one.entry, left + one.x, top + one.y + ROW / 2
        colour = QColor(readable(entry.colour, theme.background))
        if entry.mark == "shade":
            colour.setAlphaF(0.45)
            painter.fillRect(QRectF(x, y - 5, HANDLE - 5, 10), colour)
        elif entry.mark in _DASHES:
            painter.setPen(QPen(colour, 2.0, _DASHES[entry.mark]))
            painter.drawLine(QPointF(x, y), QPointF(x + HANDLE - 5, y))
        else:
            _paint_mark(painter, entry.mark, x + (HANDLE - 5) / 2, y, 3.5, colour, hollow=entry.hollow, theme=theme)
        painter.setPen(QColor(theme.text))
        painter.drawText(
            QRectF(x + HANDLE, y - ROW / 2, 2000, ROW),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            one.text,
        )


def paint_key(painter: QPainter, chart: Chart, area: PlotArea, theme: PlotTheme) -> None:
    """Paint what the colours of points mean, at the right of an area."""
    from matplotlib import colormaps

    key = chart.key
    if key is None:
        return
    x, steps = area.left + area.width + 8, 48
    colours = colormaps[key.name](np.linspace(1, 0, steps), bytes=True)
    top, height = area.top + ROW, area.height - ROW
    for k, (red, green, blue, _) in enumerate(colours.tolist()):
        painter.fillRect(QRectF(x, top + k * height / steps, 8, height / steps + 1), QColor(red, green, blue))
    painter.setPen(QColor(theme.text))
    painter.drawText(QPointF(x - 4, area.top + 8), key.label)
    for value, y in ((key.high, top + 8), (key.low, top + height)):
        painter.drawText(QPointF(x + 11, y), write_value(value))


def _paint_shades(painter: QPainter, chart: Chart, area: PlotArea) -> None:
    for shade in chart.shades:
        colour = QColor(shade.colour)
        colour.setAlphaF(shade.opacity)
        for first, last in shade.spans:
            left, right = (area.to_pixels(x, area.ylim[0])[0] for x in (first, last))
            left, right = (min(max(x, area.left), area.left + area.width) for x in (left, right))
            painter.fillRect(QRectF(left, area.top, right - left, area.height), colour)


def _paint_axes(painter: QPainter, chart: Chart, area: PlotArea, theme: PlotTheme) -> None:
    text, faint = QColor(theme.text), QColor(theme.text)
    faint.setAlpha(45)
    bottom, right = area.top + area.height, area.left + area.width
    centre, beside = Qt.AlignmentFlag.AlignCenter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    room = right - (painter.fontMetrics().horizontalAdvance(chart.x_label) + 14 if _label_in_row(chart) else 0)
    for value in axis_values(*area.xlim, int(area.width / _X_NUMBER), log=area.xlog, whole=chart.counts_frames):
        x, _ = area.to_pixels(value, area.ylim[0])
        painter.setPen(faint)
        painter.drawLine(QPointF(x, area.top), QPointF(x, bottom))
        painter.setPen(text)
        if x < room:
            painter.drawText(QRectF(x - 40, bottom + 2, 80, ROW - 2), centre, write_value(value))
    if chart.y_numbers and not chart.is_empty:
        for value in axis_values(*area.ylim, int(area.height / _Y_NUMBER) + 1, log=area.ylog):
            _, y = area.to_pixels(area.xlim[0], value)
            painter.setPen(faint)
            painter.drawLine(QPointF(area.left, y), QPointF(right, y))
            painter.setPen(text)
            painter.drawText(QRectF(area.left - 64, y - 8, 60, 16), beside, write_value(value))
    painter.setPen(QPen(text, 1))
    painter.drawLine(QPointF(area.left, bottom), QPointF(right, bottom))
    painter.drawLine(QPointF(area.left, area.top), QPointF(area.left, bottom))
    if chart.title:
        painter.drawText(QRectF(area.left, area.top - ROW - 2, area.width, ROW), centre, chart.title)
    if chart.x_label and _label_in_row(chart):
        painter.drawText(QRectF(right - 120, bottom + 2, 120, ROW - 2), beside, chart.x_label)
    elif chart.x_label:
        painter.drawText(QRectF(area.left - 40, bottom + ROW, area.width + 80, ROW), centre, chart.x_label)
    if chart.y_label:
        painter.save()
        painter.translate(area.left - (52 if chart.y_numbers else 10), area.top + area.height / 2)
        painter.rotate(-90)
        words = painter.fontMetrics().elidedText(chart.y_label, Qt.TextElideMode.ElideRight, int(area.height) + 12)
        painter.drawText(QRectF(-area.height / 2 - 10, -8, area.height + 20, 16), centre, words)
        painter.restore()


def _label_in_row(chart: Chart) -> bool:
    # Beside the numbers, which saves a row where a dock is low.
    return chart.counts_frames


def _paint_trace(painter: QPainter, trace: Trace, area: PlotArea, theme: PlotTheme) -> None:
    x, y = area.all_to_pixels(trace.x, trace.y)
    pen = QPen(QColor(readable(trace.colour, theme.background)), trace.width, _DASHES[trace.dash])
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    known = np.isfinite(x) & np.isfinite(y)
    # Far outside, Qt would count dashes for a while.
    y = np.clip(y, area.top - 10 * area.height, area.top + 11 * area.height)
    for first, last in stretches_of(known):
        if first == last:
            painter.drawEllipse(QPointF(x[first], y[first]), 1.0, 1.0)
        else:
            points = zip(x[first : last + 1].tolist(), y[first : last + 1].tolist(), strict=True)
            painter.drawPolyline(QPolygonF([QPointF(*point) for point in points]))


def _paint_dots(painter: QPainter, dots: Dots, area: PlotArea, theme: PlotTheme) -> None:
    x, y = area.all_to_pixels(dots.x, dots.y)
    known = np.isfinite(x) & np.isfinite(y)
    left, right, top, bottom = area.left, area.left + area.width, area.top, area.top + area.height
    inside = known & (x >= left - 4) & (x <= right + 4) & (y >= top - 4) & (y <= bottom + 4)
    if isinstance(dots.colours, str) and dots.shape == "circle" and dots.hollow is None:
        # Many points, of an experiment, in one stroke.
        colour = QColor(readable(dots.colours, theme.background))
        painter.setPen(QPen(colour, dots.size, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPoints(QPolygonF([QPointF(*p) for p in zip(x[inside].tolist(), y[inside].tolist(), strict=True)]))
    else:
        for k in np.flatnonzero(inside).tolist():
            hollow = dots.hollow is not None and bool(dots.hollow[k])
            colour = _colour_of(dots, k, theme)
            _paint_mark(painter, dots.shape, x[k], y[k], dots.size / 2, colour, hollow=hollow, theme=theme)
    if dots.shape in ("circle", "square"):
        for k in np.flatnonzero(known & ~inside).tolist():
            _paint_hint(painter, x[k], y[k], area, _colour_of(dots, k, theme), theme)


def _colour_of(dots: Dots, index: int, theme: PlotTheme) -> QColor:
    if isinstance(dots.colours, str):
        return QColor(readable(dots.colours, theme.background))
    return QColor(*dots.colours[index].tolist())


def _paint_mark(
    painter: QPainter,
    shape: Shape | str,
    x: float,
    y: float,
    radius: float,
    colour: QColor,
    *,
    hollow: bool,
    theme: PlotTheme,
) -> None:
    rim = QColor(theme.text)
    rim.setAlpha(150)
    painter.setBrush(QColor(theme.background) if hollow else colour)
    painter.setPen(QPen(colour if hollow else rim, 1.6 if hollow else 0.6))
    if shape == "circle":
        painter.drawEllipse(QPointF(x, y), radius, radius)
    elif shape == "square":
        painter.drawRect(QRectF(x - radius, y - radius, 2 * radius, 2 * radius))
    else:
        painter.drawPolygon(_corners(shape, x, y, radius))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _corners(shape: Shape | str, x: float, y: float, radius: float) -> QPolygonF:
    if shape == "star":
        angles = np.pi * (np.arange(10) / 5 - 0.5)
        radii = np.where(np.arange(10) % 2, 0.42, 1.0) * radius
    else:
        angles, radii = np.pi * (np.arange(3) * 2 / 3 - 0.5), np.full(3, radius)
    ends = zip((x + radii * np.cos(angles)).tolist(), (y + radii * np.sin(angles)).tolist(), strict=True)
    return QPolygonF([QPointF(*end) for end in ends])


def _paint_hint(painter: QPainter, x: float, y: float, area: PlotArea, colour: QColor, theme: PlotTheme) -> None:
    """Paint an arrow head on the edge towards a point beyond it."""
    at_x = min(max(x, area.left + _EDGE), area.left + area.width - _EDGE)
    at_y = min(max(y, area.top + _EDGE), area.top + area.height - _EDGE)
    painter.save()
    painter.translate(at_x, at_y)
    painter.rotate(float(np.degrees(np.arctan2(y - at_y, x - at_x))))
    head = QPainterPath(QPointF(5, 0))
    for corner in (QPointF(-4, -4), QPointF(-4, 4), QPointF(5, 0)):
        head.lineTo(corner)
    painter.setPen(QPen(QColor(theme.text), 0.6))
    painter.fillPath(head, colour)
    painter.drawPath(head)
    painter.restore()
