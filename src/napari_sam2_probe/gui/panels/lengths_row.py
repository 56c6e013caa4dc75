"""Fields for the lengths of a clip's three parts."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QSpinBox, QWidget

from napari_sam2_probe.gui.panels.parts import make_number
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS

_PARTS = ("prefix", "interjection", "suffix")


class LengthsRow(QWidget):
    """Frames of prefix, interjection and suffix, beside one another."""

    changed = Signal()

    def __init__(self, shortest: tuple[int, int, int] = (1, 0, 0)) -> None:
        super().__init__(objectName="lengths")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.fields: list[QSpinBox] = []
        for name, length, low in zip(_PARTS, DEFAULT_LENGTHS, shortest, strict=True):
            field = make_number(name, low, 999, length, f"Frames of the {name}")
            # Three of them beside one another have no room for buttons; the arrow keys and the wheel do the same.
            field.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
            # napari's style sheet has a minimum of its own, which only another one overrules.
            field.setStyleSheet("QSpinBox { min-width: 40px; }")
            field.valueChanged.connect(lambda _: self.changed.emit())
            row.addWidget(field)
            self.fields.append(field)

    @property
    def lengths(self) -> tuple[int, int, int]:
        """What is chosen."""
        prefix, interjection, suffix = (field.value() for field in self.fields)
        return prefix, interjection, suffix

    def set_lengths(self, lengths: tuple[int, int, int]) -> None:
        """Choose these."""
        for field, length in zip(self.fields, lengths, strict=True):
            field.setValue(length)
