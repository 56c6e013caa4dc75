"""The part of the Pointers panel that adds boxes: true ones, decoded ones, and a decoder where there is none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.boxes import add_true_boxes
from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.decoded_layers import decoded_layers, show_decoded
from napari_sam2_probe.gui.decoders import (
    DecodedBoxes,
    DecoderWorth,
    decode_boxes,
    decoder_worth,
    describe_decoder,
    fit_decoder_job,
)
from napari_sam2_probe.gui.jobs import JobState
from napari_sam2_probe.gui.panels.job_row import JobRow
from napari_sam2_probe.gui.panels.parts import make_button
from napari_sam2_probe.gui.panels.run_panel import LIVE_PAUSE
from napari_sam2_probe.gui.run_views import find_video, open_videos
from napari_sam2_probe.video.davis import DavisDataset, dataset_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.gui.panels.run_panel import RunPanel
    from napari_sam2_probe.gui.state import RunEntry

WITHOUT_DECODER = "There is no decoder for this model yet: fit one with Fit decoder."
WITHOUT_POINTERS = "No frame has an object pointer to decode yet."


class BoxRow(QWidget):
    """Buttons for boxes, and the progress of a decoder that is being fitted.

    Parameters
    ----------
    panel
        The panel that it is a part of.
    """

    def __init__(self, panel: RunPanel) -> None:
        super().__init__()
        self._panel = panel
        self._fitted_for: RunEntry | None = None
        self._grown: dict[Path, RunEntry] = {}
        when_closed(panel.viewer, panel.state.jobs.close)
        self._true = make_button(
            "true_boxes", "Ground-truth boxes", "Add the boxes of the video's true masks as a shapes layer"
        )
        self._true.clicked.connect(self._add_true_boxes)
        self._decoded = make_button("decoded_boxes", "Decoded boxes", "Add the boxes that a decoder reads off pointers")
        self._decoded.clicked.connect(self._add_decoded_boxes)
        self._fit = make_button(
            "fit_decoder", "Fit decoder", "Fit a decoder from pointer to box to clean videos, in the background"
        )
        menu = QMenu(self._fit)
        self._fit_open = menu.addAction("To the data set that is open")
        self._fit_open.triggered.connect(self._fit_to_open)
        menu.addAction("To the sample videos").triggered.connect(lambda: self.fit_to(sample_data_folder()))
        menu.addAction("To a folder in DAVIS layout…").triggered.connect(self._ask_dataset)
        self._fit.setMenu(menu)
        self.job = JobRow(panel.state.jobs)
        self.job.ended.connect(self._on_ended)
        self._said = QLabel(objectName="decoder", wordWrap=True)
        self._said.hide()
        self._worth = QLabel(objectName="worth", wordWrap=True)
        self._worth.hide()
        self._later = QTimer(self, singleShot=True, interval=LIVE_PAUSE)
        self._later.timeout.connect(self._follow)
        row = QHBoxLayout()
        for button in (self._true, self._decoded):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._worth)
        layout.addWidget(self._fit)
        layout.addWidget(self.job)
        layout.addWidget(self._said)
        panel.connections.add(panel.state.current_run_changed, self._on_run_changed)
        panel.connections.add(panel.state.run_progressed, self._on_progressed)
        panel.connections.add(panel.state.run_finished, self._on_finished)
        self._on_run_changed(panel.state.current_run)

    def fit_to(self, folder: Path | str) -> None:
        """Fit a decoder for the current run's model to a data set, as soon as other jobs are done."""
        entry = self._panel.state.current_run
        if entry is None or self.job.busy:
            return
        try:
            dataset = DavisDataset(folder)
        except ProbeError as error:
            self.say(str(error))
            return
        self._fitted_for = entry
        self._fit.setEnabled(False)
        self.say("")
        self.job.submit("Fit a decoder", partial(fit_decoder_job, entry, dataset), self._on_fitted)

    def say(self, text: str) -> None:
        """Show a sentence below the buttons."""
        self._said.setText(text)
        self._said.setVisible(bool(text))

    def _add_true_boxes(self) -> None:
        panel = self._panel
        entry = panel.state.current_run
        if entry is not None:
            opened = open_videos(list(panel.viewer.layers), panel.state.video)
            at_hand = [video for video in opened if video.has_masks]
            add_true_boxes(panel.viewer, lambda: find_video(entry.open(), at_hand), panel.video_layer, panel.background)

    def _add_decoded_boxes(self) -> None:
        entry = self._panel.state.current_run
        if entry is not None:
            decode = partial(decode_boxes, entry)
            self._panel.background.submit("decoded boxes", decode, partial(self._show_decoded, entry))

    def _show_decoded(self, entry: RunEntry, boxes: DecodedBoxes | None) -> None:
        panel = self._panel
        if boxes is None:
            self.say(WITHOUT_DECODER)
            return
        if not boxes.corners:
            self.say(WITHOUT_POINTERS)
            return
        if self._said.text() in (WITHOUT_DECODER, WITHOUT_POINTERS):
            self.say("")
        show_decoded(panel.viewer, entry.path, boxes, panel.video_layer)

    def _follow(self) -> None:
        """Decode again what is shown of runs that have grown."""
        panel, grown = self._panel, self._grown
        self._grown = {}
        for entry in grown.values():
            if decoded_layers(panel.viewer, entry.path) is not None:
                decode = partial(decode_boxes, entry)
                key = f"decoded boxes of {entry.path}"
                panel.background.submit(key, decode, partial(self._show_newer, entry), show_older=True)

    def _show_newer(self, entry: RunEntry, boxes: DecodedBoxes | None) -> None:
        # Unless they were taken away meanwhile.
        if boxes is not None and boxes.corners and decoded_layers(self._panel.viewer, entry.path) is not None:
            show_decoded(self._panel.viewer, entry.path, boxes, None)

    def _on_progressed(self, entry: RunEntry, _: int) -> None:
        self._grown[entry.path] = entry
        if not self._later.isActive():
            self._later.start()

    def _on_finished(self, entry: RunEntry) -> None:
        self._grown[entry.path] = entry
        self._later.stop()
        self._follow()

    def _show_worth(self, worth: DecoderWorth | None) -> None:
        self._worth.setText("" if worth is None else f"⚠ {worth.text}" if worth.warns else worth.text)
        self._worth.setVisible(worth is not None)

    def _fit_to_open(self) -> None:
        video = self._panel.state.video
        if video is None or not video.video.has_masks or video.video.folder is None:
            self.say("No sequence of a data set is active: open one in the Video panel, or choose a folder.")
            return
        try:
            self.fit_to(dataset_of(video.video).root)
        except ProbeError as error:
            self.say(str(error))

    def _ask_dataset(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Clean videos with masks, in DAVIS layout")
        if folder:
            self.fit_to(folder)

    def _on_run_changed(self, entry: RunEntry | None) -> None:
        # What is said is of the run before.
        self.say("")
        self._show_worth(None)
        if entry is not None:
            self._panel.background.submit("decoder's worth", partial(_worth_or_none, entry), self._show_worth)

    def _on_fitted(self, decoder: BoxDecoder) -> None:
        self.say(describe_decoder(decoder))
        entry = self._panel.state.current_run
        if entry is not None:
            self._panel.background.submit("decoder's worth", partial(_worth_or_none, entry), self._show_worth)

    def _on_ended(self, state: JobState) -> None:
        self._fit.setEnabled(True)
        if state is JobState.CANCELLED:
            self.say("Cancelled: no decoder was kept.")
        elif state is JobState.DONE and self._fitted_for is self._panel.state.current_run:
            self._add_decoded_boxes()


def _worth_or_none(entry: RunEntry) -> DecoderWorth | None:
    try:
        return decoder_worth(entry)
    except ProbeError:
        # Said when boxes are asked for: a panel that opens has asked for nothing.
        return None
