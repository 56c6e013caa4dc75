"""The list of objects: shown or hidden, named, coloured, added and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_sam2_probe.gui.tracking.controller import TrackController

_ID = Qt.ItemDataRole.UserRole
_SWATCH = 12


class ObjectListWidget(QWidget):
    """Shows the objects of a controller and changes them.

    Parameters
    ----------
    controller
        Whose objects.
    """

    def __init__(self, controller: TrackController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._filling = False
        self._list = QListWidget(objectName="objects")
        self._list.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self._list.setToolTip("Prompts are for the chosen object. Double-click to rename, untick to hide")
        self._list.setFixedHeight(76)
        add = QPushButton("Add object", objectName="add_object")
        add.setToolTip("Track another object")
        colour = QPushButton("Colour…", objectName="object_colour")
        colour.setToolTip("Draw the chosen object in another colour")
        remove = QPushButton("Delete object", objectName="remove_object")
        remove.setToolTip("Delete the selected object with its prompts and masks (cannot be undone)")
        buttons = QHBoxLayout()
        for button in (add, colour, remove):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        layout.addLayout(buttons)
        self._list.currentItemChanged.connect(self._on_current)
        self._list.itemChanged.connect(self._on_changed)
        add.clicked.connect(controller.add_object)
        colour.clicked.connect(self._on_colour)
        remove.clicked.connect(self._on_remove)
        self.fill()

    def fill(self, *_: Any) -> None:
        """Show the objects as they are now."""
        self._filling = True
        self._list.clear()
        for entry in self._controller.objects.entries:
            item = QListWidgetItem(_swatch(entry.colour), entry.name)
            item.setData(_ID, entry.obj_id)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if entry.visible else Qt.CheckState.Unchecked)
            self._list.addItem(item)
            if entry.obj_id == self._controller.state.obj_id:
                self._list.setCurrentItem(item)
        self._filling = False

    def _on_current(self, item: QListWidgetItem | None, _: Any) -> None:
        if not self._filling and item is not None:
            self._controller.state.obj_id = item.data(_ID)

    def _on_changed(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        obj_id, name = item.data(_ID), item.text().strip()
        old = self._controller.objects[obj_id]
        visible = item.checkState() == Qt.CheckState.Checked
        self._controller.objects.change(obj_id, name=name or old.name, visible=visible)

    def _on_colour(self) -> None:
        entry = self._controller.objects[self._controller.state.obj_id]
        colour = QColorDialog.getColor(QColor(entry.colour), self, f"Colour of {entry.name}")
        if colour.isValid():
            self._controller.objects.change(entry.obj_id, colour=colour.name())

    def _on_remove(self) -> None:
        self._controller.objects.remove(self._controller.state.obj_id)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(_SWATCH, _SWATCH)
    pixmap.fill(QColor(colour))
    icon = QIcon(pixmap)
    # Qt would otherwise tint the colour of the chosen object.
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon
