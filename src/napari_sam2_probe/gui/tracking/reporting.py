"""Tells the state line where tracking stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.live.next_step import Doing

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.tracking.controller import TrackController

_DOING = {
    Phase.IDLE: Doing.NOTHING,
    Phase.PROMPTING: Doing.PROMPTING,
    Phase.TRACKING: Doing.TRACKING,
    Phase.PAUSED: Doing.PAUSED,
}


class Reporter:
    """Notes in the shared state what a controller does.

    Parameters
    ----------
    controller
        Of the Track panel.
    """

    def __init__(self, controller: TrackController) -> None:
        self._controller = controller
        self._state = controller.state
        self._connections = Connections()
        add = self._connections.add
        add(controller.video_changed, self._on_video)
        add(controller.scores_changed, self._on_scores)
        add(controller.prompts_changed, self._on_prompts)
        add(controller.model_changed, self._on_model)
        add(controller.told, self._on_told)
        add(controller.refused, self._on_told)
        add(controller.runner.phase_changed, self._on_phase)
        add(controller.runner.progressed, self._on_progress)
        add(self._state.jobs.changed, self._on_jobs)
        self._on_model()
        self._on_video()

    def close(self) -> None:
        """Nothing is tracked any more; calling it twice is harmless."""
        self._connections.close()
        self._state.know(
            num_prompts=0,
            num_tracked=0,
            doubtful=(),
            doing=Doing.NOTHING,
            what="",
            done=0,
            total=0,
            waits_for="",
            can_click=False,
        )

    def _on_video(self, *_: Any) -> None:
        self._on_phase(self._controller.runner.phase)
        self._on_prompts()
        self._on_scores()

    def _on_prompts(self, *_: Any) -> None:
        prompts = self._controller.prompts
        self._state.know(num_prompts=0 if prompts is None else len(prompts.states))

    def _on_scores(self, *_: Any) -> None:
        scores, prompts = self._controller.scores, self._controller.prompts
        if scores is None or prompts is None:
            self._state.know(num_tracked=0, doubtful=())
            return
        # A prompted frame has been looked at.
        doubtful = {
            int(frame_idx)
            for obj_id in self._controller.objects.names
            for frame_idx in scores.doubtful_frames(obj_id)
            if (frame_idx, obj_id) not in prompts.states
        }
        self._state.know(num_tracked=len(scores.tracked_frames()), doubtful=tuple(sorted(doubtful)))

    def _on_model(self, *_: Any) -> None:
        self._state.know(has_model=self._controller.choice is not None)

    def _on_phase(self, phase: Phase) -> None:
        self._state.know(doing=_DOING[phase], waits_for=self._waits_for())
        if phase is Phase.IDLE:
            self._state.know(what="", done=0, total=0, seconds_left=None)
            self._on_scores()

    def _on_progress(self, progress: Progress, seconds_left: float | None) -> None:
        self._state.know(
            what=progress.what, done=progress.done, total=progress.total, seconds_left=seconds_left, waits_for=""
        )

    def _on_jobs(self) -> None:
        self._state.know(waits_for=self._waits_for())

    def _on_told(self, text: str) -> None:
        self._state.told.emit(text)

    def _waits_for(self) -> str:
        ahead = self._controller.runner.waits_for
        return "" if ahead is None else ahead.title
