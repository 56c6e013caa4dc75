"""Choose the model, the device and the precision; download a model that is not here yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.families.port_kinds import KINDS
from napari_sam2_probe.gui.jobs import Job, JobQueue, JobState
from napari_sam2_probe.gui.preferences import preferences
from napari_sam2_probe.gui.tracking.downloads import downloading
from napari_sam2_probe.models.checkpoints import DEFAULT_ORDER, OFFICIAL, SAMPLE, installed, sample_checkpoint
from napari_sam2_probe.models.device import DEVICES, DTYPES
from napari_sam2_probe.models.hub import models_here

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.models.checkpoints import OfficialCheckpoint

_OTHER = "Another file…"


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be chosen.

    Attributes
    ----------
    checkpoint
        A name or a file.
    label
        What a person reads.
    download
        What must be downloaded first; None if it is here.
    """

    checkpoint: str
    label: str
    download: OfficialCheckpoint | None = None


def model_entries(own_files: tuple[str, ...] = ()) -> list[ModelEntry]:
    """Return the models, those that are here first: official ones, the sample model, the hub's, the user's files."""
    here = installed()
    by_name = {checkpoint.name: checkpoint for checkpoint in OFFICIAL}
    note = "included" if sample_checkpoint().trained else "untrained"
    entries = [ModelEntry(checkpoint.name, checkpoint.name) for checkpoint in here]
    entries.append(ModelEntry(SAMPLE, f"{SAMPLE} ({note})"))
    entries += [ModelEntry(str(name), name.repo) for name in models_here(KINDS)]
    entries += [ModelEntry(path, Path(path).name) for path in own_files]
    for name in reversed(DEFAULT_ORDER):
        checkpoint = by_name[name]
        if checkpoint not in here:
            size = "" if checkpoint.num_bytes is None else f", {checkpoint.num_bytes / 1e6:.0f} MB"
            entries.append(ModelEntry(name, f"{name} (not here{size})", checkpoint))
    return entries


class ModelChooser(QWidget):
    """Which model, where, and how precisely.

    Parameters
    ----------
    base_url
        A mirror to download from; None for Meta's server.
    """

    chosen = Signal(object)
    """A `ModelChoice`, or None while what is chosen has to be downloaded first."""

    def __init__(self, parent: QWidget | None = None, *, base_url: str | None = None) -> None:
        super().__init__(parent)
        self.downloads = JobQueue()
        self._base_url = base_url
        self._own_files: tuple[str, ...] = ()
        self._entries: list[ModelEntry] = []
        self._job: Job | None = None

        self._model = QComboBox(objectName="model")
        self._model.setToolTip("The weights of SAM 2: larger ones track better and take longer")
        self._model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._device = QComboBox(objectName="device")
        self._device.addItems(DEVICES)
        self._device.setToolTip("Where SAM 2 runs; auto takes a GPU if there is one")
        self._precision = QComboBox(objectName="precision")
        self._precision.addItems(DTYPES)
        self._precision.setToolTip("How precisely SAM 2 computes; auto is float32, the lower ones save GPU memory")
        self._button = QPushButton("Download", objectName="download")
        self._button.setToolTip("Fetch this model from Meta's server; an interrupted download goes on where it stopped")
        self._bar = QProgressBar(objectName="download_progress")
        self._bar.setToolTip("How much has arrived")

        places = QHBoxLayout()
        places.addWidget(self._device, 1)
        places.addWidget(self._precision, 1)
        fetching = QHBoxLayout()
        fetching.addWidget(self._bar, 1)
        fetching.addWidget(self._button)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Model", self._model)
        form.addRow("Device", places)
        form.addRow(fetching)

        wanted = preferences()
        if wanted.checkpoint and wanted.checkpoint not in [entry.checkpoint for entry in model_entries()]:
            self._own_files = (wanted.checkpoint,)
        self._fill(wanted.checkpoint or None)
        self._device.setCurrentText(wanted.device)
        self._precision.setCurrentText(wanted.dtype)
        self._model.activated.connect(self._on_model)
        self._device.currentTextChanged.connect(self._tell)
        self._precision.currentTextChanged.connect(self._tell)
        self._button.clicked.connect(self._on_button)
        self.downloads.progressed.connect(self._on_progress)
        self._show_download()

    @property
    def entry(self) -> ModelEntry:
        """The model that is chosen."""
        return self._entries[self._model.currentIndex()]

    @property
    def choice(self) -> ModelChoice | None:
        """What to track with; None if the model isn't here."""
        if self.entry.download is not None:
            return None
        device, dtype = self._device.currentText(), self._precision.currentText()
        return ModelChoice(self.entry.checkpoint, device=device, dtype=dtype)

    def choose(self, checkpoint: str) -> None:
        """Choose a model by its name or file."""
        index = next(i for i, entry in enumerate(self._entries) if entry.checkpoint == checkpoint)
        self._model.setCurrentIndex(index)
        self._on_model(index)

    def show_choice(self, choice: ModelChoice) -> None:
        """Show what is tracked with already, and tell nobody."""
        name = choice.checkpoint
        if name is not None and name not in [entry.checkpoint for entry in self._entries]:
            self._own_files = (*self._own_files, name)
        before = self.blockSignals(True)
        self._fill(name)
        self._device.setCurrentText(choice.device)
        self._precision.setCurrentText(choice.dtype)
        self.blockSignals(before)
        self._show_download()

    def add_file(self, path: str) -> None:
        """Offer and choose a checkpoint file of the user's."""
        self._own_files = (*(file for file in self._own_files if file != path), path)
        self._fill(path)
        self._tell()

    def _fill(self, checkpoint: str | None) -> None:
        self._entries = model_entries(self._own_files)
        self._model.clear()
        for entry in self._entries:
            self._model.addItem(entry.label)
        self._model.addItem(_OTHER)
        names = [entry.checkpoint for entry in self._entries]
        self._last = names.index(checkpoint) if checkpoint in names else 0
        self._model.setCurrentIndex(self._last)

    def _on_model(self, index: int) -> None:
        if index == len(self._entries):
            self._model.setCurrentIndex(self._last)
            path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", "Checkpoints (*.pt *.safetensors)")
            if path:
                self.add_file(path)
            return
        self._last = index
        self._tell()

    def _tell(self, *_: Any) -> None:
        self._show_download()
        self.chosen.emit(self.choice)

    def _show_download(self) -> None:
        running = self._job is not None
        self._button.setVisible(running or self.entry.download is not None)
        self._button.setText("Stop" if running else "Download")
        self._bar.setVisible(running)

    def _on_button(self) -> None:
        if self._job is not None:
            self.downloads.cancel(self._job)
            return
        checkpoint = self.entry.download
        if checkpoint is None:
            return
        self._bar.setRange(0, 0)
        self._job = Job(f"download {checkpoint.name}", partial(downloading, checkpoint, None, self._base_url))
        self._job.on_end = partial(self._on_end, checkpoint)
        self.downloads.submit(self._job)
        self._show_download()

    def _on_progress(self, _: Job, progress: Progress) -> None:
        # Qt counts in 32 bits, so not in bytes.
        self._bar.setRange(0, progress.total // 1024)
        self._bar.setValue(progress.done // 1024)
        self._bar.setFormat(f"{progress.what.split()[0]} · {progress.done / 1e6:.0f} MB")

    def _on_end(self, checkpoint: OfficialCheckpoint, state: JobState) -> None:
        self._job = None
        if state is JobState.DONE:
            self._fill(checkpoint.name if self.entry.download == checkpoint else self.entry.checkpoint)
            self._tell()
        self._show_download()
