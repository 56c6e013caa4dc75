"""The list of a data set's sequences, with thumbnails that come as they are read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.sequence_previews import THUMBNAIL_SIZE, preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.gui.sequence_previews import Preview
    from napari_sam2_probe.video import DavisDataset

Result = TypeVar("Result")


class SequenceList(QListWidget):
    """Shows name, length and number of objects of every sequence; Enter or a double click chooses one.

    First come all thumbnails, then the numbers of objects, for which every mask is read.
    """

    chosen = Signal(str)
    """The name of a sequence, on Enter or a double click."""

    def __init__(self, background: Background) -> None:
        super().__init__(objectName="sequences")
        self._background = background
        self._dataset: DavisDataset | None = None
        self._frames: dict[str, int] = {}
        self._objects: dict[str, int] = {}
        self.setIconSize(QSize(*THUMBNAIL_SIZE))
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip("Enter or a double click adds the sequence to the viewer")
        self.itemActivated.connect(lambda item: self.chosen.emit(item.data(Qt.ItemDataRole.UserRole)))

    @property
    def dataset(self) -> DavisDataset | None:
        """The data set whose sequences are listed."""
        return self._dataset

    def set_dataset(self, dataset: DavisDataset) -> None:
        """List the sequences of another data set and begin to read their previews."""
        self._dataset = dataset
        self._frames.clear()
        self._objects.clear()
        self.clear()
        empty = picture_icon(np.zeros((THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3), np.uint8))
        for name in dataset.names:
            item = QListWidgetItem(empty, name)
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.addItem(item)
        if self.count():
            self.setCurrentRow(0)
        steps: list[Callable[[], None]] = [partial(self._read_preview, dataset, name) for name in dataset.names]
        self._steps = steps + [partial(self._count_objects, dataset, name) for name in dataset.names]
        self._go_on()

    def current_name(self) -> str | None:
        """Return the name of the sequence that is selected."""
        item = self.currentItem()
        return None if item is None or item.isHidden() else item.data(Qt.ItemDataRole.UserRole)

    def show_matching(self, text: str) -> None:
        """Hide the sequences whose name doesn't hold `text`."""
        for row in range(self.count()):
            item = self.item(row)
            item.setHidden(text.casefold() not in item.data(Qt.ItemDataRole.UserRole).casefold())

    def _go_on(self) -> None:
        if self._steps:
            self._steps.pop(0)()

    def _read_preview(self, dataset: DavisDataset, name: str) -> None:
        def show(seen: Preview | None) -> None:
            if seen is None:
                self._item(name).setText(f"{name}\ncan't be read")
            else:
                self._frames[name] = seen.num_frames
                self._item(name).setIcon(picture_icon(seen.thumbnail))
                self._describe(name)
            self._go_on()

        self._background.submit("previews", lambda: _or_none(lambda: preview(dataset.sequence(name))), show)

    def _count_objects(self, dataset: DavisDataset, name: str) -> None:
        def show(number: int | None) -> None:
            if number is not None and name in self._frames:
                self._objects[name] = number
                self._describe(name)
            self._go_on()

        self._background.submit("previews", lambda: _or_none(lambda: len(dataset.sequence(name).object_ids())), show)

    def _item(self, name: str) -> QListWidgetItem:
        assert self._dataset is not None
        return self.item(self._dataset.names.index(name))

    def _describe(self, name: str) -> None:
        parts = [_counted(self._frames[name], "frame")]
        if name in self._objects:
            parts.append(_counted(self._objects[name], "object"))
        self._item(name).setText(f"{name}\n{', '.join(parts)}")


def _or_none(read: Callable[[], Result]) -> Result | None:
    """Read, or give None: one damaged sequence among many is told when it is chosen."""
    try:
        return read()
    except InputError:
        return None


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def picture_icon(picture: np.ndarray) -> QIcon:
    """Return an icon of a picture (h, w, 3) uint8."""
    height, width, _ = picture.shape
    # A QImage only borrows the bytes; the pixmap is a copy.
    return QIcon(QPixmap.fromImage(QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)))
