"""The panel that exports a run: what, in which format, and where to."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
)

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import expanded
from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.jobs import JobState
from napari_sam2_probe.gui.panels.job_row import JobRow
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.panels.parts import make_combo
from napari_sam2_probe.gui.run_layers import watch_run_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    import napari.viewer

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.state import RunEntry

TITLES = {
    "masks": "Masks",
    "maps": "Maps",
    "features": "Features over time",
    "pointers": "Object pointers",
    "boxes": "Boxes of the masks",
    "figures": "Figures",
    "video": "Video with masks",
    "run": "The whole run",
}


class ExportPanel(Panel):
    """Writes what a run holds in the formats of the field."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "export")
        self._writing: Path | None = None
        watch_run_layers(self.state.viewer)
        when_closed(self.state.viewer, self.state.jobs.close)
        self._build()
        self.connections.add(self.state.runs_changed, self._list_runs)
        self.connections.add(self.state.current_run_changed, self._choose_run)
        self._list_runs()
        self._choose_run(self.state.current_run)
        self._offer_formats()

    @property
    def target(self) -> Path:
        """What is going to be written."""
        return expanded(self.folder.text().strip()).absolute() / self.name.text().strip()

    def _build(self) -> None:
        self.run = make_combo("run", "The run to export; open one in the Runs panel, or track an object", letters=8)
        self.what = make_combo("what", "What to export", letters=8)
        for what, title in TITLES.items():
            self.what.addItem(title, what)
        self.format = make_combo("format", "How to write it", letters=8)
        self.folder = QLineEdit(str(Path.home()), objectName="folder")
        self.folder.setToolTip("The folder that the export goes into")
        self.name = QLineEdit(objectName="name")
        self.name.setToolTip("The name of the file, or of the new folder")
        browse = QPushButton("…", objectName="browse")
        browse.setToolTip("Choose the folder")
        browse.setMaximumWidth(32)
        where = QHBoxLayout()
        where.addWidget(self.folder)
        where.addWidget(browse)
        self.export = QPushButton("Export", objectName="export")
        self.export.setToolTip("Write it; nothing is replaced without asking")
        self.job = JobRow(self.state.jobs)
        self._said = QLabel(objectName="said")
        self._said.setWordWrap(True)
        form = QFormLayout()
        # A label above its field where both don't fit beside one another.
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow("Run", self.run)
        form.addRow("What", self.what)
        form.addRow("Format", self.format)
        form.addRow("Folder", where)
        form.addRow("Name", self.name)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.export)
        layout.addWidget(self.job)
        layout.addWidget(self._said)
        layout.addStretch()
        self.run.currentIndexChanged.connect(self._suggest_name)
        self.what.currentIndexChanged.connect(self._offer_formats)
        self.format.currentIndexChanged.connect(self._suggest_name)
        self.folder.textChanged.connect(self._update_button)
        self.name.textChanged.connect(self._update_button)
        browse.clicked.connect(self._browse)
        self.export.clicked.connect(self._export)
        self.job.ended.connect(self._on_ended)

    def _list_runs(self) -> None:
        before: RunEntry | None = self.run.currentData()
        # A run that is renamed, or grows no more, has another entry.
        same = next((entry for entry in self.state.runs if before is not None and entry.path == before.path), None)
        with QSignalBlocker(self.run):
            self.run.clear()
            for entry in self.state.runs:
                self.run.addItem(entry.title, entry)
            self._choose_run(same or self.state.current_run)
        if same is None:
            self._suggest_name()
        if not self.state.runs:
            self._said.setText("No run yet: track an object, or open a run.")
        elif self._said.text().startswith("No run"):
            self._said.clear()
        self._update_button()

    def _choose_run(self, entry: RunEntry | None) -> None:
        if entry is not None and entry in self.state.runs:
            self.run.setCurrentIndex(self.state.runs.index(entry))

    def _offer_formats(self) -> None:
        from napari_sam2_probe.export.registry import EXPORTS

        self.format.clear()
        for name, chosen in EXPORTS[self.what.currentData()].items():
            self.format.addItem(chosen.title, name)
        self._suggest_name()

    def _suggest_name(self) -> None:
        from napari_sam2_probe.export.registry import default_name, export_format

        entry, name = self.run.currentData(), self.format.currentData()
        if entry is not None and name is not None:
            what = self.what.currentData()
            self.name.setText(default_name(entry.path.resolve().name, what, export_format(what, name)))
        self._update_button()

    def _update_button(self) -> None:
        ready = (
            self.run.currentData() is not None and bool(self.folder.text().strip()) and bool(self.name.text().strip())
        )
        self.export.setEnabled(ready and not self.job.busy)

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export into", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _export(self) -> None:
        from napari_sam2_probe.common.output import check_target
        from napari_sam2_probe.export.registry import export_format

        target, entry = self.target, self.run.currentData()
        what, name = self.what.currentData(), self.format.currentData()
        overwrite = os.path.lexists(target)
        try:
            check_target(target, overwrite=True, suffixes=export_format(what, name).holds)
        except InputError as error:
            # Before anybody is asked whether to replace it.
            self._said.setText(str(error))
            return
        if overwrite and not self._may_replace(target):
            return
        self._writing = target
        self._said.clear()
        self.job.submit(
            f"Export {self.what.currentText().lower()}", partial(_work, entry, what, target, name, overwrite)
        )
        self._update_button()

    def _may_replace(self, target: Path) -> bool:
        answer = QMessageBox.question(self, "Replace", f"{target} exists already. Replace it?")
        return answer == QMessageBox.StandardButton.Yes

    def _on_ended(self, state: JobState) -> None:
        self._said.setText(
            {
                JobState.DONE: f"Written: {self._writing}",
                JobState.CANCELLED: "Cancelled: nothing was written.",
                JobState.FAILED: "Nothing was written.",
            }[state]
        )
        self._update_button()


def _work(entry: RunEntry, what: str, target: Path, name: str, overwrite: bool) -> Generator[Progress, None, None]:
    from napari_sam2_probe.export.registry import iterate_export

    yield from iterate_export(entry.open(), what, target, name, overwrite=overwrite)
