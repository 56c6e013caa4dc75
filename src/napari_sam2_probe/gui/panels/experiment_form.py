"""The part of the Experiments panel that says what to do: data, kinds, clips, model, folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.panels.parts import make_line, make_number
from napari_sam2_probe.gui.panels.track_model import model_entries
from napari_sam2_probe.transforms.registry import KINDS

if TYPE_CHECKING:
    from napari_sam2_probe.experiment.config import ExperimentConfig

KINDS_AT_FIRST = ("clean", "interjection", "object-removal", "context-removal")


class ExperimentForm(QWidget):
    """Fields for a new experiment; for one that is there only its folder counts."""

    changed = Signal()
    """Something else is chosen."""

    def __init__(self) -> None:
        super().__init__(objectName="form")
        self.davis = make_line(
            "davis", str(sample_data_folder()), "Where clips are made from: a data set in DAVIS layout"
        )
        self.kinds = QPushButton(objectName="kinds")
        self.kinds.setToolTip("Kinds of clips; the others are compared with clean ones")
        menu = QMenu(self.kinds)
        for kind, what in KINDS.items():
            action = QAction(kind, menu, checkable=True, checked=kind in KINDS_AT_FIRST)
            action.setToolTip(what)
            action.toggled.connect(self._on_change)
            menu.addAction(action)
        menu.setToolTipsVisible(True)
        self.kinds.setMenu(menu)
        self.samples = make_number("samples", 1, 100_000, 20, "Clips of each kind")
        self.seed = make_number("seed", 0, 2**31 - 1, 0, "Decides all clips")
        self.model = QComboBox(objectName="model")
        self.model.setToolTip("The model that tracks; others are downloaded in the Track panel")
        for entry in model_entries():
            if entry.download is None:
                self.model.addItem(entry.label, entry.checkpoint)
        self.keep_maps = QCheckBox("Keep maps", objectName="keep_maps")
        self.keep_maps.setToolTip("Keep the mean and variance maps of all positions, about 0.65 MB a frame")
        self.folder = make_line("folder", "", "Where the experiment is, or is going to be: a new or empty folder")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Data set", _with_browse(self.davis, "Choose the data set"))
        form.addRow("Kinds", self.kinds)
        row = QHBoxLayout()
        row.addWidget(self.samples, 1)
        row.addWidget(self.keep_maps)
        form.addRow("Clips", row)
        form.addRow("Seed", self.seed)
        form.addRow("Model", self.model)
        form.addRow("Folder", _with_browse(self.folder, "Choose the experiment's folder"))
        self.davis.textChanged.connect(self._on_change)
        self.folder.textChanged.connect(self._on_change)
        self._on_change()

    @property
    def path(self) -> Path | None:
        """The experiment's folder; None while none is named."""
        text = self.folder.text().strip()
        return Path(text).expanduser() if text else None

    @property
    def chosen_kinds(self) -> tuple[str, ...]:
        """The kinds that are checked."""
        return tuple(action.text() for action in self.kinds.menu().actions() if action.isChecked())

    def config(self) -> ExperimentConfig:
        """Return what is chosen.

        Raises
        ------
        InputError
            If it can't be used.
        """
        from napari_sam2_probe.experiment.config import make_config

        return make_config(
            davis=self.davis.text().strip(),
            kinds=self.chosen_kinds,
            samples=self.samples.value(),
            seed=self.seed.value(),
            keep_maps=self.keep_maps.isChecked(),
            model={"checkpoint": self.model.currentData()},
        )

    def show_config(self, config: ExperimentConfig) -> None:
        """Show what an experiment that is there was begun with."""
        self.davis.setText(config.davis)
        self.samples.setValue(config.samples)
        self.seed.setValue(config.seed)
        self.keep_maps.setChecked(config.keep_maps)
        for action in self.kinds.menu().actions():
            action.setChecked(action.text() in config.kinds)
        checkpoint = config.model.checkpoint or ""
        if self.model.findData(checkpoint) < 0:
            self.model.addItem(Path(checkpoint).name, checkpoint)
        self.model.setCurrentIndex(self.model.findData(checkpoint))

    def allow_changes(self, allowed: bool) -> None:
        """Let all but the folder be changed, or not: an experiment that is there keeps what it was begun with."""
        for field in (self.davis, self.kinds, self.samples, self.seed, self.model, self.keep_maps):
            field.setEnabled(allowed)

    def _on_change(self, *_: object) -> None:
        kinds = self.chosen_kinds
        self.kinds.setText(", ".join(kinds) if len(kinds) < 3 else f"{kinds[0]} and {len(kinds) - 1} more")
        self.changed.emit()


def _with_browse(line: QLineEdit, tip: str) -> QHBoxLayout:
    browse = QPushButton("…", objectName=f"browse_{line.objectName()}")
    browse.setToolTip(tip)
    browse.setMaximumWidth(32)

    def ask() -> None:
        folder = QFileDialog.getExistingDirectory(line, tip, line.text())
        if folder:
            line.setText(folder)

    browse.clicked.connect(ask)
    row = QHBoxLayout()
    row.addWidget(line, 1)
    row.addWidget(browse)
    return row
