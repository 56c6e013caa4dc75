"""The small parts that panels are made of: each has a name, by which tests find it, and a tooltip."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QLineEdit, QPushButton, QSpinBox


def make_button(name: str, text: str, tip: str) -> QPushButton:
    """Return a button."""
    button = QPushButton(text, objectName=name)
    button.setToolTip(tip)
    return button


def make_combo(name: str, tip: str, *, letters: int = 0) -> QComboBox:
    """Return a choice that does not grow with its entries, but shows at least so many letters of one."""
    combo = QComboBox(objectName=name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(letters)
    return combo


def make_number(name: str, low: int, high: int, value: int, tip: str) -> QSpinBox:
    """Return a field for a whole number."""
    number = QSpinBox(objectName=name)
    number.setRange(low, high)
    number.setValue(value)
    number.setToolTip(tip)
    return number


def make_line(name: str, text: str, tip: str) -> QLineEdit:
    """Return a field for a line of text."""
    line = QLineEdit(text, objectName=name)
    line.setToolTip(tip)
    return line
