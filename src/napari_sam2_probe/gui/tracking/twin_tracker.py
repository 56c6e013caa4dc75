"""*Track clip and twin*: the clip as always, then its twin from the same prompts, and both runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.jobs import Job, JobState
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import MASK_OPACITY, MASKS, METADATA_KEY, VIDEO
from napari_sam2_probe.gui.lazy import RunStack
from napari_sam2_probe.gui.state import RunEntry
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.videos import placement
from napari_sam2_probe.live import events
from napari_sam2_probe.live.twin import TwinRun, find_twin, has_twin, prompts_for_twin

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.tracking.controller import TrackController
    from napari_sam2_probe.video.video import Video


class TwinTracker:
    """Lets the twin follow when the clip is tracked to its end.

    Parameters
    ----------
    controller
        Of the clip.
    """

    changed = Signal()
    """It begins or ends."""

    def __init__(self, controller: TrackController) -> None:
        self._controller = controller
        self._waiting: TwinRun | None = None
        self._job: Job | None = None
        self._complete = False
        self._connections = Connections()
        self._connections.add(controller.runner.happened, self._on_event)
        self._connections.add(controller.runner.phase_changed, self._on_phase)
        self._connections.add(controller.video_changed, self._on_video)
        self._connections.add(controller.state.jobs.progressed, self._on_progress)

    @property
    def busy(self) -> bool:
        """Whether a twin is being tracked, or waits for its clip."""
        return self._waiting is not None or self._job is not None

    @property
    def offered(self) -> bool:
        """Whether the video that is worked on is a clip whose twin is known."""
        video = self._controller.video
        try:
            return video is not None and has_twin(video.video, self._videos())
        except InputError:
            # The tables of its data set are damaged, which is said where they are needed.
            return False

    def start(self, *_: Any) -> None:
        """Track the clip forward, and when that is done its twin."""
        controller = self._controller
        video, prompts, choice = controller.video, controller.prompts, controller.choice
        if video is None or prompts is None or self.busy or controller.runner.phase is Phase.TRACKING:
            return
        try:
            twin = find_twin(video.video, self._videos())
            if twin is None:
                return
            states = prompts_for_twin(video.video, twin, prompts.states)
        except InputError as error:
            controller.refused.emit(str(error))
            return
        if choice is not None:
            cache = controller.runner.model_cache
            waiting = TwinRun(
                twin, choice, controller.runs_folder, cache, states, controller.options, controller.objects.names
            )
            self._waiting, self._complete = waiting, False
        # Without a model the user is told.
        controller.propagate("forward")
        self.changed.emit()

    def cancel(self) -> None:
        """Track no twin; what is done is kept."""
        self._waiting = None
        if self._job is not None:
            self._controller.state.jobs.cancel(self._job)
        self.changed.emit()

    def close(self) -> None:
        """Track no twin, and listen no more; calling it twice is harmless."""
        self._connections.close()
        self.cancel()

    def _on_event(self, event: Any) -> None:
        self._complete = self._complete or isinstance(event, events.PassesDone)

    def _on_phase(self, phase: Phase) -> None:
        waiting = self._waiting
        if phase is not Phase.IDLE or waiting is None:
            return
        self._waiting = None
        clip = self._controller.runner.entry
        if self._complete and clip is not None:
            job = Job(f"track {waiting.twin.name}", waiting.track)
            job.on_end = lambda state: self._on_end(waiting, clip, state)
            self._job = job
            self._controller.state.jobs.submit(job)
        else:
            self._controller.told.emit("The clip was not tracked to its end, so its twin was not tracked.")
        self.changed.emit()

    def _on_video(self, _: Any) -> None:
        # Another video: the twin that is being tracked is tracked to its end, one that waits is not.
        self._waiting = None
        self.changed.emit()

    def _on_progress(self, job: Job, progress: Progress) -> None:
        if job is self._job and progress.total and progress.unit == "frame":
            self._controller.told.emit(f"Tracking the twin: {progress.done} of {progress.total}")

    def _on_end(self, twin: TwinRun, clip: RunEntry, state: JobState) -> None:
        self._job = None
        app, controller = self._controller.state, self._controller
        if twin.path is not None and twin.path.is_dir():
            # A queue that is closed with the window has nobody to show it to.
            entry = app.add_run(RunEntry(twin.path, twin.path.name), make_current=False)
            known = [run for run in app.runs if run.path == clip.path]
            if twin.complete and known and controller.viewer is not None:
                app.current_run = known[0]
                app.compared_runs = (known[0], entry)
                self._show_masks(twin, entry)
                controller.told.emit("Clip and twin are tracked; their runs are compared.")
        if state is JobState.CANCELLED:
            controller.told.emit("Stopped: what is tracked of the twin is kept.")
        self.changed.emit()

    def _show_masks(self, twin: TwinRun, entry: RunEntry) -> None:
        viewer = self._controller.viewer
        layer = next((layer for layer, video in self._shown_videos() if video is twin.twin), None)
        if viewer is None or layer is None:
            return
        from napari.layers import Labels

        masks = Labels(
            RunStack(entry.open().masks),
            name=f"masks · {layer.name}",
            opacity=MASK_OPACITY,
            colormap=self._controller.objects.colormap(),
            metadata={METADATA_KEY: {"content": MASKS, "run": str(entry.path)}},
            **placement(layer),
        )
        masks.editable = False
        insert_in_order(viewer, masks, layer)

    def _videos(self) -> list[Video]:
        return [video for _, video in self._shown_videos()]

    def _shown_videos(self) -> list[tuple[Layer, Video]]:
        viewer = self._controller.viewer
        abouts = [] if viewer is None else [(layer, layer.metadata.get(METADATA_KEY, {})) for layer in viewer.layers]
        return [
            (layer, about["video"])
            for layer, about in abouts
            if about.get("content") == VIDEO and about.get("video") is not None
        ]
