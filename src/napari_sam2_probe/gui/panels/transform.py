"""The panel that makes transformed clips: a preview, layers, or a whole data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
)

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.clip_layers import add_clip
from napari_sam2_probe.gui.clip_preview import ClipPreview, preview_frames
from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.jobs import JobState
from napari_sam2_probe.gui.panels.corruptions_field import CorruptionsField
from napari_sam2_probe.gui.panels.job_row import JobRow
from napari_sam2_probe.gui.panels.lengths_row import LengthsRow
from napari_sam2_probe.gui.panels.option_form import OptionForm
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.panels.parts import make_button, make_combo, make_number
from napari_sam2_probe.gui.videos import watch_videos
from napari_sam2_probe.transforms.maker import ClipMaker, ClipRequest, count_others
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.transforms.workers import default_workers
from napari_sam2_probe.video.davis import dataset_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import napari.viewer
    from numpy.typing import NDArray

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.transforms.maker import MadeClip
    from napari_sam2_probe.transforms.plan import ClipSpec
    from napari_sam2_probe.video import Video

PAUSE = 400
"""Milliseconds after the last change until the preview is made."""

WITHOUT_SEQUENCE = "Clips are made from a sequence with true masks: add one in the Video panel."


class TransformPanel(Panel):
    """Chooses what happens to an object of the sequence that is worked on, and shows it."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "transform")
        when_closed(self.viewer, self.state.jobs.close)
        self._maker: ClipMaker | None = None
        self._sequence = ""
        self._made: tuple[ClipRequest, MadeClip] | None = None
        self._later = QTimer(self, singleShot=True, interval=PAUSE)
        self._later.timeout.connect(self._preview)
        self._build()
        self._offer_options()
        self.connections.add(self.state.video_changed, self._on_video_changed)
        watch_videos(self.viewer)
        self._on_video_changed(self.state.video)

    @property
    def request(self) -> ClipRequest | None:
        """What is chosen; None while there is no object to choose."""
        if self.object.currentData() is None:
            return None
        return ClipRequest(
            sequence=self._sequence,
            obj_id=self.object.currentData(),
            kind=self.kind.currentData(),
            distractor=self.distractor.currentData(),
            lengths=self.lengths.lengths,
            seed=self.seed.value(),
            options=self.options.values(),
            then=self.corruptions.corruptions,
        )

    def showEvent(self, event: Any) -> None:
        """Make the preview that was put off while hidden; Qt calls it."""
        super().showEvent(event)
        self._change()

    def _build(self) -> None:
        self._base = QLabel(objectName="base", wordWrap=True)
        self.kind = make_combo("kind", "What happens in the clip")
        for name, kind in KINDS.items():
            self.kind.addItem(kind.title, name)
            self.kind.setItemData(self.kind.count() - 1, kind.description[0].upper() + kind.description[1:], _TOOLTIP)
        self.object = make_combo("object", "The object of interest")
        self.distractor = make_combo("distractor", "The sequence that foreign footage comes from")
        self.lengths = LengthsRow()
        self.seed = make_number("seed", 0, 2**31 - 1, 0, "Random seed")
        self.options = OptionForm()
        self.corruptions = CorruptionsField()
        form = QFormLayout(rowWrapPolicy=QFormLayout.RowWrapPolicy.WrapLongRows)
        for label, field in (
            ("Kind", self.kind),
            ("Object", self.object),
            ("Distractor", self.distractor),
            ("Frames before / change / after", self.lengths),
            ("Seed", self.seed),
        ):
            form.addRow(label, field)
        form.addRow(self.options)
        form.addRow("Effects", self.corruptions.button)
        form.addRow(self.corruptions)
        self.preview = ClipPreview()
        self.add = make_button("add", "Add as layers", "Add the clip and its clean twin, and work on the clip")
        self.samples = make_number("samples", 1, 100_000, 500, "Number of clips (source sequences drawn at random)")
        self.generate = make_button("generate", "Generate data set…", "Write a whole data set in DAVIS layout")
        self.job = JobRow(self.state.jobs)
        self._said = QLabel(objectName="said", wordWrap=True)
        many = QHBoxLayout()
        many.addWidget(self.samples)
        many.addWidget(self.generate, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self._base)
        layout.addLayout(form)
        for widget in (self.preview, self.add):
            layout.addWidget(widget)
        layout.addLayout(many)
        layout.addWidget(self.job)
        layout.addWidget(self._said)
        layout.addStretch()
        self.kind.currentIndexChanged.connect(self._offer_options)
        for combo in (self.object, self.distractor):
            combo.currentIndexChanged.connect(self._change)
        self.seed.valueChanged.connect(self._change)
        self.lengths.changed.connect(self._change)
        self.options.changed.connect(self._change)
        self.corruptions.changed.connect(self._change)
        self.add.clicked.connect(self._add)
        self.generate.clicked.connect(self._generate)
        self.job.ended.connect(self._on_ended)

    def _on_video_changed(self, video: VideoEntry | None) -> None:
        if video is not None and video.video.path is None and video.video.truth is not None:
            # A clip that was made here: its base stays what clips are made from.
            return
        self._maker, self._sequence = None, ""
        self.object.clear()
        if video is None or not video.video.has_masks or video.video.folder is None:
            self._base.setText(WITHOUT_SEQUENCE)
            self._change()
            return
        sequence = video.video
        self._base.setText(f"{sequence.name}: {sequence.num_frames} frames")
        self.background.submit("base", lambda: _open_base(sequence), self._on_base_read)

    def _on_base_read(self, read: tuple[ClipMaker, str, list[int]]) -> None:
        self._maker, self._sequence, obj_ids = read
        self.distractor.clear()
        self.distractor.addItem("Any unrelated", None)
        for name in self._maker.unrelated(self._sequence):
            self.distractor.addItem(name, name)
        for obj_id in obj_ids:
            self.object.addItem(f"Object {obj_id}", obj_id)
        self._change()

    def _offer_options(self) -> None:
        self.options.set_options(KINDS.find(self.kind.currentData()).options)
        self._change()

    def _change(self) -> None:
        request = self.request
        self.distractor.setEnabled(request is not None and count_others(request.kind, request.options) > 0)
        self.generate.setEnabled(request is not None and not self.job.busy)
        self._made = None
        self.add.setEnabled(False)
        if request is not None and self._maker is not None:
            self.preview.wait()
        self._later.start()

    def _preview(self) -> None:
        request, maker = self.request, self._maker
        if request is None or maker is None:
            self.preview.say("")
        elif self.isVisible():
            self.background.submit("preview", lambda: _make(maker, request), partial(self._on_previewed, request))

    def _on_previewed(self, request: ClipRequest, made: tuple[MadeClip, NDArray[Any]] | str) -> None:
        if request != self.request:
            return
        if isinstance(made, str):
            self.preview.say(made)
            return
        clip, frames = made
        self._made = (request, clip)
        self.preview.show_clip(clip.clip, frames)
        self.add.setEnabled(True)

    def _add(self) -> None:
        if self._made is None or self._maker is None:
            return
        maker, (_, made) = self._maker, self._made
        self.add.setEnabled(False)
        twin = (lambda: None) if made.recipe.kind == "clean" else partial(_make_twin, maker, made)
        self.background.submit("twin", twin, partial(self._on_twin_made, made))

    def _on_twin_made(self, made: MadeClip, twin: MadeClip | None) -> None:
        add_clip(self.viewer, made, twin)
        self.add.setEnabled(self._made is not None)

    def _generate(self) -> None:
        request, maker = self.request, self._maker
        folder = QFileDialog.getExistingDirectory(self, "A new or empty folder for the data set")
        if not folder or request is None or maker is None:
            return
        self._said.clear()
        work = partial(_generate, maker.videos, Path(folder), request.order, self.samples.value())
        self._folder = folder
        self.job.submit(f"Make {self.samples.value()} {request.kind} clips", work)
        self.generate.setEnabled(False)

    def _on_ended(self, state: JobState) -> None:
        self.generate.setEnabled(self.request is not None)
        self._said.setText(
            {
                JobState.DONE: f"The data set is in {self._folder}.",
                JobState.CANCELLED: f"Stopped; generate into {self._folder} again to go on.",
                JobState.FAILED: "The data set is not complete.",
            }[state]
        )


_TOOLTIP = Qt.ItemDataRole.ToolTipRole


def _open_base(sequence: Video) -> tuple[ClipMaker, str, list[int]]:
    maker = ClipMaker(dataset_of(sequence))
    name = sequence.folder.name if sequence.folder is not None else sequence.name
    return maker, name, maker.object_ids(name)


def _make_twin(maker: ClipMaker, made: MadeClip) -> MadeClip:
    twin = maker.twin(made)
    # Drawn here, not in the window's thread.
    _ = twin.clip.frames
    return twin


def _make(maker: ClipMaker, request: ClipRequest) -> tuple[MadeClip, NDArray[Any]] | str:
    try:
        made = maker.make(request)
    except InputError as error:
        # Said in place of the preview: while one turns a wheel, a notification for each step would be too much.
        return str(error)
    return made, preview_frames(made.clip)


def _generate(
    dataset: Mapping[str, Video], out: Path, order: ClipSpec, samples: int
) -> Generator[Progress, None, None]:
    from napari_sam2_probe.transforms.dataset import iterate_dataset

    # One processor is left to the window.
    yield from iterate_dataset(dataset, out, order, samples, workers=max(1, default_workers() - 1))
