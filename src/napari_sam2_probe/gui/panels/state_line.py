"""The line that says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QVBoxLayout

from napari_sam2_probe.gui.panels.parts import make_button

if TYPE_CHECKING:
    from napari_sam2_probe.live.next_step import NextStep

TOLD_FOR = 8000
"""Milliseconds for which something that was just done is told."""


class StateLine(QFrame):
    """One sentence, a bar while the machine works, and a button that goes where the next step is done."""

    asked = Signal(object)
    """The `NextStep` that the user wants to be brought to."""

    def __init__(self) -> None:
        super().__init__(objectName="state_line")
        self._step: NextStep | None = None
        self._front = ""
        self._titles: dict[str, str] = {}
        self.setAccessibleName("What to do next")
        self._text = QLabel(objectName="next_step", wordWrap=True)
        self._text.setToolTip("What to do next")
        font = self._text.font()
        font.setBold(True)
        self._text.setFont(font)
        # A sentence of two lines does not move what is below.
        self._text.setMinimumHeight(2 * self._text.fontMetrics().lineSpacing() + 2)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._go = make_button("go", "", "Go where this is done")
        self._go.clicked.connect(self._on_go)
        self._go.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._told = QLabel(objectName="told", wordWrap=True)
        self._told.setToolTip("What was just done")
        self._bar = QProgressBar(objectName="busy", textVisible=False)
        self._bar.setFixedHeight(4)
        self._bar.setRange(0, 0)
        policy = self._bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(policy)
        self._quiet = QTimer(self, singleShot=True, interval=TOLD_FOR)
        self._quiet.timeout.connect(self._told.hide)
        row = QHBoxLayout()
        row.addWidget(self._text, 1)
        row.addWidget(self._go)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._told)
        layout.addWidget(self._bar)
        self._told.hide()
        self._bar.hide()

    @property
    def text(self) -> str:
        """The sentence."""
        return self._text.text()

    @property
    def told(self) -> str:
        """What was just done; empty for nothing."""
        return "" if self._told.isHidden() else self._told.text()

    def set_titles(self, titles: dict[str, str]) -> None:
        """Know what the tabs are called, by name."""
        self._titles = dict(titles)
        self._show_button()

    def set_front(self, name: str) -> None:
        """Know which tab is in front."""
        self._front = name
        self._show_button()

    def show_step(self, step: NextStep, done: int = 0, total: int = 0) -> None:
        """Show another sentence, and how much of the work is done where that is known."""
        self._step = step
        self._text.setText(step.text)
        self._bar.setVisible(step.busy)
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        self._show_button()

    def tell(self, text: str) -> None:
        """Show for a while what was just done."""
        self._told.setText(text)
        self._told.setVisible(bool(text))
        self._quiet.start()

    def _show_button(self) -> None:
        step = self._step
        title = ""
        if step is not None and step.frame_idx is not None:
            title = f"Frame {step.frame_idx}"
        elif step is not None and step.tab != self._front:
            title = self._titles.get(step.tab, "")
        self._go.setText(f"{title} ▸")
        self._go.setVisible(bool(title))

    def _on_go(self) -> None:
        if self._step is not None:
            self.asked.emit(self._step)
