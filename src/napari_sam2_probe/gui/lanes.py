"""One lane for each object under the video: what is tracked, prompted, stale and doubtful; a click goes there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QLineF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.closing import close_all
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.lane_painting import GUTTER, RIGHT, FrameAxis, paint_axis, paint_lane, paint_legend
from napari_sam2_probe.gui.plots.theme import plot_theme
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.time_axis import show_frame, shown_frame
from napari_sam2_probe.gui.tracking.shared import borrow_controller
from napari_sam2_probe.live.lane import lane_of, lane_of_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from qtpy.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.live.lane import Lane

LANE, LEAST_LANE = 26, 22
"""Height of a lane as it likes to be, and as it may be, in pixels."""

MOST_LANES = 5
"""Lanes that are seen at once; of more, those about the chosen object."""

_HEAD, _AXIS = 17, 19
_TEXT = 0.88
"""Size of the text, of that of other widgets."""


class Lanes(QWidget):
    """The objects of the video that is worked on over time, or those of a run where nothing is tracked yet.

    Needs no Track panel: whoever shows the lanes of a viewer shares its `TrackController`.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lanes")
        self.setAccessibleName("Objects over time")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._state = state_of(viewer)
        lease = borrow_controller(self._state.viewer)
        self.controller = lease.controller
        self._background = Background()
        self._lanes: tuple[Lane, ...] = ()
        self._of_run: tuple[Lane, ...] = ()
        self._frame = 0
        self._picture: QPixmap | None = None
        self._theme = plot_theme(self._state.viewer.theme)
        self._connections = Connections()
        add, controller = self._connections.add, self.controller
        for signal in (
            controller.video_changed,
            controller.scores_changed,
            controller.prompts_changed,
            controller.objects.changed,
            self._state.object_changed,
        ):
            add(signal, self._look)
        for signal in (self._state.current_run_changed, self._state.run_finished, controller.video_changed):
            add(signal, self._read_run)
        add(self._state.viewer.dims.events.current_step, self._on_slider)
        add(self._state.viewer.events.theme, self._on_theme)
        # Bound to what outlives the widget: Qt calls it when its own part is gone already.
        self.destroyed.connect(partial(close_all, [self._connections, self._background, lease]))
        self._look()
        self._read_run()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """What is shown, from top to bottom."""
        return self._lanes

    @property
    def frame(self) -> int:
        """The frame that is marked."""
        return self._frame

    # What is shown.

    def _look(self, *_: Any) -> None:
        controller = self.controller
        table, prompts = controller.scores, controller.prompts
        before = len(self._lanes)
        if table is None or prompts is None:
            self._lanes = self._of_run
        else:
            states = prompts.states
            lanes = tuple(lane_of(table, states, entry.obj_id) for entry in controller.objects.entries)
            used = states or len(table.tracked_frames())
            fits = bool(self._of_run) and self._of_run[0].num_frames == table.num_frames
            self._lanes = self._of_run if not used and fits else lanes
        if len(self._lanes) != before:
            self.updateGeometry()
        self._on_slider()
        self._paint_again()

    def _read_run(self, *_: Any) -> None:
        entry = self._state.current_run
        if entry is None or entry.live:
            self._background.forget("run")
            self._take_run(())
        else:
            self._background.submit("run", partial(_lanes_of, entry), self._take_run)

    def _take_run(self, lanes: Sequence[Lane]) -> None:
        if lanes or self._of_run:
            self._of_run = tuple(lanes)
            self._look()

    def _on_slider(self, *_: Any) -> None:
        video = self.controller.video
        frame = shown_frame(self._state.viewer, None if video is None else video.layer)
        if frame != self._frame:
            self._frame = frame
            self.update()

    def _on_theme(self, _: Any) -> None:
        self._theme = plot_theme(self._state.viewer.theme)
        self._paint_again()

    # Where things are.

    @property
    def _shown(self) -> tuple[Lane, ...]:
        """The lanes that there is room for, with that of the chosen object."""
        chosen = next((k for k, lane in enumerate(self._lanes) if lane.obj_id == self._state.obj_id), 0)
        room = max(int((self.height() - _HEAD - _AXIS) // LEAST_LANE), 1)
        first = max(min(chosen - room // 2, len(self._lanes) - room), 0)
        return self._lanes[first : first + room]

    @property
    def axis(self) -> FrameAxis:
        """Where frames lie."""
        num_frames = self._lanes[0].num_frames if self._lanes else 0
        return FrameAxis(num_frames, GUTTER, max(self.width() - GUTTER - RIGHT, 1))

    def box_of(self, obj_id: int) -> QRectF | None:
        """Return where an object's lane lies in the widget; None if it is not seen."""
        shown = self._shown
        high = min((self.height() - _HEAD - _AXIS) / max(len(shown), 1), LANE + 2)
        for number, lane in enumerate(shown):
            if lane.obj_id == obj_id:
                return QRectF(0, _HEAD + number * high, self.width(), high)
        return None

    def sizeHint(self) -> QSize:
        """Ask for room for the lanes; Qt calls it."""
        return QSize(420, _HEAD + _AXIS + LANE * min(max(len(self._lanes), 1), MOST_LANES))

    def minimumSizeHint(self) -> QSize:
        """Ask for the least room; Qt calls it."""
        return QSize(240, _HEAD + _AXIS + LEAST_LANE * min(max(len(self._lanes), 1), MOST_LANES))

    # Painting.

    def _paint_again(self) -> None:
        self._picture = None
        self.update()

    def resizeEvent(self, event: Any) -> None:
        """Paint again; Qt calls it."""
        super().resizeEvent(event)
        self._picture = None

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint the lanes, and over them the frame that is shown; Qt calls it."""
        if self._picture is None:
            self._picture = self._compose()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        text = QColor(self._theme.text)
        if self._lanes and self._frame < self._lanes[0].num_frames:
            x = self.axis.centre(self._frame)
            painter.setPen(QPen(text, 1.4))
            painter.drawLine(QLineF(x, _HEAD - 2, x, self._bottom))
        if self.hasFocus():
            painter.setPen(QPen(text, 1, Qt.PenStyle.DotLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    @property
    def _bottom(self) -> float:
        boxes = [self.box_of(lane.obj_id) for lane in self._shown]
        return max((box.bottom() for box in boxes if box is not None), default=float(_HEAD))

    def _compose(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(self._theme.background))
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPointSizeF(max(_TEXT * font.pointSizeF(), 6.0))
        painter.setFont(font)
        if not self._lanes:
            painter.setPen(QColor(self._theme.text))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Open a video: its objects are shown here.")
            painter.end()
            return picture
        axis = self.axis
        truth = any(lane.numbers.true_id is not None for lane in self._lanes)
        for lane in self._shown:
            box = self.box_of(lane.obj_id)
            assert box is not None
            self._paint_name(painter, lane, box)
            paint_lane(painter, lane, self._colour(lane.obj_id), axis, box, self._theme)
        head = self._headline()
        painter.setPen(QColor(self._theme.text))
        wide = painter.fontMetrics().horizontalAdvance(head) + 16
        painter.drawText(QRectF(6, 0, wide, _HEAD), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, head)
        paint_legend(painter, max(wide, GUTTER), self.width() - RIGHT, _HEAD, self._theme, truth=truth)
        paint_axis(painter, axis, self._bottom, self._theme)
        painter.end()
        return picture

    def _headline(self) -> str:
        if not self._lanes[0].num_frames:
            return ""
        hidden = len(self._lanes) - len(self._shown)
        return f"+{hidden} more objects" if hidden > 1 else "+1 more object" if hidden else ""

    def _paint_name(self, painter: QPainter, lane: Lane, box: QRectF) -> None:
        colour, chosen = QColor(self._colour(lane.obj_id)), lane.obj_id == self._state.obj_id
        middle = box.center().y()
        swatch = QRectF(10, middle - 5, 10, 10)
        painter.fillRect(swatch, colour)
        if chosen:
            painter.fillRect(QRectF(2, box.top() + 3, 3, box.height() - 6), QColor(self._theme.text))
        font = painter.font()
        font.setBold(chosen)
        painter.setFont(font)
        name = self._name(lane.obj_id)
        # The number is how runs and tables call it.
        text = name if name == f"Object {lane.obj_id}" else f"{lane.obj_id} {name}"
        fits = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, GUTTER - 32)
        painter.setPen(QColor(self._theme.text))
        painter.drawText(
            QRectF(26, box.top(), GUTTER - 28, box.height()),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            fits,
        )
        font.setBold(False)
        painter.setFont(font)

    def _name(self, obj_id: int) -> str:
        return self.controller.objects.names.get(obj_id, f"Object {obj_id}")

    def _colour(self, obj_id: int) -> str:
        return self.controller.objects.colours.get(obj_id) or object_colour(obj_id)

    # Mouse and keys.

    def _lane_at(self, y: float) -> Lane | None:
        for lane in self._shown:
            box = self.box_of(lane.obj_id)
            if box is not None and box.top() <= y < box.bottom():
                return lane
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the object under the mouse, and go to the frame; Qt calls it."""
        if event.button() != Qt.MouseButton.LeftButton or not self._lanes:
            return
        lane = self._lane_at(event.position().y())
        if lane is not None and lane.obj_id in self.controller.objects:
            self._state.obj_id = lane.obj_id
        if event.position().x() >= GUTTER:
            self._go_to(self.axis.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show the numbers under the mouse, and follow it while it is pressed; Qt calls it."""
        x, y = event.position().x(), event.position().y()
        if not self._lanes or x < GUTTER:
            QToolTip.hideText()
            return
        frame_idx = self.axis.frame_at(x)
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(frame_idx)
        QToolTip.showText(event.globalPosition().toPoint(), self.describe(frame_idx, self._lane_at(y)), self)

    def describe(self, frame_idx: int, lane: Lane | None = None) -> str:
        """Return what is known of a frame in words: of one object, or of all."""
        lanes = self._lanes if lane is None else (lane,)
        lines = [f"{self._name(of.obj_id)}: {', '.join(of.describe(frame_idx))}" for of in lanes]
        return "\n".join([f"Frame {frame_idx}", *lines])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on or back a frame, to the ends, to another object or to a doubtful frame; Qt calls it."""
        key, lanes = event.key(), self._lanes
        last = lanes[0].num_frames - 1 if lanes else 0
        frames = {
            Qt.Key.Key_Left: self._frame - 1,
            Qt.Key.Key_Right: self._frame + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        if key in frames and lanes:
            self._go_to(min(max(frames[Qt.Key(key)], 0), last))
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and lanes:
            self._choose_beside(-1 if key == Qt.Key.Key_Up else 1)
        elif key == Qt.Key.Key_D:
            back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.controller.go_to_doubtful(-1 if back else 1)
        else:
            super().keyPressEvent(event)

    def _choose_beside(self, step: int) -> None:
        ids = [lane.obj_id for lane in self._lanes if lane.obj_id in self.controller.objects]
        if self._state.obj_id in ids:
            self._state.obj_id = ids[min(max(ids.index(self._state.obj_id) + step, 0), len(ids) - 1)]

    def _go_to(self, frame_idx: int) -> None:
        if self.controller.video is not None:
            self.controller.go_to(frame_idx)
        else:
            show_frame(self._state.viewer, frame_idx)


def _lanes_of(entry: RunEntry) -> list[Lane]:
    try:
        run = entry.open()
    except InputError:
        # The panels that are about runs say why; lanes of the run before would be wrong.
        return []
    return [lane_of_run(run, obj_id) for obj_id in run.object_ids.tolist()]
