"""Jobs of the Memory panel: questions to the `Explainer` of the run that is displayed."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.gui.collector import freeze_loaded_objects
from napari_sam2_probe.gui.first_layers import prepare_layers
from napari_sam2_probe.gui.run_views import find_open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.causes.changes import BankChanges
    from napari_sam2_probe.causes.explainer import Explainer
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.live.live_run import LiveRun
    from napari_sam2_probe.runs import ProbeRun
    from napari_sam2_probe.video import Video

    Work = Callable[[], Generator[Any, None, None]]


@dataclass(frozen=True)
class Subject:
    """What is asked about.

    Attributes
    ----------
    entry, frame, obj_id
        The run, frame and object.
    live
        What the run is recorded from, if it is live.
    videos
        Videos that are open.
    """

    entry: RunEntry
    frame: int
    obj_id: int
    live: LiveRun | None
    videos: Sequence[Video]


@dataclass(frozen=True)
class Refusal:
    """Why a question can't be answered, and what to do.

    Attributes
    ----------
    reason
        One sentence or two.
    """

    reason: str


class Answers:
    """Gives the work of jobs, which must run one at a time.

    The session and the model of the run that was asked about last stay loaded until another run is asked about, or
    this is closed.
    """

    def __init__(self) -> None:
        self._kept: tuple[object, Explainer] | None = None
        self._model: tuple[object, Model] | None = None
        self._lock = threading.Lock()
        self._busy = self._closed = False

    def holds(self, subject: Subject) -> bool:
        """Return whether nothing needs to be loaded or repeated first."""
        return subject.live is not None or (self._kept is not None and self._kept[0] == _key(subject))

    def blame(self, subject: Subject) -> Work:
        """Return the work that gives a table of blame."""
        return self._work(subject, lambda explainer: explainer.blame(subject.frame, subject.obj_id))

    def look(self, subject: Subject) -> Work:
        """Return the work that gives a `FrameAttention`."""
        return self._work(subject, lambda explainer: explainer.look(subject.frame, subject.obj_id))

    def try_changes(self, subject: Subject, changes: BankChanges, *, onward: bool, twin: RunEntry | None) -> Work:
        """Return the work that gives each `ChangedFrame`."""

        def ask(explainer: Explainer) -> Iterator[Any]:
            other = None if twin is None or not changes.swapped else twin.open()
            return explainer.try_changes(subject.frame, subject.obj_id, changes, onward=onward, twin=other)

        return self._work(subject, ask)

    def close(self) -> None:
        """Answer nothing more, and let session and model go; calling it twice is harmless.

        A job that runs ends with the step it is at.
        """
        with self._lock:
            self._closed = True
            if self._busy:
                return
        self._forget()

    def _work(self, subject: Subject, ask: Callable[[Explainer], Iterator[Any]]) -> Work:
        def work() -> Generator[Any, None, None]:
            with self._working(), closing(self._steps(subject, ask)) as steps:
                # Who asked may have been closed while the job waited, and may be at every step.
                while not self._closed:
                    try:
                        yield next(steps)
                    except StopIteration:
                        return

        return work

    def _steps(self, subject: Subject, ask: Callable[[Explainer], Iterator[Any]]) -> Generator[Any, None, None]:
        try:
            explainer = yield from self._explainer(subject)
            yield from ask(explainer)
        except ProbeError as error:
            yield Refusal(str(error))
        finally:
            if subject.live is not None:
                # Else its session would outlive it here.
                self._drop_explainer()

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._busy = True
        try:
            yield
        finally:
            with self._lock:
                self._busy = False
                closed = self._closed
            if closed:
                self._forget()

    def _explainer(self, subject: Subject) -> Generator[Any, None, Explainer]:
        key = _key(subject)
        if self._kept is not None and self._kept[0] == key and subject.live is None:
            return self._kept[1]
        yield Progress(0, 0, "loading torch and the model")
        from napari_sam2_probe.causes.explainer import Explainer

        self._drop_explainer()
        run = subject.entry.open()
        video = find_open_video(run, subject.videos)
        recording = None if subject.live is None else subject.live.recording
        if subject.live is not None and recording is None:
            raise InputError("The session of this run is not open any more: track again, or ask when it is finished.")
        if recording is not None:
            loaded, session = recording.loaded, recording.session
        else:
            loaded, session = self._load(run), None
        explainer = Explainer(run, loaded, video=video, session=session, truth=lambda of: _truth(run, video, of))
        self._kept = (key, explainer)
        return explainer

    def _load(self, run: ProbeRun) -> Model:
        from napari_sam2_probe.runs.recorded import load_recorded_model

        key = repr(run.info["model"])
        if self._model is None or self._model[0] != key:
            self._model = None
            self._model = (key, load_recorded_model(run))
            # In the worker, what the window would else do when the first outcome comes.
            prepare_layers()
            freeze_loaded_objects()
        return self._model[1]

    def _drop_explainer(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[1].close()

    def _forget(self) -> None:
        self._drop_explainer()
        if self._model is not None:
            from napari_sam2_probe.tracking.sharing import give_memory_back

            self._model = None
            give_memory_back()


def _key(subject: Subject) -> object:
    """Tell runs apart, and one run before and after it was gone on with."""
    info = subject.entry.path / "run.json"
    return subject.entry.path, info.stat().st_mtime_ns if info.is_file() else None


def _truth(run: ProbeRun, video: Video | None, obj_id: int) -> Callable[[int], NDArray[Any] | None]:
    from napari_sam2_probe.causes.explain import truth_beside

    if video is not None and video.has_masks:
        return lambda frame: video.object_mask(frame, obj_id)
    return truth_beside(run, obj_id)
