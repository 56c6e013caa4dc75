"""What is read off a chart under the mouse, and the small box that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QPen

from napari_sam2_probe.gui.plots.area import readable
from napari_sam2_probe.gui.plots.ticks import write_value

if TYPE_CHECKING:
    from qtpy.QtGui import QPainter

    from napari_sam2_probe.figures.chart import Chart, Dots
    from napari_sam2_probe.gui.plots.area import PlotArea, PlotTheme

NEAR = 12.0
"""Pixels from a point within which the mouse is on it."""

MOST_LINES = 9
_LINE = 14


@dataclass(frozen=True)
class Reading:
    """What is told, and where.

    Attributes
    ----------
    lines
        Texts; empty where nothing is under the mouse.
    colours
        Of each line's mark, empty for none.
    points
        Pixels that are marked on the chart, each in its colour.
    """

    lines: list[str]
    colours: list[str]
    points: list[tuple[float, float, str]]


def read_chart(chart: Chart, area: PlotArea, at: tuple[float, float]) -> Reading:
    """Read a chart off at a pixel: all lines at a frame, else the point that is nearest."""
    return _read_frame(chart, area, at) if chart.counts_frames else _read_point(chart, area, at)


def paint_readout(
    painter: QPainter,
    reading: Reading,
    area: PlotArea | None,
    at: tuple[float, float],
    within: QRect,
    theme: PlotTheme,
) -> None:
    """Paint a reading beside the mouse, inside the widget; its points inside the area, where there is one."""
    if not reading.lines:
        return
    for x, y, colour in reading.points:
        if area is not None and area.contains(x, y):
            painter.setPen(QPen(QColor(theme.background), 1))
            painter.setBrush(QColor(readable(colour, theme.background)))
            painter.drawEllipse(QPointF(x, y), 3.5, 3.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    width = max(painter.fontMetrics().horizontalAdvance(line) for line in reading.lines) + 24
    height = _LINE * len(reading.lines) + 6
    x = at[0] + 14 if at[0] + 14 + width < within.width() else at[0] - 14 - width
    y = min(max(at[1] - height / 2, 1), max(within.height() - height - 1, 1))
    ground = QColor(theme.background)
    ground.setAlpha(235)
    box = QRectF(max(x, 1), y, width, height)
    painter.setPen(QPen(QColor(theme.text), 0.8))
    painter.setBrush(ground)
    painter.drawRoundedRect(box, 3, 3)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for k, (line, colour) in enumerate(zip(reading.lines, reading.colours, strict=True)):
        top = y + 3 + k * _LINE
        if colour:
            painter.fillRect(QRectF(box.left() + 6, top + 5, 8, 4), QColor(readable(colour, theme.background)))
        painter.setPen(QColor(theme.text))
        where = QRectF(box.left() + (18 if colour else 6), top, width, _LINE)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, line)


def _read_frame(chart: Chart, area: PlotArea, at: tuple[float, float]) -> Reading:
    frame = round(area.to_data(*at)[0])
    lines, colours, points = [f"Frame {frame}"], [""], []
    # Nearest to the mouse first, since there may be more than fit.
    read = []
    for trace in chart.traces:
        value = trace.read(frame)
        if np.isfinite(value):
            index = int(np.argmin(np.abs(trace.x - frame)))
            x, y = area.to_pixels(float(trace.x[index]), float(trace.y[index]))
            read.append((abs(y - at[1]), trace, value, (x, y)))
    for _, trace, value, (x, y) in sorted(read, key=lambda one: one[0])[: MOST_LINES - 1]:
        lines.append(f"{trace.label}: {write_value(value)}")
        colours.append(trace.colour)
        points.append((x, y, trace.colour))
    if len(lines) == 1:
        lines[0] += ": no values"
    return Reading(lines, colours, points)


def _read_point(chart: Chart, area: PlotArea, at: tuple[float, float]) -> Reading:
    best: tuple[float, Dots, int, tuple[float, float]] | None = None
    for dots in chart.dots:
        x, y = area.all_to_pixels(dots.x, dots.y)
        if not len(x):
            continue
        # A hint on the edge stands for the point beyond it.
        shown_x, shown_y = np.clip(x, area.left, area.left + area.width), np.clip(y, area.top, area.top + area.height)
        distance = np.hypot(shown_x - at[0], shown_y - at[1])
        distance = np.where(np.isfinite(distance), distance, np.inf)
        index = int(np.argmin(distance))
        if distance[index] <= NEAR and (best is None or distance[index] < best[0]):
            best = float(distance[index]), dots, index, (float(x[index]), float(y[index]))
    if best is None:
        return Reading([], [], [])
    _, dots, index, place = best
    lines = [] if dots.frames is None else [f"Frame {int(dots.frames[index])}"]
    if dots.owner:
        lines.append(dots.owner)
    lines.append(f"{write_value(float(dots.x[index]))}, {write_value(float(dots.y[index]))}")
    if not area.contains(*place):
        lines.append("beyond the plot: scroll to zoom out")
    return Reading(lines, [""] * len(lines), [])
