"""What the panels of one viewer share: the video that is worked on and the runs that are looked at.

Panels don't know one another. Each reads this state, changes it, and listens to its signals. A run that is still
growing is on disk like any other, so whoever shows runs needs no other source of data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from psygnal import Signal

from napari_sam2_probe.gui.jobs import JobQueue
from napari_sam2_probe.runs import ProbeRun, open_run

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Image

    from napari_sam2_probe.gui.panels.panel import Panel
    from napari_sam2_probe.live.live_run import LiveRun
    from napari_sam2_probe.video.video import Video


@dataclass(frozen=True, eq=False)
class VideoEntry:
    """A video in the viewer.

    Attributes
    ----------
    layer
        Its layer. The user may rename, move or delete it.
    video
        Its frames, and what is known of them: true masks, the truth of a clip.
    """

    layer: Image
    video: Video


@dataclass(frozen=True, eq=False)
class RunEntry:
    """A run that the panels know of.

    Attributes
    ----------
    path
        Its folder.
    title
        What lists and legends call it.
    live
        Whether it is growing in this session.
    """

    path: Path
    title: str
    live: bool = False

    def open(self) -> ProbeRun:
        """Read the run as it is on disk now."""
        return open_run(self.path)


class ProbeState:
    """The shared state of one viewer's panels; all of it belongs to the GUI thread.

    Attributes
    ----------
    jobs
        Whatever takes long: one job at a time, the others wait in order.
    panels
        The panels that are open, by name.
    live
        What the live run among the runs is recorded from, for jobs; None while there is none.
    click_tool
        What clicks on the video are for instead of prompts, while a tool of a panel is on; else empty.
    """

    video_changed = Signal(object)
    """A VideoEntry is worked on now, or None."""

    runs_changed = Signal()
    """The list of runs is another."""

    current_run_changed = Signal(object)
    """A RunEntry is looked at now, or None."""

    compared_runs_changed = Signal(object)
    """The tuple of RunEntry that are shown together, the current one first."""

    run_progressed = Signal(object, int)
    """A live RunEntry has a frame on disk that it hadn't, or has it anew."""

    run_finished = Signal(object)
    """A live RunEntry grows no more for now; features of all its frames are on disk."""

    object_changed = Signal(int)
    """An object id is worked on now."""

    def __init__(self, viewer: napari.Viewer) -> None:
        # Weak, because the table of states would else keep every viewer alive.
        self._viewer = ref(viewer)
        self.jobs = JobQueue()
        self.panels: WeakValueDictionary[str, Panel] = WeakValueDictionary()
        self.live: LiveRun | None = None
        self.click_tool = ""
        self._video: VideoEntry | None = None
        self._runs: list[RunEntry] = []
        self._current: RunEntry | None = None
        self._compared: tuple[RunEntry, ...] = ()
        self._obj_id = 1

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer itself, also where napari gave a panel a proxy of it."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer of this state is gone")
        return viewer

    @property
    def video(self) -> VideoEntry | None:
        """The video that is worked on."""
        return self._video

    @video.setter
    def video(self, video: VideoEntry | None) -> None:
        if video is not self._video:
            self._video = video
            self.video_changed.emit(video)

    @property
    def obj_id(self) -> int:
        """The object that is worked on."""
        return self._obj_id

    @obj_id.setter
    def obj_id(self, obj_id: int) -> None:
        if obj_id != self._obj_id:
            self._obj_id = obj_id
            self.object_changed.emit(obj_id)

    @property
    def runs(self) -> tuple[RunEntry, ...]:
        """All runs that are known, in the order in which they came."""
        return tuple(self._runs)

    @property
    def current_run(self) -> RunEntry | None:
        """The run that is looked at."""
        return self._current

    @current_run.setter
    def current_run(self, run: RunEntry | None) -> None:
        if run is not self._current:
            self._current = run
            self.current_run_changed.emit(run)
            self.compared_runs = () if run is None else (run,)

    @property
    def compared_runs(self) -> tuple[RunEntry, ...]:
        """The runs that are shown together, the current one first."""
        return self._compared

    @compared_runs.setter
    def compared_runs(self, runs: tuple[RunEntry, ...]) -> None:
        if runs != self._compared:
            self._compared = runs
            self.compared_runs_changed.emit(runs)

    def add_run(self, run: RunEntry, *, make_current: bool = True) -> RunEntry:
        """Add a run, or find it if its folder is known already, and look at it."""
        existing = next((r for r in self._runs if r.path == run.path and r.live == run.live), None)
        if existing is None:
            self._runs = [r for r in self._runs if r.path != run.path] + [run]
            self.runs_changed.emit()
        if make_current:
            self.current_run = existing or run
        return existing or run

    def remove_run(self, run: RunEntry) -> None:
        """Forget a run; its folder stays. What was compared with it stays compared."""
        self._runs = [r for r in self._runs if r is not run]
        left = tuple(r for r in self._compared if r is not run)
        if self._current is run:
            self.current_run = next(iter((*left, *reversed(self._runs))), None)
        if left:
            self.compared_runs = left
        self.runs_changed.emit()


_STATES: WeakKeyDictionary[napari.Viewer, ProbeState] = WeakKeyDictionary()


def state_of(viewer: napari.Viewer) -> ProbeState:
    """Return the state that all panels of a viewer share; made when first asked for, gone with the viewer."""
    # napari gives a plugin's widget a proxy, which would be another key and die with the widget.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _STATES:
        _STATES[viewer] = ProbeState(viewer)
    return _STATES[viewer]
