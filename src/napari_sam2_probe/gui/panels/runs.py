"""The panel that lists runs, of this session and on disk: open, compare, rename, delete, reveal."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelectionModel, QSize, Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
)

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import run_to_layers
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.run_layers import run_content, watch_run_layers
from napari_sam2_probe.gui.run_thumbnails import RunThumbnails
from napari_sam2_probe.gui.run_views import open_videos
from napari_sam2_probe.gui.sequence_previews import THUMBNAIL_SIZE
from napari_sam2_probe.gui.state import RunEntry
from napari_sam2_probe.live.run_folders import add_run_folder, run_folders
from napari_sam2_probe.runs import is_run, open_run
from napari_sam2_probe.runs.library import delete_run, has_trash, list_runs, rename_run

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QIcon, QKeyEvent

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.runs.library import RunSummary

SUMMARY = Qt.ItemDataRole.UserRole
SHOWN = " · shown"
"""After the run that the panels look at."""


class _RunList(QListWidget):
    """A list whose keys press buttons."""

    def __init__(self) -> None:
        super().__init__(objectName="list")
        self.buttons: dict[int, QPushButton] = {}

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Press the button of a key; Qt calls it."""
        button = self.buttons.get(event.key())
        if button is None:
            super().keyPressEvent(event)
        else:
            button.click()


class RunsPanel(Panel):
    """A list of runs, latest first; what is selected can be opened, compared, renamed, deleted, revealed."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "runs")
        self._to_add: deque[tuple[RunEntry, LayerData]] = deque()
        self._opened: RunEntry | None = None
        self._adding = QTimer(self, singleShot=True, interval=0)
        self._adding.timeout.connect(self._add_next_layer)
        watch_run_layers(self.viewer)
        self._thumbnails = RunThumbnails(self.background, self._show_thumbnail)
        self._build()
        self.connections.add(self.state.runs_changed, self.refresh)
        self.connections.add(self.state.run_finished, self._on_run_finished)
        self.connections.add(self.state.current_run_changed, self._mark_current)
        self.refresh()

    def refresh(self) -> None:
        """Look again which runs there are, and forget those of this session whose folder is gone."""
        entries = self.state.runs
        folders = [*run_folders(), *(entry.path for entry in entries)]

        def look() -> tuple[list[RunSummary], list[RunEntry]]:
            return list_runs(folders), [entry for entry in entries if not (entry.live or is_run(entry.path))]

        self.background.submit("list", look, self._on_listed)

    def closeEvent(self, event: Any) -> None:
        """End all connections; Qt calls it."""
        self._adding.stop()
        super().closeEvent(event)

    def _build(self) -> None:
        self.list = _RunList()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setWordWrap(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.list.setSpacing(3)
        self.list.setIconSize(QSize(*THUMBNAIL_SIZE))
        self.list.setToolTip("Enter or a double click opens a run; Ctrl and Shift select several")
        self.list.itemActivated.connect(lambda _: self._open())
        self.list.itemSelectionChanged.connect(self._update_buttons)
        self._hint = QLabel(objectName="hint")
        self._hint.setWordWrap(True)
        grid = QGridLayout()
        self._buttons = {
            name: self._button(name, text, tip, slot, key)
            for name, text, tip, slot, key in (
                ("open", "Open", "Show the run: video, maps and masks as layers", self._open, None),
                ("compare", "Compare", "Show the selected runs together in the panels", self._compare, None),
                (
                    "rename",
                    "Rename…",
                    "Rename the run (F2); the folder keeps its name",
                    self._rename,
                    Qt.Key.Key_F2,
                ),
                (
                    "delete",
                    "Delete…",
                    "Delete the selected runs (Del); not while Track works on one",
                    self._delete,
                    Qt.Key.Key_Delete,
                ),
                ("reveal", "Reveal", "Show the run's folder in the file manager", self._reveal, None),
                ("add_folder", "Add folder…", "Also list the runs in another folder", self._add_folder, None),
            )
        }
        for index, button in enumerate(self._buttons.values()):
            grid.addWidget(button, index // 3, index % 3)
        layout = QVBoxLayout(self)
        layout.addWidget(self._hint)
        layout.addWidget(self.list, 1)
        layout.addLayout(grid)
        self._update_buttons()

    def _button(self, name: str, text: str, tip: str, slot: Any, key: Qt.Key | None) -> QPushButton:
        button = QPushButton(text, objectName=name)
        button.setToolTip(tip)
        button.clicked.connect(lambda: slot())
        if key is not None:
            self.list.buttons[key] = button
        return button

    def _on_listed(self, listed: tuple[list[RunSummary], list[RunEntry]]) -> None:
        summaries, gone = listed
        self._show(summaries)
        for entry in gone:
            self.state.remove_run(entry)

    def _show(self, summaries: list[RunSummary]) -> None:
        selected, row = {run.path for run in self._selected()}, self.list.currentRow()
        current = None if row < 0 else self.list.item(row).data(SUMMARY).path
        self.list.clear()
        for summary in summaries:
            item = QListWidgetItem(self._thumbnails.icon(summary), _describe(summary, live=self._is_live(summary)))
            item.setData(SUMMARY, summary)
            item.setToolTip(f"{summary.path}\n{item.text()}")
            self.list.addItem(item)
            item.setSelected(summary.path in selected)
        # Where the keyboard was: on the same run, or where the one stood that is gone.
        at = next((at for at, summary in enumerate(summaries) if summary.path == current), min(row, len(summaries) - 1))
        self.list.setCurrentRow(at, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._hint.setText("" if summaries else "No runs yet: track an object, or add a folder that holds runs.")
        self._hint.setVisible(not summaries)
        self._mark_current()
        self._update_buttons()
        self._thumbnails.read(summaries, open_videos(list(self.viewer.layers), self.state.video))

    def _show_thumbnail(self, path: Path, icon: QIcon) -> None:
        for row in range(self.list.count()):
            if self.list.item(row).data(SUMMARY).path == path:
                self.list.item(row).setIcon(icon)

    def _selected(self) -> list[RunSummary]:
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self.list.item(row).data(SUMMARY) for row in rows]

    def _entry(self, path: Path) -> RunEntry | None:
        return next((entry for entry in self.state.runs if entry.path.resolve() == path.resolve()), None)

    def _is_live(self, run: RunSummary) -> bool:
        entry = self._entry(run.path)
        return entry is not None and entry.live

    def _mark_current(self, _: Any = None) -> None:
        current = self.state.current_run
        for row in range(self.list.count()):
            item = self.list.item(row)
            run = item.data(SUMMARY)
            is_current = current is not None and run.path.resolve() == current.path.resolve()
            # Not in bold: Qt lays such a line out as if it weren't, and cuts it off.
            item.setText(_describe(run, live=self._is_live(run)) + (SHOWN if is_current else ""))

    def _update_buttons(self) -> None:
        runs = self._selected()
        still = bool(runs) and not any(self._is_live(run) for run in runs)
        for name, enabled in {
            "open": bool(runs),
            "compare": len(runs) > 1,
            "rename": len(runs) == 1 and still,
            "delete": still,
            "reveal": len(runs) == 1,
        }.items():
            self._buttons[name].setEnabled(enabled)

    def _add_entry(self, run: RunSummary) -> RunEntry:
        known = self._entry(run.path)
        return known or self.state.add_run(RunEntry(run.path, run.title), make_current=False)

    def _open(self) -> None:
        for run in self._selected():
            # One by one: a run that can't be read doesn't hold up the others.
            self.background.submit(f"open {run.path}", partial(_layers_of, run), partial(self._on_opened, run))

    def _on_opened(self, run: RunSummary, layers: list[LayerData]) -> None:
        entry = self._add_entry(run)
        there = any(_is_of(layer, run.path) for layer in self.viewer.layers)
        if not there and all(coming is not entry for coming, _ in self._to_add):
            self._to_add.extend((entry, layer) for layer in layers)
        self._opened = entry
        self._adding.start()

    def _add_next_layer(self) -> None:
        """Add one layer; one after the other, because napari takes a tenth of a second for each."""
        from napari.layers import Layer

        if self._to_add:
            entry, layer = self._to_add.popleft()
            # Before the layer comes, which may be damaged.
            self._adding.start()
            if entry in self.state.runs:
                insert_in_order(self.viewer, Layer.create(*layer))
        elif self._opened in self.state.runs:
            self.state.current_run = self._opened

    def _compare(self) -> None:
        entries = [self._add_entry(run) for run in self._selected()]
        if self.state.current_run not in entries:
            self.state.current_run = entries[0]
        current = self.state.current_run
        self.state.compared_runs = (current, *(entry for entry in entries if entry is not current))

    def _rename(self) -> None:
        (run,) = self._selected()
        title, accepted = QInputDialog.getText(self, "Rename the run", "Title", text=run.title)
        if accepted and title.strip() and title != run.title:
            title = " ".join(title.split())
            self.background.submit(
                f"rename {run.path}", lambda: rename_run(run.path, title), lambda _: self._on_renamed(run, title)
            )

    def _on_renamed(self, run: RunSummary, title: str) -> None:
        entry = self._entry(run.path)
        if entry is None:
            self.refresh()
            return
        renamed = RunEntry(entry.path, title, entry.live)
        was_current, compared = entry is self.state.current_run, self.state.compared_runs
        self.state.remove_run(entry)
        self.state.add_run(renamed, make_current=was_current)
        self.state.compared_runs = tuple(renamed if other is entry else other for other in compared)

    def _delete(self) -> None:
        runs = self._selected()
        what = f"the run “{runs[0].title}”" if len(runs) == 1 else f"{len(runs)} runs"
        how = f"Move {what} to the trash?" if has_trash() else f"Delete {what} for good? This can't be undone."
        if QMessageBox.question(self, "Delete", how) != QMessageBox.StandardButton.Yes:
            return
        for run in runs:
            # Their layers would read files that are gone.
            for layer in [layer for layer in self.viewer.layers if _is_of(layer, run.path)]:
                self.viewer.layers.remove(layer)
            entry = self._entry(run.path)
            if entry is not None:
                self.state.remove_run(entry)
            self.background.submit(f"delete {run.path}", partial(_delete, run.path), self._on_deleted)

    def _on_deleted(self, error: str) -> None:
        from napari.utils.notifications import show_error

        if error:
            show_error(error)
        self.refresh()

    def _reveal(self) -> None:
        from napari.utils.notifications import show_error

        (run,) = self._selected()
        # A URL has no working folder to start from.
        folder = run.path.absolute()
        if not folder.is_dir():
            # Qt would say that it was opened.
            show_error(f"The run's folder is gone: {folder}")
            self.refresh()
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            show_error(f"No file manager could be started: the run is in {folder}.")

    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "List the runs of a folder")
        if folder:
            self.background.submit(f"add {folder}", partial(_add, Path(folder)), partial(self._on_added, folder))

    def _on_added(self, folder: str, found: list[RunSummary]) -> None:
        from napari.utils.notifications import show_info

        if not found:
            show_info(f"No runs yet in {folder}; they are listed here as soon as there are some.")
        self.refresh()

    def _on_run_finished(self, _: RunEntry) -> None:
        self.refresh()


def _describe(run: RunSummary, *, live: bool) -> str:
    note = "recording" if live else "" if run.finished else "unfinished"
    # A clip that was made here is named by its kind already.
    transform = "" if run.video.endswith(run.transform) else run.transform
    frames = f"{run.num_frames} frames" if run.num_frames else ""
    about = " · ".join(part for part in (run.video, transform, frames, run.model) if part)
    when = " · ".join(part for part in (run.started[:16].replace("T", " "), note) if part)
    return "\n".join(line for line in (run.title, about, when) if line)


def _add(folder: Path) -> list[RunSummary]:
    add_run_folder(folder)
    return list_runs([folder])


def _layers_of(run: RunSummary) -> list[LayerData]:
    return run_to_layers(open_run(run.path))


def _delete(path: Path) -> str:
    """Delete a run; return why it can't be, or nothing."""
    try:
        delete_run(path)
    except ProbeError as error:
        return str(error)
    return ""


def _is_of(layer: Any, path: Path) -> bool:
    content = run_content(layer)
    return content is not None and Path(content["run"]).resolve() == path.resolve()
