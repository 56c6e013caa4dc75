"""How SAM 2 is built and what is recorded: options that most people leave alone, hidden until they are asked for."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QToolButton, QVBoxLayout, QWidget

from napari_sam2_probe.live.options import LiveOptions
from napari_sam2_probe.models.config import ModelFlags

_FLAGS = {
    "apply_postprocessing": ("Post-processing", "Fill small holes and binarise clicked masks, as SAM 2's demo does"),
    "add_all_frames_to_correct_as_cond": (
        "Corrections condition tracking",
        "Let a corrected frame condition all others; without, tracking again overwrites the correction",
    ),
    "clear_non_cond_mem_around_input": (
        "Clear memory around prompts",
        "Forget what was remembered of the frames near a prompt",
    ),
    "non_overlap_masks": ("No overlap", "Let every pixel belong to one object at most"),
}
_LEAST_EXPONENT = -12


class TrackOptions(QWidget):
    """A button that shows and hides the options; a change begins a new run with the next prompt."""

    changed = Signal()
    """`flags` or `options` are others."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton(objectName="options")
        self._button.setText("Options")
        self._button.setToolTip("How SAM 2 is built, how features are computed, what is recorded besides")
        self._button.setCheckable(True)
        self._button.setAutoRaise(True)
        self._button.setArrowType(Qt.ArrowType.RightArrow)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        default = ModelFlags()
        self._flags = {
            name: _check(name, text, tip, checked=getattr(default, name)) for name, (text, tip) in _FLAGS.items()
        }
        self._prompted = _check(
            "prompted_references",
            "Compare with prompted frames",
            "Let prompted frames be references of the features over time, as in the paper",
            checked=True,
        )
        self._unblanked = _check(
            "unblanked",
            "Record position 5u",
            "Record the memory of the mask before SAM 2 blanks it, too",
            checked=False,
        )
        self._denominator = QComboBox(objectName="denominator")
        self._denominator.addItems(["variance", "standard deviation"])
        self._denominator.setToolTip("What divides the differences in the long-term distance (variance in the paper)")
        self._exponent = QSpinBox(objectName="epsilon", minimum=_LEAST_EXPONENT, maximum=0, value=-6)
        self._exponent.setPrefix("ε = 10^")
        self._exponent.setToolTip("What is added to the denominator, as a power of ten")
        self._content = QWidget()
        form = QFormLayout(self._content)
        form.setContentsMargins(12, 0, 0, 0)
        for box in (*self._flags.values(), self._prompted, self._unblanked):
            form.addRow(box)
            box.toggled.connect(self.changed)
        form.addRow("Divide by", self._denominator)
        form.addRow("Plus", self._exponent)
        self._denominator.currentTextChanged.connect(self.changed)
        self._exponent.valueChanged.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(self._content)
        self._content.setVisible(False)
        self._button.toggled.connect(self._on_toggled)

    @property
    def flags(self) -> ModelFlags:
        """How SAM 2 is built."""
        return ModelFlags(**{name: box.isChecked() for name, box in self._flags.items()})

    @property
    def options(self) -> LiveOptions:
        """How features are computed, and what is recorded."""
        return LiveOptions(
            denominator="variance" if self._denominator.currentIndex() == 0 else "standard deviation",
            # As it is written: a power of ten is not computed to the last bit.
            epsilon=float(f"1e{self._exponent.value()}"),
            prompted_references=self._prompted.isChecked(),
            unblanked=self._unblanked.isChecked(),
        )

    def _on_toggled(self, shown: bool) -> None:
        self._content.setVisible(shown)
        self._button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)


def _check(name: str, text: str, tip: str, *, checked: bool) -> QCheckBox:
    box = QCheckBox(text, objectName=name)
    box.setToolTip(tip)
    box.setChecked(checked)
    return box
