"""The line at the top of the Track panel that says what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.live.next_step import Doing, Situation, next_step

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.tracking.controller import TrackController


class StateLine(QLabel):
    """One sentence, always up to date.

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
        self.connections = Connections()
        add = self.connections.add
        add(controller.video_changed, self._look)
        add(controller.prompts_changed, self._look)
        add(controller.scores_changed, self._look)
        add(controller.model_changed, self._look)
        add(controller.runner.phase_changed, self._look)
        add(controller.runner.progressed, self._on_progress)
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
        # A prompted frame has been looked at.
        doubtful = {
            int(frame_idx)
            for obj_id in controller.objects.names
            for frame_idx in scores.doubtful_frames(obj_id)
            if (int(frame_idx), obj_id) not in prompts.states
        }
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

    def _show(self, situation: Situation) -> None:
        self._situation = situation
        self.setText(next_step(situation))
