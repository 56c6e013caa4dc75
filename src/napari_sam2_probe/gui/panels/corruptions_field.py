"""A field for the corruptions that clips go through in turn: a menu, and the options of those that are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_sam2_probe.gui.panels.option_form import OptionForm
from napari_sam2_probe.transforms.recipe import CorruptionSpec
from napari_sam2_probe.transforms.registry import CORRUPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class CorruptionsField(QWidget):
    """What is chosen, with its options; the button that opens the menu stands where its owner puts it.

    Parameters
    ----------
    why_not
        Says in a sentence why an corruption can't be chosen; nothing if it can. None: all can.

    Attributes
    ----------
    button
        Opens the menu.
    """

    changed = Signal()
    """Another corruption is chosen, or other options."""

    def __init__(self, why_not: Callable[[str], str] | None = None) -> None:
        super().__init__(objectName="extras_chosen")
        self._why_not = why_not or (lambda _: "")
        self._chosen: list[tuple[str, OptionForm]] = []
        self.button = QPushButton(objectName="corruptions")
        menu = QMenu(self.button)
        menu.setToolTipsVisible(True)
        self._actions: dict[str, QAction] = {}
        for name, corruption in CORRUPTIONS.items():
            action = self._actions[name] = QAction(name, menu, checkable=True)
            action.setToolTip(corruption.description)
            action.triggered.connect(lambda checked, name=name: self._on_triggered(name, checked))
            menu.addAction(action)
        self.button.setMenu(menu)
        self._said = QLabel(objectName="about_corruptions", wordWrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._said)
        self._show()

    @property
    def corruptions(self) -> tuple[CorruptionSpec, ...]:
        """What is chosen, in turn."""
        return tuple(CorruptionSpec(name, form.values()) for name, form in self._chosen)

    def set_corruptions(self, corruptions: Sequence[CorruptionSpec]) -> None:
        """Choose these, in turn; one may come twice."""
        for name in list(self._actions):
            self._leave_out(name)
        for corruption in corruptions:
            self._add(corruption.name).set_values(corruption.options)
        self._show()

    def setEnabled(self, enabled: bool) -> None:
        """Let corruptions be chosen, or not; Qt's name."""
        super().setEnabled(enabled)
        self.button.setEnabled(enabled)

    def _on_triggered(self, name: str, checked: bool) -> None:
        refusal = self._why_not(name) if checked else ""
        if refusal:
            self._actions[name].setChecked(False)
        elif checked:
            self._add(name)
        else:
            self._leave_out(name)
        self._show(refusal)

    def _add(self, name: str) -> OptionForm:
        form = OptionForm(name)
        form.set_options(CORRUPTIONS.find(name).options)
        form.changed.connect(self.changed)
        self._chosen.append((name, form))
        layout = self.layout()
        assert layout is not None
        layout.addWidget(form)
        self._actions[name].setChecked(True)
        return form

    def _leave_out(self, name: str) -> None:
        for other, form in self._chosen:
            if other == name:
                form.setParent(None)
                form.deleteLater()
        self._chosen = [chosen for chosen in self._chosen if chosen[0] != name]
        self._actions[name].setChecked(False)

    def _show(self, refusal: str = "") -> None:
        names = [name for name, _ in self._chosen]
        self.button.setText((", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more") or "none")
        self.button.setToolTip("Effects applied to every clip, in this order")
        in_turn = f"First {', then '.join(names)}." if len(names) > 1 else ""
        self._said.setText(refusal or in_turn)
        self._said.setVisible(bool(refusal or in_turn))
        self.setVisible(bool(refusal or names))
        self.changed.emit()
