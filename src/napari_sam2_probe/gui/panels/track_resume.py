"""The offer to go on with a run that a crash, or a cancel, left unfinished."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QWidget

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.gui.videos import add_video, read_video
from napari_sam2_probe.live.autosave import UnfinishedRun, set_aside, unfinished_runs

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.gui.tracking.controller import TrackController
    from napari_sam2_probe.video.source import FrameSource

_MOST = 12


class ResumeRow(QWidget):
    """Says how many unfinished runs there are, and goes on with one of them.

    Parameters
    ----------
    controller
        What goes on.
    background
        Of the panel: where runs are looked for and videos opened.
    """

    def __init__(self, controller: TrackController, background: Background) -> None:
        super().__init__()
        self._controller = controller
        self._background = background
        self._fingerprint: str | None = None
        self._label = QLabel(objectName="unfinished")
        self._button = QPushButton("Resume…", objectName="go_on")
        self._button.setToolTip("Restore an unfinished run")
        self._menu = QMenu(self._button)
        self._button.setMenu(self._menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._label, 1)
        row.addWidget(self._button)
        self.setVisible(False)

    def look(self) -> None:
        """Look for unfinished runs again, beside the window."""
        video = self._controller.video
        source = None if video is None else video.video
        self._background.submit("look", partial(_look, self._controller.runs_folder, source), self._show)

    def _show(self, found: tuple[list[UnfinishedRun], str | None]) -> None:
        runs, self._fingerprint = found
        usable = [run for run in runs if run.video_path is not None or run.fingerprint == self._fingerprint]
        busy = self._controller.prompts is not None and bool(self._controller.prompts.states)
        self._menu.clear()
        for run in usable[:_MOST]:
            menu = self._menu.addMenu(f"{run.video_name} · {run.started.replace('T', ' ')[:16]}")
            menu.addAction("Resume").triggered.connect(partial(self._go_on, run))
            menu.addAction("Don't offer it again").triggered.connect(partial(self._set_aside, run))
        count = len(usable)
        self._label.setText(f"{count} unfinished run{'' if count == 1 else 's'}")
        self.setVisible(count > 0 and not busy)

    def _go_on(self, run: UnfinishedRun, *_: Any) -> None:
        if run.fingerprint == self._fingerprint:
            self._restore(run)
        elif run.video_path is not None:
            self._background.submit("open", partial(read_video, run.video_path), partial(self._open, run))

    def _open(self, run: UnfinishedRun, video: Any) -> None:
        viewer = self._controller.viewer
        if viewer is not None:
            add_video(viewer, video)
            self._restore(run)

    def _restore(self, run: UnfinishedRun) -> None:
        from napari.utils.notifications import show_error

        try:
            self._controller.restore(run)
        except ProbeError as error:
            show_error(str(error))
        self.setVisible(False)

    def _set_aside(self, run: UnfinishedRun, *_: Any) -> None:
        set_aside(run.path, "")
        self.look()


def _look(runs_folder: Path, source: FrameSource | None) -> tuple[list[UnfinishedRun], str | None]:
    # The first points layer needs it, and would import it while the window stands still.
    import pandas  # noqa: F401

    runs = unfinished_runs(runs_folder)
    return runs, source.fingerprint() if runs and source is not None else None
