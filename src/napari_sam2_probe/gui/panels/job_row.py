"""A row that shows how far one job of a panel is and how long it will take, and cancels it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_sam2_probe.common.progress import TimeLeft, duration_text
from napari_sam2_probe.gui.jobs import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.jobs import JobQueue

PACE_SECONDS = 10.0
"""How long something must go on before the time left is told."""

_OVER = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)


class JobRow(QWidget):
    """Progress and a *Cancel* button; hidden while nothing of the panel runs or waits.

    The job may outlive the panel; what it gives then is given to nobody.
    """

    ended = Signal(object)
    """The final `JobState`."""

    def __init__(self, jobs: JobQueue) -> None:
        super().__init__(objectName="job")
        self._jobs = jobs
        self._job: Job | None = None
        self._waits = False
        self.bar = QProgressBar(objectName="progress")
        self.cancel = QPushButton("Cancel", objectName="cancel")
        self.cancel.setToolTip("Stop after the step that is under way; nothing half is left")
        self.cancel.clicked.connect(self._cancel)
        self._left = QLabel(objectName="left", wordWrap=True)
        self._time_left = TimeLeft(after=PACE_SECONDS)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._left)
        jobs.progressed.connect(self._on_progress)
        jobs.changed.connect(self._on_changed)
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether a job of the panel runs or waits."""
        return self._job is not None

    def submit(
        self,
        title: str,
        work: Callable[[], Generator[Any, None, None]],
        on_result: Callable[[Any], None] = lambda _: None,
    ) -> None:
        """Run a job as soon as those before it are done; what it yields beside `Progress` goes to `on_result`."""
        self._job = Job(title, work, partial(_give, ref(self), on_result))
        self.bar.setRange(0, 0)
        self._left.hide()
        self._time_left.restart()
        self.cancel.setEnabled(True)
        self.show()
        self._jobs.submit(self._job)

    def _cancel(self) -> None:
        if self._job is not None:
            self.cancel.setEnabled(False)
            self._jobs.cancel(self._job)

    def _on_progress(self, job: Job, progress: Progress) -> None:
        if job is self._job:
            self.bar.setRange(0, progress.total)
            self.bar.setValue(progress.done)
            of = f" of {progress.total}" if progress.total else ""
            self.bar.setFormat(f"{progress.what}: {progress.done}{of}")
            self.bar.setToolTip(self.bar.format())
            seconds = self._time_left.take(progress)
            left = "" if seconds is None else f"about {duration_text(seconds)} left"
            said = "; ".join(filter(None, (left, progress.beside)))
            self._left.setText(said[:1].upper() + said[1:])
            self._left.setVisible(bool(said))

    def _on_changed(self) -> None:
        job = self._job
        if job is not None and job.state in _OVER:
            self._job = None
            self.hide()
            self.ended.emit(job.state)
        elif job is not None:
            self._tell_of_waiting(self._jobs.running if job.state is JobState.WAITING else None)

    def _tell_of_waiting(self, ahead: Job | None) -> None:
        # A bar without an end shows no text of its own.
        if ahead is not None:
            self._left.setText(f"Waiting until this is done: {ahead.title}.")
            self._left.show()
        elif self._waits:
            self._left.hide()
        self._waits = ahead is not None


def _give(row: ref[JobRow], on_result: Callable[[Any], None], value: Any) -> None:
    to = row()
    if to is not None and isalive(to):
        on_result(value)
