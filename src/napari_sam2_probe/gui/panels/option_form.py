"""Fields for the options that a kind of clip declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_sam2_probe.transforms.options import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.options import Option
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
        self._fields: dict[str, Any] = {}

    def set_options(self, declared: Mapping[str, Option]) -> None:
        """Offer these options, with their defaults."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self._fields = {name: _field(option) for name, option in declared.items()}
        for name, field in self._fields.items():
            label = f"{self._subject}: {name}" if self._subject else name
            field.native.setObjectName(f"option_{name}")
            field.changed.connect(self._on_changed)
            self._form.addRow(label.replace("_", " ").replace("-", " ").capitalize(), field.native)
        self.setVisible(bool(self._fields))

    def values(self) -> dict[str, OptionValue]:
        """Return every option with what is chosen."""
        return {name: field.value for name, field in self._fields.items()}

    def set_values(self, values: Mapping[str, OptionValue]) -> None:
        """Choose these values of options that are offered."""
        for name, value in values.items():
            self._fields[name].value = value

    def _on_changed(self, _: object) -> None:
        self.changed.emit()


def _field(option: Option) -> Any:
    """Return magicgui's field for an option; numbers step by about a tenth of what is there."""
    from magicgui.widgets import ComboBox, FloatSpinBox, SpinBox

    if isinstance(option, Choice):
        return ComboBox(choices=option.values, value=option.default, tooltip=f"One of {', '.join(option.values)}")
    kind: Any = SpinBox if isinstance(option.default, int) else FloatSpinBox
    tip = f"{option.low:g} to {option.high:g}"
    field = kind(value=option.default, min=option.low, max=option.high, tooltip=tip)
    if kind is FloatSpinBox and 0 < option.low < 0.01:
        # Else the least there is would be shown, and taken, as nothing.
        field.native.setDecimals(3)
        field.min = option.low
    return field
