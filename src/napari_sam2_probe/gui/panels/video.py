"""The panel that opens videos: from a DAVIS data set, a folder, a file, or a layer that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
)

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.paths import is_dir
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.last_folder import ask_file, ask_folder
from napari_sam2_probe.gui.layers import METADATA_KEY, VIDEO
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.sequence_list import SequenceList
from napari_sam2_probe.gui.videos import (
    add_video,
    is_image,
    layer_to_work_on,
    read_video,
    use_video,
    video_from_layer,
    watch_videos,
)
from napari_sam2_probe.video import DavisDataset
from napari_sam2_probe.video.file import VIDEO_SUFFIXES
from napari_sam2_probe.video.layout import list_splits

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer
    from napari.layers import Layer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.video import Video

ALL_SEQUENCES = "All sequences"
VIDEO_FILES = f"Videos ({' '.join(sorted('*' + suffix for suffix in VIDEO_SUFFIXES))})"

_BUSY_MS = 250
"""How long opening takes before it is said that it goes on."""


class VideoPanel(Panel):
    """Opens a video and makes it the one that is worked on; folders and files can be dropped on it."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "video")
        self.setAcceptDrops(True)
        viewer = self.viewer
        # What the user asks for does not wait behind previews.
        previews = Background()
        self.end_with_panel(previews)
        self._named: set[Layer] = set()
        self._opening = ""
        self._busy = QTimer(self, singleShot=True, interval=_BUSY_MS)
        self._busy.timeout.connect(self._show_busy)
        self._build(previews)
        self.connections.add(viewer.layers.events.inserted, self._list_layers)
        self.connections.add(viewer.layers.events.removed, self._list_layers)
        self.connections.add(viewer.layers.events.reordered, self._list_layers)
        self.connections.add(self.state.video_changed, self._on_video_changed)
        watch_videos(viewer)
        self._list_layers()
        self._on_video_changed(self.state.video)
        self.open_path(sample_data_folder())

    def open_path(self, path: Path | str, split: str | None = None) -> None:
        """List the sequences of a data set or of one of its splits, or open a video, whichever lies there."""
        self._open_beside(Path(path).name, lambda: _open(Path(path), split))

    def open_sequence(self, name: str) -> None:
        """Add a listed sequence to the viewer and work on it."""
        dataset = self.sequences.dataset
        if dataset is not None:
            self._open_beside(name, lambda: dataset.sequence(name))

    def _open_beside(self, name: str, work: Callable[[], DavisDataset | Video]) -> None:
        # The sign comes only where opening takes a while.
        self._opening = name
        self._busy.start()
        self.background.submit("open", lambda: _or_error(work), self._on_opened)

    def _show_busy(self) -> None:
        self._about.setText(f"Opening {self._opening}…")
        self.setCursor(Qt.CursorShape.BusyCursor)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and files; Qt calls it."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first that was dropped; Qt calls it."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.open_path(paths[0])

    def _build(self, previews: Background) -> None:
        buttons = QHBoxLayout()
        for text, name, tip, ask in (
            ("Data set…", "open_dataset", "Choose a DAVIS folder, or one of the same layout", self._ask_dataset),
            ("Folder…", "open_folder", "Open a folder of images as a video", self._ask_folder),
            ("File…", "open_file", "Open a video file", self._ask_file),
        ):
            button = QPushButton(text, objectName=name)
            button.setToolTip(tip + "; you can also drop it on this panel")
            button.clicked.connect(ask)
            buttons.addWidget(button)
        self._root = QLabel(objectName="root")
        self._root.setWordWrap(True)
        self.split = QComboBox(objectName="split")
        self.split.setToolTip("Which part of the data set is listed")
        self.split.setVisible(False)
        self.split.activated.connect(self._choose_split)
        self.filter = QLineEdit(objectName="filter", placeholderText="Find a sequence", clearButtonEnabled=True)
        self.filter.setToolTip("Show only the sequences whose name holds these letters")
        self.sequences = SequenceList(previews)
        self.sequences.chosen.connect(self.open_sequence)
        self.filter.textChanged.connect(self.sequences.show_matching)
        self.add = QPushButton("Add to viewer", objectName="add")
        self.add.setToolTip("Add the selected sequence and its true masks as layers, and work on it")
        self.add.clicked.connect(self._add_current)
        self.layer = QComboBox(objectName="layer")
        self.layer.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.layer.setToolTip("The video that the panels use; choose any image layer over time")
        self.layer.activated.connect(self._use_layer)
        self._about = QLabel(objectName="about")
        self._about.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Active video", self.layer)
        layout = QVBoxLayout(self)
        layout.addLayout(buttons)
        layout.addWidget(self._root)
        layout.addWidget(self.split)
        layout.addWidget(self.filter)
        layout.addWidget(self.sequences, 1)
        layout.addWidget(self.add)
        layout.addLayout(form)
        layout.addWidget(self._about)

    def _ask_dataset(self) -> None:
        self._open_if_chosen(ask_folder(self, "Open a data set in DAVIS layout", "data set"))

    def _ask_folder(self) -> None:
        self._open_if_chosen(ask_folder(self, "Open a folder of images", "video"))

    def _ask_file(self) -> None:
        self._open_if_chosen(ask_file(self, "Open a video file", "video", VIDEO_FILES))

    def _open_if_chosen(self, path: str) -> None:
        if path:
            self.open_path(path)

    def _add_current(self) -> None:
        name = self.sequences.current_name()
        if name is not None:
            self.open_sequence(name)

    def _on_opened(self, opened: DavisDataset | Video | Exception) -> None:
        self._busy.stop()
        self.unsetCursor()
        self._on_video_changed(self.state.video)
        if isinstance(opened, Exception):
            _show_error(opened)
        elif isinstance(opened, DavisDataset):
            number = len(opened.names)
            self._root.setText(f"{opened.root.resolve().name}: {number} {'sequence' if number == 1 else 'sequences'}")
            self._root.setToolTip(str(opened.root))
            self._show_splits(opened)
            self.filter.clear()
            self.sequences.set_dataset(opened)
        else:
            add_video(self.viewer, opened)

    def _show_splits(self, dataset: DavisDataset) -> None:
        splits, must_choose = list_splits(dataset.root)
        self.split.clear()
        if not must_choose:
            self.split.addItem(ALL_SEQUENCES, None)
        for name in splits:
            self.split.addItem(name, name)
        self.split.setCurrentIndex(max(0, self.split.findData(dataset.split)))
        self.split.setVisible(len(splits) > 1)

    def _choose_split(self, index: int) -> None:
        dataset = self.sequences.dataset
        if dataset is not None:
            self.open_path(dataset.root, self.split.itemData(index))

    def _use_layer(self, index: int) -> None:
        layer = self.layer.itemData(index)
        if layer is None or layer not in self.viewer.layers:
            return
        layer = layer_to_work_on(self.viewer, layer)
        self._show_worked_on()
        self.background.submit("layer", lambda: video_from_layer(layer), self._on_layer_read)

    def _on_layer_read(self, entry: VideoEntry) -> None:
        if entry.layer in self.viewer.layers:
            use_video(self.viewer, entry)

    def _list_layers(self, _: Any = None) -> None:
        layers = [layer for layer in self.viewer.layers if _may_be_video(layer)]
        for layer in self._named.difference(layers):
            self.connections.remove(layer.events.name, self._list_layers)
        for layer in set(layers).difference(self._named):
            self.connections.add(layer.events.name, self._list_layers)
        self._named = set(layers)
        self.layer.clear()
        for layer in layers:
            self.layer.addItem(layer.name, layer)
        self._show_worked_on()

    def _on_video_changed(self, video: VideoEntry | None) -> None:
        self._show_worked_on()
        if video is None:
            self._about.setText("No video yet: add a sequence, or choose a layer.")
            return
        source = video.video
        about = f"{source.num_frames} frames of {source.width} x {source.height} pixels"
        if source.scaling is not None:
            scaling = source.scaling
            about += f"; intensities {scaling.low:g} to {scaling.high:g} become 0 to 255 ({scaling.origin})"
        self._about.setText(f"{about}.")

    def _show_worked_on(self) -> None:
        video = self.state.video
        layers = [self.layer.itemData(index) for index in range(self.layer.count())]
        self.layer.setCurrentIndex(layers.index(video.layer) if video and video.layer in layers else -1)


def _or_error(work: Callable[[], DavisDataset | Video]) -> DavisDataset | Video | Exception:
    try:
        return work()
    except Exception as error:  # whatever it is, the sign that it goes on must end
        return error


def _show_error(error: Exception) -> None:
    from napari.utils.notifications import show_error

    if not isinstance(error, ProbeError):
        raise error
    show_error(str(error))


def _open(path: Path, split: str | None) -> DavisDataset | Video:
    if is_dir(path):
        splits, must_choose = list_splits(path)
        if split is not None or must_choose:
            return DavisDataset(path, split or splits[0])
        try:
            return DavisDataset(path)
        except InputError:
            # No data set; perhaps a video. If not, what that says is what the user needs to know.
            pass
    return read_video(path)


def _may_be_video(layer: Layer) -> bool:
    about = layer.metadata.get(METADATA_KEY, {})
    return is_image(layer) and about.get("content", VIDEO) == VIDEO
