"""The live run of the video that is worked on, and its jobs: what begins, waits and ends, in the GUI thread."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from psygnal import Signal

from napari_sam2_probe.common.progress import TimeLeft
from napari_sam2_probe.gui.collector import freeze_loaded_objects
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.first_layers import prepare_layers
from napari_sam2_probe.gui.jobs import Job, JobState
from napari_sam2_probe.gui.state import RunEntry
from napari_sam2_probe.live import events
from napari_sam2_probe.live.live_run import LiveRun
from napari_sam2_probe.live.model_cache import ModelCache
from napari_sam2_probe.live.prompt_queue import PromptQueue

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.gui.state import ProbeState, VideoEntry
    from napari_sam2_probe.live.options import LiveOptions
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.live.prompt_state import Key, PromptState


def _prepare_window() -> None:
    """Do in the worker what the window would else do when the first masks come."""
    prepare_layers()
    freeze_loaded_objects()


class Phase(Enum):
    """What tracking does now."""

    IDLE = "idle"
    PROMPTING = "prompting"
    TRACKING = "tracking"
    PAUSED = "paused"


class LiveRunner:
    """Has at most one live run, and at most one job of it at a time in the viewer's queue.

    Parameters
    ----------
    state
        Of the viewer: its queue, and its list of runs, which the live run is put on.

    Attributes
    ----------
    model_cache
        Keeps the model that was loaded last.
    """

    phase_changed = Signal(object)
    """The `Phase` is another."""

    progressed = Signal(object, object)
    """`Progress`, and the seconds that are left where they can be told, else None."""

    happened = Signal(object)
    """An event of the run (`live.events`)."""

    dropped = Signal(object)
    """The live run ends, but its folder, which is given, stays."""

    def __init__(self, state: ProbeState) -> None:
        self.keeps_model = False
        """Whether the model stays loaded when a run ends, because the next one will want it."""
        self._state = state
        self._live: LiveRun | None = None
        self._queue = PromptQueue()
        self.model_cache = ModelCache()
        self._entry: RunEntry | None = None
        self._job: Job | None = None
        self._own: WeakSet[Job] = WeakSet()
        self._phase = Phase.IDLE
        self._time_left = TimeLeft()
        self._closing = False
        self._connections = Connections()
        self._connections.add(state.jobs.progressed, self._on_progress)

    @property
    def phase(self) -> Phase:
        """What tracking does now."""
        return self._phase

    @property
    def entry(self) -> RunEntry | None:
        """The live run on the viewer's list; None as long as it has no folder."""
        return self._entry

    @property
    def is_open(self) -> bool:
        """Whether there is a live run."""
        return self._live is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way and nothing is wished for."""
        return self._job is None and not self._queue

    @property
    def waits_for(self) -> Job | None:
        """The job of somebody else, such as a data set that is made, that is done before this run's."""
        running = self._state.jobs.running
        if self._job is None or self._job.state is not JobState.WAITING or running in self._own:
            return None
        return running

    # The run.

    def open(
        self,
        video: VideoEntry,
        choice: ModelChoice,
        runs_folder: Path,
        wishes: Mapping[Key, PromptState],
        earlier: Path | None,
        options: LiveOptions | None = None,
    ) -> None:
        """Begin a live run with what is said of the video so far; `LiveRun` says what the parameters are."""
        self._queue = PromptQueue()
        self._queue.put(wishes)
        self._live = LiveRun(
            video.video,
            choice,
            runs_folder,
            self.model_cache,
            self._queue,
            earlier,
            options=options,
            on_loaded=_prepare_window,
        )
        self._state.live = self._live

    def drop(self) -> None:
        """End the live run; its folder stays. The next one is told all prompts anew."""
        live, self._live = self._live, None
        if live is None:
            return
        self._state.live = None
        # What it still has to tell is nobody's business any more.
        job, self._job = self._job, None
        if job is not None:
            self._state.jobs.cancel(job)
        entry, self._entry = self._entry, None
        if entry is not None:
            self.dropped.emit(entry.path)
        self._set_phase(Phase.IDLE)

        def close() -> Generator[Any, None, None]:
            live.close()
            yield from ()

        def closed(_: JobState) -> None:
            # A queue that was closed has not begun this.
            live.close()
            if not self.keeps_model:
                self.model_cache.clear()
            if self._closing or entry is None:
                return
            if entry.path.is_dir():
                self._state.add_run(RunEntry(entry.path, entry.title), make_current=self._state.current_run is entry)
            else:
                self._state.remove_run(entry)

        self._submit_own(Job("close the run", close, on_end=closed))

    def close(self) -> None:
        """End whatever runs, without waiting for it; calling it twice is harmless."""
        self._connections.close()
        self.keeps_model = False
        self.drop()

    def shut_down(self) -> None:
        """End whatever runs and wait for it: the window closes."""
        self._closing = True
        self.close()
        self._state.jobs.close()
        self.model_cache.clear()

    # What it is told; all but the first need an open run, and do nothing without one.

    def name_objects(self, names: Mapping[int, str]) -> None:
        """Tell the run what the user calls the objects."""
        if self._live is not None:
            self._live.name_objects(names)

    def tell(self, wishes: Mapping[Key, PromptState]) -> None:
        """Tell the run what is said of the video now."""
        if self._live is not None:
            self._queue.put(wishes)
            self.apply_if_idle()

    def asks_for(self, key: Key) -> bool:
        """Return whether something else is to be said on this frame of this object, and not said yet."""
        return key in self._queue

    def remove_object(self, obj_id: int) -> None:
        """Let the run forget an object."""
        if self._live is not None:
            self._queue.remove(obj_id)
            self.apply_if_idle()

    def apply_if_idle(self) -> None:
        """Do what the run was told; while it tracks, it looks for that after every frame."""
        if self._job is None and self._queue and self._live is not None:
            self._submit("prompt", self._live.apply, Phase.PAUSED if self._phase is Phase.PAUSED else Phase.PROMPTING)

    def propagate(self, direction: RunDirection) -> None:
        """Track all objects through the video, or to its beginning."""
        if self._live is not None and self._phase is not Phase.TRACKING:
            self._time_left.restart()
            self._submit("track", partial(self._live.propagate, direction), Phase.TRACKING)

    def pause(self) -> None:
        """Let tracking wait after the frame it is at; prompts can be given meanwhile."""
        if self._phase is Phase.TRACKING and self._live is not None:
            self._live.pause()

    def resume(self) -> None:
        """Go on tracking."""
        if self._phase is Phase.PAUSED and self._live is not None:
            self._time_left.restart()
            self._submit("track", self._live.resume, Phase.TRACKING)

    def cancel(self) -> None:
        """Stop tracking, or loading; what is done is kept."""
        if self._phase is Phase.PAUSED and self._live is not None:
            self._submit("stop", self._live.stop, Phase.PROMPTING)
        elif self._job is not None:
            self._state.jobs.cancel(self._job)

    # Jobs.

    def _submit(self, title: str, work: Any, phase: Phase) -> None:
        live = self._live
        assert live is not None
        job = Job(f"{title} {live.source.name}", work)
        job.on_result = partial(self._on_step, live)
        job.on_end = partial(self._on_end, live, job, phase)
        self._job = job
        self._set_phase(phase)
        self._submit_own(job)

    def _submit_own(self, job: Job) -> None:
        self._own.add(job)
        self._state.jobs.submit(job)

    def _on_step(self, live: LiveRun, step: Any) -> None:
        for event in step if isinstance(step, tuple) else (step,):
            if live is self._live:
                self._on_event(event)

    def _on_event(self, event: Any) -> None:
        self.happened.emit(event)
        if isinstance(event, events.RunStarted):
            self._entry = self._state.add_run(RunEntry(event.path, event.path.name, live=True))
        elif isinstance(event, events.FramesSaved) and self._entry is not None:
            for frame_idx in event.frames:
                self._state.run_progressed.emit(self._entry, frame_idx)
        elif isinstance(event, events.Paused):
            self._set_phase(Phase.PAUSED)

    def _on_end(self, live: LiveRun, job: Job, phase: Phase, state: JobState) -> None:
        if job is not self._job:
            if state is JobState.FAILED and live is self._live:
                # What was asked for meanwhile would fail too.
                self.drop()
            return
        self._job = None
        if self._phase is not Phase.PAUSED or state is not JobState.DONE:
            self._set_phase(Phase.IDLE)
        if phase is Phase.TRACKING and self._entry is not None:
            self._state.run_finished.emit(self._entry)
        if state is JobState.FAILED:
            # What went wrong (memory, a missing device, a full disk) would go wrong again with the same session.
            self.drop()
        else:
            self.apply_if_idle()

    def _on_progress(self, job: Job, progress: Progress) -> None:
        if job is self._job:
            self.progressed.emit(progress, self._time_left.take(progress) if progress.unit == "frame" else None)

    def _set_phase(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self.phase_changed.emit(phase)
