"""Fields for the options that a kind of clip declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QDoubleSpinBox, QFormLayout, QSpinBox, QWidget

from napari_sam2_probe.transforms.options import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.options import Number, Option
    from napari_sam2_probe.transforms.recipe import OptionValue


class OptionForm(QWidget):
    """One field for each option; made anew for another kind.

    Parameters
    ----------
    subject
        Whose options they are, where the form stands among others; put before their names.
    """

    changed = Signal()

    def __init__(self, subject: str = "") -> None:
        super().__init__(objectName=f"{subject.replace('-', '_')}_options" if subject else "options")
        self._subject = subject
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._fields: dict[str, QComboBox | QSpinBox | QDoubleSpinBox] = {}

    def set_options(self, declared: Mapping[str, Option]) -> None:
        """Offer these options, with their defaults."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self._fields = {name: self._field(name, option) for name, option in declared.items()}
        for name, field in self._fields.items():
            label = f"{self._subject}: {name}" if self._subject else name
            self._form.addRow(label.replace("_", " ").replace("-", " ").capitalize(), field)
        self.setVisible(bool(self._fields))

    def values(self) -> dict[str, OptionValue]:
        """Return every option with what is chosen."""
        return {
            name: field.currentText() if isinstance(field, QComboBox) else field.value()
            for name, field in self._fields.items()
        }

    def set_values(self, values: Mapping[str, OptionValue]) -> None:
        """Choose these values of options that are offered."""
        for name, value in values.items():
            field = self._fields[name]
            if isinstance(field, QComboBox):
                field.setCurrentText(str(value))
            else:
                field.setValue(value)

    def _field(self, name: str, option: Option) -> QComboBox | QSpinBox | QDoubleSpinBox:
        if isinstance(option, Choice):
            choices = QComboBox(objectName=f"option_{name}")
            choices.addItems(option.values)
            choices.setCurrentText(option.default)
            choices.currentIndexChanged.connect(lambda _: self.changed.emit())
            choices.setToolTip(f"One of {', '.join(option.values)}")
            return choices
        return self._number(name, option)

    def _number(self, name: str, option: Number) -> QSpinBox | QDoubleSpinBox:
        whole = isinstance(option.default, int)
        number = QSpinBox(objectName=f"option_{name}") if whole else QDoubleSpinBox(objectName=f"option_{name}")
        convert = int if whole else float
        # By about a tenth of what is there: some options are shares, others thousands.
        number.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        if isinstance(number, QDoubleSpinBox) and 0 < option.low < 0.01:
            # Else the least there is would be shown, and taken, as nothing.
            number.setDecimals(3)
        number.setRange(convert(option.low), convert(option.high))
        number.setValue(option.default)
        number.valueChanged.connect(lambda _: self.changed.emit())
        number.setToolTip(f"{option.low:g} to {option.high:g}")
        return number
