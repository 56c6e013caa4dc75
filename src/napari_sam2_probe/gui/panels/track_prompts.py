"""The tools for prompts, and the choice among the masks that SAM 2 considered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.panels.parts import make_button
from napari_sam2_probe.gui.prompt_layers import TOGGLE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.live.prompt_state import Key


class PromptTools(QWidget):
    """Buttons that bring up the prompt layers, turn the sign of points, and take steps back.

    Attributes
    ----------
    connections
        To the prompts, which outlive the panel.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.connections = Connections()
        self._prompts: PromptLayers | None = None
        self._key: Key | None = None
        self._ious: dict[Key, tuple[float, ...]] = {}
        tools = {
            "points": ("Points", "Click on the object to include it, or next to it to exclude what is there"),
            "boxes": ("Box", "Drag a box around the object"),
            "masks": ("Paint", "Paint the object; a painted mask is taken as it is"),
            "undo": ("Undo", "Undo the last prompt (Ctrl+Z)"),
            "redo": ("Redo", "Redo the last prompt (Ctrl+Shift+Z)"),
        }
        self._buttons = {name: make_button(name, *words) for name, words in tools.items()}
        self._tools = QButtonGroup(self)
        for name in ("points", "boxes", "masks"):
            self._buttons[name].setCheckable(True)
            self._tools.addButton(self._buttons[name])
        self._buttons["points"].setChecked(True)
        self._positive = make_button("positive", "+ Include", f"New points are on the object (key {TOGGLE_KEY})")
        self._negative = make_button("negative", "− Exclude", f"New points are not on the object (key {TOGGLE_KEY})")
        self._signs = QButtonGroup(self)
        for button in (self._positive, self._negative):
            button.setCheckable(True)
            self._signs.addButton(button)
        self._positive.setChecked(True)

        grid = QGridLayout()
        for column, name in enumerate(("points", "boxes", "masks")):
            grid.addWidget(self._buttons[name], 0, 2 * column, 1, 2)
        signs = QHBoxLayout()
        for button in (self._positive, self._negative, self._buttons["undo"], self._buttons["redo"]):
            signs.addWidget(button)
        self._previous = make_button("previous_candidate", "◀", "The mask before among those that SAM 2 considered")
        self._next = make_button("next_candidate", "▶", "The next mask among those that SAM 2 considered")
        self._candidate = QLabel(objectName="candidate")
        self._candidate.setToolTip("SAM 2 considered several masks for this prompt: which one is taken")
        self._choice = QWidget()
        # It comes and goes with the frame, and the buttons below are not to move away from the mouse.
        policy = self._choice.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._choice.setSizePolicy(policy)
        row = QHBoxLayout(self._choice)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._previous)
        row.addWidget(self._candidate, 1)
        row.addWidget(self._next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addLayout(signs)
        layout.addWidget(self._choice)

        self._buttons["points"].clicked.connect(lambda: self._tell(lambda prompts: prompts.show_points()))
        self._buttons["boxes"].clicked.connect(lambda: self._tell(lambda prompts: prompts.show_boxes()))
        self._buttons["masks"].clicked.connect(lambda: self._tell(lambda prompts: prompts.show_masks()))
        self._buttons["undo"].clicked.connect(lambda: self._tell(lambda prompts: prompts.undo()))
        self._buttons["redo"].clicked.connect(lambda: self._tell(lambda prompts: prompts.redo()))
        self._positive.clicked.connect(lambda: self._tell(lambda prompts: prompts.set_positive(True)))
        self._negative.clicked.connect(lambda: self._tell(lambda prompts: prompts.set_positive(False)))
        self._previous.clicked.connect(lambda: self._cycle(-1))
        self._next.clicked.connect(lambda: self._cycle(1))
        self.set_prompts(None)

    def _tell(self, action: Callable[[PromptLayers], object]) -> None:
        if self._prompts is not None:
            action(self._prompts)

    def set_prompts(self, prompts: PromptLayers | None) -> None:
        """Work on the prompts of another video."""
        self.connections.close()
        self._prompts = prompts
        if prompts is not None:
            self.connections.add(prompts.sign_changed, self._show_sign)
            self.connections.add(prompts.tool_changed, self._show_tool)
            self.connections.add(prompts.history_changed, self._show_history)
            self._show_sign(prompts.positive)
            self._show_tool(prompts.tool)
        self.setEnabled(prompts is not None)
        self._show_history()
        self._ious.clear()
        self.look_at(None)

    def know_candidates(self, key: Key, ious: tuple[float, ...]) -> None:
        """Learn the predicted IoU of the masks that SAM 2 considered for a prompt; none or one: there is no choice."""
        self._ious[key] = ious
        if key == self._key:
            self.look_at(key)

    def look_at(self, key: Key | None) -> None:
        """Offer the candidates of a frame and an object, if there is a choice."""
        self._key = key
        ious = self._choices()
        self._choice.setVisible(len(ious) > 1)
        if len(ious) > 1:
            index = self._chosen()
            self._candidate.setText(f"mask {index + 1} of {len(ious)} · predicted IoU {ious[index]:.2f}")

    def _choices(self) -> tuple[float, ...]:
        if self._prompts is None or self._key is None or self._key not in self._prompts.states:
            return ()
        return self._ious.get(self._key, ())

    def _chosen(self) -> int:
        state = None if self._prompts is None or self._key is None else self._prompts.states.get(self._key)
        if state is None or state.candidate is None:
            return int(np.argmax(self._choices()))
        return state.candidate

    def _cycle(self, step: int) -> None:
        number = len(self._choices())
        if self._prompts is not None and self._key is not None and number > 1:
            self._prompts.choose(self._key, (self._chosen() + step) % number)
            self.look_at(self._key)

    def _show_history(self) -> None:
        self._buttons["undo"].setEnabled(self._prompts is not None and self._prompts.can_undo)
        self._buttons["redo"].setEnabled(self._prompts is not None and self._prompts.can_redo)

    def _show_sign(self, positive: bool) -> None:
        (self._positive if positive else self._negative).setChecked(True)

    def _show_tool(self, tool: str) -> None:
        self._buttons[tool].setChecked(True)
