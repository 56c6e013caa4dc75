"""The row of a job: what is done, the time that is left, and what else goes on."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QLabel

from napari_sam2_probe.common import progress
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.gui.jobs import Job, JobQueue, JobState
from napari_sam2_probe.gui.panels.job_row import JobRow


@pytest.fixture
def row(qtbot):
    jobs = JobQueue()
    row = JobRow(jobs)
    qtbot.addWidget(row)
    yield row
    jobs.close()


def test_time_left_and_what_goes_on_beside(row, qtbot, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    go_on = threading.Event()

    def work():
        for done, seconds, beside in ((20, 100, ""), (30, 105, ""), (40, 120, "7 of 9 clips made"), (40, 140, "")):
            clock[0] = float(seconds)
            yield Progress(done, 100, "tracking clips", "frame", beside)
            assert go_on.wait(60)
            go_on.clear()

    row.submit("Work", work)
    left = row.findChild(QLabel, "left")
    said = []
    for text in ("20", "30", "40", "40"):
        qtbot.waitUntil(lambda text=text: row.bar.text() == f"tracking clips: {text} of 100")
        qtbot.wait(50)
        said.append((left.isVisibleTo(row), left.text()))
        go_on.set()
    qtbot.waitUntil(lambda: not row.busy)
    # What was done before says nothing of the pace; nothing is told of the first seconds.
    assert said[:2] == [(False, ""), (False, "")]
    assert said[2] == (True, "About 60 s left; 7 of 9 clips made")
    assert said[3] == (True, "About 2 min left")


def test_what_the_system_refuses_is_said_in_its_words(row, qtbot, tmp_path):
    (tmp_path / "file").touch()

    def work():
        yield Progress(0, 0, "writing")
        (tmp_path / "file" / "folder").mkdir()

    notification_manager.records.clear()
    row.submit("Make clips", work)
    qtbot.waitUntil(lambda: not row.busy)
    (said,) = notification_manager.records
    assert str(said.message) == f"Make clips failed: the system refuses {tmp_path}/file/folder (Not a directory)."
    notification_manager.records.clear()


def test_a_job_that_outlives_its_panel_is_done_and_gives_its_results_to_nobody(qtbot):
    jobs, go_on, given = JobQueue(), threading.Event(), []
    row = JobRow(jobs)

    def work():
        yield "first"
        assert go_on.wait(60)
        yield "second"

    row.submit("Fit", work, given.append)
    job = jobs.running
    qtbot.waitUntil(lambda: given == ["first"])
    with qtbot.waitSignal(row.destroyed):
        row.deleteLater()
    # The row is still held here, as a panel may be by what it has asked for.
    assert row is not None
    go_on.set()
    qtbot.waitUntil(lambda: job.state is JobState.DONE)
    assert given == ["first"]
    jobs.close()


def test_what_a_job_waits_for_is_said(row, qtbot):
    go_on = threading.Event()

    def first():
        yield Progress(0, 0, "tracking")
        assert go_on.wait(60)

    def second():
        yield Progress(1, 2, "exporting", "frame")
        assert go_on.wait(60)

    row._jobs.submit(Job("track coins", first))
    row.submit("export", second)
    left = row.findChild(QLabel, "left")
    assert (left.isVisibleTo(row), left.text()) == (True, "Waiting until this is done: track coins.")
    go_on.set()
    qtbot.waitUntil(lambda: row.bar.text() == "exporting: 1 of 2" or not row.busy)
    assert not left.isVisibleTo(row)
    qtbot.waitUntil(lambda: not row.busy)
