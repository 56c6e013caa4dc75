"""Work that takes long, beside the window: one job at a time, the others in a queue that can be seen.

A job is a generator function. What it yields comes to the GUI thread in order; between yields it can be paused or
cancelled. Cancelling closes the generator in its own thread, so its ``finally`` blocks run there and at once.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QThread, Signal

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

logger = logging.getLogger(__name__)


class JobState(Enum):
    """Where a job is."""

    WAITING = auto()
    RUNNING = auto()
    PAUSED = auto()
    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()


@dataclass(eq=False)
class Job:
    """A piece of work.

    Attributes
    ----------
    title
        What a person reads in the queue.
    work
        Gives the generator that does it. It runs in a worker thread and touches no widget and no layer. It may
        yield `Progress` events, which go to `JobQueue.progressed`, and anything else, which goes to `on_result`.
    on_result
        Called in the GUI thread with each thing that is yielded.
    on_end
        Called in the GUI thread with the final state, whatever it is.
    """

    title: str
    work: Callable[[], Generator[Any, None, None]]
    on_result: Callable[[Any], None] = lambda _: None
    on_end: Callable[[JobState], None] = lambda _: None
    state: JobState = JobState.WAITING
    _go_on: threading.Event = field(default_factory=threading.Event)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._go_on.set()


class _Worker(QThread):
    yielded = Signal(object)
    failed = Signal(object)

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.setObjectName(f"sam2-probe job: {job.title}")

    def run(self) -> None:
        """Run the job's generator in this thread; Qt calls it."""
        _let_the_window_go_first()
        generator = self.job.work()
        try:
            for value in generator:
                self.yielded.emit(value)
                self.job._go_on.wait()
                if self.job._cancelled.is_set():
                    break
        except Exception as error:
            logger.info("%s failed", self.job.title, exc_info=True)
            self.failed.emit(error)
        finally:
            generator.close()


def _let_the_window_go_first() -> None:
    """Give this thread, and threads it begins, what processor time the window leaves; where a thread can be told so."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)


class JobQueue(QObject):
    """The jobs of one viewer.

    Signals carry the job they speak of. Errors that are meant for the user are shown as a napari notification of one
    sentence; the traceback goes to the log.
    """

    changed = Signal()
    """The queue, or the state of a job in it, is another."""

    progressed = Signal(object, object)
    """A job's `Progress`."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Job] = deque()
        self._worker: _Worker | None = None

    @property
    def running(self) -> Job | None:
        """The job that runs or is paused."""
        return None if self._worker is None else self._worker.job

    @property
    def waiting(self) -> tuple[Job, ...]:
        """The jobs that wait, in order."""
        return tuple(self._waiting)

    def submit(self, job: Job) -> Job:
        """Run a job as soon as those before it are done."""
        self._waiting.append(job)
        self._start_next()
        self.changed.emit()
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job after what it is doing now, keeping what is done; a waiting one never starts."""
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(job, JobState.CANCELLED)
        elif job is self.running:
            job._cancelled.set()
            job._go_on.set()

    def pause(self, job: Job) -> None:
        """Let a running job wait after what it is doing now."""
        if job is self.running and job.state is JobState.RUNNING:
            job._go_on.clear()
            job.state = JobState.PAUSED
            self.changed.emit()

    def resume(self, job: Job) -> None:
        """Let a paused job go on."""
        if job is self.running and job.state is JobState.PAUSED:
            job.state = JobState.RUNNING
            job._go_on.set()
            self.changed.emit()

    def close(self) -> None:
        """Cancel everything and wait for the worker thread; called when the viewer closes."""
        waiting = tuple(self._waiting)
        self._waiting.clear()
        worker = self._worker
        if worker is not None:
            self.cancel(worker.job)
            worker.wait()
            self._finish(worker)
        # Only now, because what ends a waiting job may tidy up after the one that ran.
        for job in waiting:
            self._end(job, JobState.CANCELLED)

    def _start_next(self) -> None:
        if self._worker is None and self._waiting:
            job = self._waiting.popleft()
            job.state = JobState.RUNNING
            worker = self._worker = _Worker(job)
            worker.yielded.connect(self._receive)
            worker.failed.connect(self._show_error)
            worker.finished.connect(self._on_finished)
            worker.start()

    def _receive(self, value: Any) -> None:
        # What a cancelled or closed job still had under way is nobody's business any more.
        job = self.running
        if job is None or self.sender() is not self._worker:
            return
        if isinstance(value, Progress):
            self.progressed.emit(job, value)
        else:
            job.on_result(value)

    def _show_error(self, error: Exception) -> None:
        from napari.utils.notifications import show_error

        job = self.running
        if job is not None:
            job.state = JobState.FAILED
        title = job.title if job else "A job"
        if isinstance(error, ProbeError):
            show_error(str(error))
        elif isinstance(error, OSError) and error.strerror:
            # What the system refuses is no defect, and its own words say what to make possible.
            where = f" {error.filename}" if error.filename else ""
            show_error(f"{title} failed: the system refuses{where} ({error.strerror}).")
        else:
            show_error(f"{title} failed ({type(error).__name__}); the log has the details.")

    def _on_finished(self) -> None:
        if self._worker is not None and self._worker.isFinished():
            self._finish(self._worker)

    def _finish(self, worker: _Worker) -> None:
        if self._worker is not worker:
            return
        self._worker = None
        job = worker.job
        if job.state is not JobState.FAILED:
            job.state = JobState.CANCELLED if job._cancelled.is_set() else JobState.DONE
        worker.deleteLater()
        self._end(job, job.state)
        self._start_next()

    def _end(self, job: Job, state: JobState) -> None:
        job.state = state
        job.on_end(state)
        self.changed.emit()
