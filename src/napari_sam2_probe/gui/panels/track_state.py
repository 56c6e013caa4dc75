"""The line at the top of the Track panel that says what to do next, and what a click came to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.live.next_step import Doing, Situation, next_step

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.tracking.controller import TrackController


_MESSAGE_MS = 6_000
"""How long a message stands there, unless something else happens before."""


class StateLine(QLabel):
    """One sentence, always up to date; for a moment, what can't be done and why.

    Where it speaks of doubtful frames, a click on it goes to the next.

    Parameters
    ----------
    controller
        Of the Track panel.

    Attributes
    ----------
    connections
        To the controller, which may outlive the line.
    """

    def __init__(self, controller: TrackController) -> None:
        super().__init__(objectName="next_step", wordWrap=True)
        self.setToolTip("What to do next")
        self.setAccessibleName("What to do next")
        font = self.font()
        font.setBold(True)
        self.setFont(font)
        # What is below doesn't move when a sentence takes two lines.
        self.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 2)
        # A long sentence doesn't widen the panel, and with it the window.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._controller = controller
        self._situation = Situation()
        self._message = QTimer(self, singleShot=True, interval=_MESSAGE_MS)
        self._message.timeout.connect(self._look)
        self.connections = Connections()
        add = self.connections.add
        add(controller.video_changed, self._look)
        add(controller.prompts_changed, self._forget_message)
        add(controller.scores_changed, self._look)
        add(controller.model_changed, self._look)
        add(controller.runner.phase_changed, self._on_phase)
        add(controller.runner.progressed, self._on_progress)
        add(controller.told, self._tell)
        add(controller.refused, self._tell)
        self._look()

    def _look(self, *_: Any) -> None:
        controller, now = self._controller, self._situation
        doing = Doing(controller.runner.phase.value)
        # How far another pass came says nothing of one that begins.
        counts = (now.done, now.total) if doing in (Doing.TRACKING, Doing.PAUSED) else (0, 0)
        video, prompts, scores = controller.video, controller.prompts, controller.scores
        if video is None or prompts is None or scores is None:
            self._show(Situation())
            return
        doubtful = {frame_idx for frames in controller.doubtful_frames().values() for frame_idx in frames}
        self._show(
            Situation(
                has_video=True,
                num_frames=video.video.num_frames,
                has_model=controller.choice is not None,
                num_prompts=len(prompts.states),
                num_tracked=len(scores.tracked_frames()),
                doubtful=tuple(sorted(doubtful)),
                doing=doing,
                done=counts[0],
                total=counts[1],
            )
        )

    def _on_progress(self, progress: Progress, _: float | None) -> None:
        if self._controller.runner.phase in (Phase.TRACKING, Phase.PAUSED):
            self._show(replace(self._situation, done=progress.done, total=progress.total))

    def _on_phase(self, phase: Phase) -> None:
        if phase is not Phase.IDLE:
            # What is going on now; what it came to may be told as it ends.
            self._message.stop()
        self._look()

    def _forget_message(self) -> None:
        self._message.stop()
        self._look()

    def _tell(self, message: str) -> None:
        self._message.start()
        self.setText(message)
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Go to the next doubtful frame; Qt calls it."""
        if event.button() == Qt.MouseButton.LeftButton and self._offers_review:
            self._controller.go_to_doubtful()
        super().mouseReleaseEvent(event)

    @property
    def _offers_review(self) -> bool:
        now = self._situation
        return bool(now.doubtful) and now.doing is Doing.NOTHING and not self._message.isActive()

    def _show(self, situation: Situation) -> None:
        self._situation = situation
        if not self._message.isActive():
            self.setText(next_step(situation))
            hand, arrow = Qt.CursorShape.PointingHandCursor, Qt.CursorShape.ArrowCursor
            self.setCursor(hand if self._offers_review else arrow)
