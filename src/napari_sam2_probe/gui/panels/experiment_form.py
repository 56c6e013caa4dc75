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
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.common.paths import expanded
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.panels.corruptions_field import CorruptionsField
from napari_sam2_probe.gui.panels.lengths_row import LengthsRow
from napari_sam2_probe.gui.panels.option_form import OptionForm
from napari_sam2_probe.gui.panels.parts import make_line, make_number
from napari_sam2_probe.gui.panels.track_model import model_entries
from napari_sam2_probe.models.checkpoints import SAMPLE, sample_checkpoint
from napari_sam2_probe.transforms.registry import KINDS, corruption_text

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.config import ExperimentConfig

KINDS_AT_FIRST = ("clean", "interjection", "object-removal", "context-removal")

_ONLY_SAMPLE = "The sample model is for trying things: take an official checkpoint for results."
_UNTRAINED = "The sample model is untrained here: its numbers mean nothing."


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
        for kind, transform in KINDS.items():
            action = QAction(kind, menu, checkable=True, checked=kind in KINDS_AT_FIRST)
            action.setToolTip(transform.description)
            action.toggled.connect(self._on_change)
            menu.addAction(action)
        menu.setToolTipsVisible(True)
        self.kinds.setMenu(menu)
        self.options = {kind: OptionForm(kind) for kind, transform in KINDS.items() if transform.options}
        for kind, options in self.options.items():
            options.set_options(KINDS.find(kind).options)
        self.corruptions = CorruptionsField(_why_not)
        self.lengths = LengthsRow(shortest=(2, 0, 0))
        self.samples = make_number("samples", 1, 100_000, 20, "Clips of each kind")
        self.seed = make_number("seed", 0, 2**31 - 1, 0, "Decides all clips")
        self.model = QComboBox(objectName="model")
        self.model.setToolTip("The model that tracks; others are downloaded in the Track panel")
        for entry in model_entries():
            if entry.download is None:
                self.model.addItem(entry.label, entry.checkpoint)
        self._about_model = QLabel(objectName="about_model", wordWrap=True)
        self.model.currentIndexChanged.connect(self._on_model)
        self.keep_maps = QCheckBox("Keep maps", objectName="keep_maps")
        self.keep_maps.setToolTip("Keep the mean and variance maps of all positions, about 0.65 MB a frame")
        self.folder = make_line("folder", "", "Where the experiment is, or is going to be: a new or empty folder")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout(rowWrapPolicy=QFormLayout.RowWrapPolicy.WrapLongRows)
        layout.addLayout(form)
        form.addRow("Data set", _with_browse(self.davis, "Choose the data set"))
        form.addRow("Kinds", self.kinds)
        row = QHBoxLayout()
        row.addWidget(self.samples, 1)
        row.addWidget(self.keep_maps)
        form.addRow("Clips", row)
        form.addRow("Frames before / change / after", self.lengths)
        form.addRow("Seed", self.seed)
        for options in self.options.values():
            form.addRow(options)
        form.addRow("Effects", self.corruptions.button)
        form.addRow(self.corruptions)
        form.addRow("Model", self.model)
        form.addRow(self._about_model)
        form.addRow("Folder", _with_browse(self.folder, "Choose the experiment's folder"))
        self.davis.textChanged.connect(self._on_change)
        self.folder.textChanged.connect(self._on_change)
        self.corruptions.changed.connect(self._on_change)
        self._on_model()
        self._on_change()

    @property
    def path(self) -> Path | None:
        """The experiment's folder; None while none is named."""
        text = self.folder.text().strip()
        return expanded(text) if text else None

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
        from napari_sam2_probe.experiments.config import make_config

        return make_config(
            davis=self.davis.text().strip(),
            kinds=self.chosen_kinds,
            samples=self.samples.value(),
            lengths=self.lengths.lengths,
            options={kind: form.values() for kind, form in self.options.items() if kind in self.chosen_kinds},
            then=tuple(map(corruption_text, self.corruptions.corruptions)),
            seed=self.seed.value(),
            keep_maps=self.keep_maps.isChecked(),
            model={"checkpoint": self.model.currentData()},
        )

    def show_config(self, config: ExperimentConfig) -> None:
        """Show what an experiment that is there was begun with."""
        self.davis.setText(config.davis)
        self.samples.setValue(config.samples)
        self.lengths.set_lengths(config.lengths)
        for kind, options in self.options.items():
            options.set_values(config.options.get(kind, {}))
        self.corruptions.set_corruptions(config.corruptions)
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
        fields = (self.davis, self.kinds, self.samples, self.lengths, self.seed, self.model, self.keep_maps)
        for field in (*fields, *self.options.values(), self.corruptions):
            field.setEnabled(allowed)

    def _on_model(self, *_: object) -> None:
        is_sample = self.model.currentData() == SAMPLE
        untrained = is_sample and not sample_checkpoint().trained
        self._about_model.setText(_UNTRAINED if untrained else _ONLY_SAMPLE)
        self._about_model.setVisible(is_sample)

    def _on_change(self, *_: object) -> None:
        kinds = self.chosen_kinds
        for kind, options in self.options.items():
            options.setVisible(kind in kinds)
        self.kinds.setText(", ".join(kinds) if len(kinds) < 3 else f"{kinds[0]} and {len(kinds) - 1} more")
        self.changed.emit()


def _why_not(corruption: str) -> str:
    from napari_sam2_probe.experiments.config import why_unfit

    reason = why_unfit(corruption)
    return f"No {corruption} here: it {reason}." if reason else ""


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
