"""The Memory panel: what a frame read of memory, what of it caused the mask, and what would be without it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFormLayout, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout

from napari_sam2_probe.causes.changes import BankChanges, ChangedFrame, outcome_sentence
from napari_sam2_probe.gui.jobs import JobState
from napari_sam2_probe.gui.memory.answers import Answers, Refusal, Subject
from napari_sam2_probe.gui.memory.bank_shown import BankReader, likely_twin, look_from_pixel, readers_of
from napari_sam2_probe.gui.memory.layers import OutcomeLayer, ReadersLayer
from napari_sam2_probe.gui.memory.look_tool import LookTool
from napari_sam2_probe.gui.memory.words import BY_EFFECT, ORDERS, cost_sentence
from napari_sam2_probe.gui.panels.job_row import JobRow
from napari_sam2_probe.gui.panels.memory_bank import BankView, text_label
from napari_sam2_probe.gui.panels.parts import make_button, make_combo
from napari_sam2_probe.gui.panels.run_panel import ObjectBox, RunPanel
from napari_sam2_probe.gui.run_views import open_videos, or_reason

if TYPE_CHECKING:
    import napari.viewer
    import pandas as pd

    from napari_sam2_probe.gui.memory.bank_shown import BankShown, PixelLook
    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.tracking.looking import FrameAttention

    Key = tuple[str, int, int]

_LOOK_TIP = (
    "Click a pixel of the video to see where in each memory it looks, or a place of a thumbnail to see which pixels "
    "read it; Escape ends it"
)
_LOOKING = "Click a pixel of the video, or a place of a thumbnail. Escape ends this."


class MemoryPanel(RunPanel):
    """Bank, blame and other outcomes of the displayed frame and the selected object."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "memory")
        viewer = self.viewer
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._reader, self._answers = BankReader(), Answers()
        self.shown: BankShown | None = None
        self._tables: dict[Key, pd.DataFrame] = {}
        self._changes: dict[Key, BankChanges] = {}
        self._looks: tuple[Key, FrameAttention] | None = None
        self._pixel: PixelLook | None = None
        self._asked: tuple[Any, ...] | None = None
        self._outcome: list[ChangedFrame] = []
        self.outcome_layer, self.readers_layer = OutcomeLayer(viewer), ReadersLayer(viewer)
        self.tool = LookTool(viewer, lambda: self.video_layer, self._on_pixel, self._end_tool)
        self._make_widgets()
        for thing in (self._reader, self._answers, self.tool):
            self.end_with_panel(thing)
        self.connections.add(viewer.dims.events.current_step, self._on_step)
        self.connections.add(viewer.events.theme, self._on_theme)
        self.connections.add(self.state.runs_changed, self._on_runs_changed)
        self.connections.add(self.state.current_run_changed, self._on_current_run)
        self._on_runs_changed()
        self.update_runs()

    def _make_widgets(self) -> None:
        self._object = ObjectBox()
        self._object.chosen.connect(self._choose_object)
        self._order = make_combo("order", "The order of memories and pointers", letters=8)
        for text, value in ORDERS.items():
            self._order.addItem(text, value)
        self._order.activated.connect(self._on_order)
        self.look_button = make_button("look", "Where does it look?", _LOOK_TIP)
        self.look_button.setCheckable(True)
        self.look_button.toggled.connect(self._turn_tool)
        self.explain = make_button(
            "explain", "Explain this frame", "Leave out each entry in turn, and groups of them, and see what changes"
        )
        self.explain.clicked.connect(self._ask_blame)
        self.again = make_button("again", "Track this frame again", "With the changes that are ticked below")
        self.again.clicked.connect(partial(self._ask_outcome, False))
        self.onward = make_button("onward", "From here on", "Track this frame and those after it with the changes")
        self.onward.clicked.connect(partial(self._ask_outcome, True))
        self.clear = make_button("clear", "Clear", "Untick all changes, and remove the layer of the other outcome")
        self.clear.clicked.connect(self._clear)
        self._twin = make_combo("twin", "The run whose memories can be put in: of the clean twin", letters=12)
        self._twin.activated.connect(self._choose_twin)
        self.job = JobRow(self.state.jobs)
        self.job.ended.connect(self._on_job_ended)
        self.note, self._cost = text_label("note"), text_label("cost")
        self.bank = BankView(self.theme)
        self.bank.went_to.connect(self.show_frame)
        self.bank.picture_pressed.connect(self._on_picture)
        self.bank.changed.connect(self._on_changed)

        first, second, third = QHBoxLayout(), QHBoxLayout(), QGridLayout()
        first.addWidget(self._object)
        first.addWidget(self._order)
        second.addWidget(self.explain)
        second.addWidget(self.look_button)
        third.addWidget(self.again, 0, 0)
        third.addWidget(self.onward, 0, 1)
        third.addWidget(self.clear, 0, 2)
        twin = QFormLayout()
        twin.addRow("Twin", self._twin)
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self._cost)
        layout.addLayout(twin)
        layout.addWidget(self.bank, 1)
        layout.addLayout(third)
        layout.addWidget(self.job)
        layout.addWidget(self.note)
        self.setMinimumWidth(350)

    def hideEvent(self, event: Any) -> None:
        """Leave clicks to whatever is in front instead; Qt calls it."""
        self._end_tool()
        super().hideEvent(event)

    # What is shown.

    @property
    def subject(self) -> Subject | None:
        """What questions are about: the run, frame and object that are shown."""
        shown = self.shown
        if shown is None:
            return None
        live = self.state.live if shown.entry.live else None
        return Subject(shown.entry, shown.frame, shown.obj_id, live, self._videos())

    @property
    def changes(self) -> BankChanges:
        """What is ticked for the shown frame."""
        return BankChanges() if self.shown is None else self._changes.get(_key(self.shown), BankChanges())

    def refresh(self) -> None:
        """Read the bank of the displayed frame, and show it."""
        entry = self.state.current_run
        if entry is None:
            return
        reader, frame, obj_id, videos = self._reader, self.shown_frame(), self.state.obj_id, self._videos()
        twin = self._twin.currentData()
        self.background.submit("bank", lambda: reader.read(entry, frame, obj_id, videos, twin), self._show)

    def _videos(self) -> list[Any]:
        return open_videos(list(self.viewer.layers), self.state.video)

    def _show(self, shown: BankShown) -> None:
        before = None if self.shown is None else _key(self.shown)
        self.shown = shown
        self._object.set_objects(shown.object_ids or (shown.obj_id,), shown.obj_id)
        if _key(shown) != before:
            self._pixel = None
        if shown.entries and shown.note:
            self.note.setText(shown.note)
        elif _key(shown) != before and (self.tool.is_on or not self._outcome):
            self.note.setText(_LOOKING if self.tool.is_on else "")
        self._show_bank()
        self._update_buttons()

    def _show_bank(self) -> None:
        shown = self.shown
        if shown is not None:
            table = self._tables.get(_key(shown))
            self.bank.show_bank(shown, self.changes, table, self._pixel, self._order.currentData())

    def _on_order(self, _: int) -> None:
        self.bank.place(self._order.currentData())

    def _update_buttons(self) -> None:
        shown = self.shown
        there = shown is not None and bool(shown.entries) and not self.job.busy
        self.explain.setEnabled(there)
        changed = there and not self.changes.is_empty
        self.again.setEnabled(changed)
        self.onward.setEnabled(changed)
        self.clear.setEnabled(not self.changes.is_empty or self.outcome_layer.layer is not None)
        subject = self.subject
        if shown is None or subject is None or not shown.entries:
            self._cost.setText("")
            return
        self._cost.setText(cost_sentence(len(shown.entries), shown.frame, ready=self._answers.holds(subject)))

    # Questions.

    def _ask_blame(self) -> None:
        subject = self.subject
        if subject is not None and not self.job.busy:
            self._ask(f"explain frame {subject.frame}", self._answers.blame(subject), self._take_blame)

    def _ask_outcome(self, onward: bool, *_: Any) -> None:
        subject, shown, changes = self.subject, self.shown, self.changes
        if subject is None or shown is None or self.job.busy or changes.is_empty:
            return
        layer = self._layer_below(shown)
        outcome: list[ChangedFrame] = []
        self._outcome = outcome
        if layer is not None:
            self.outcome_layer.begin(shown.video_shape, f"{changes}", shown.entry.path, layer)
        work = self._answers.try_changes(subject, changes, onward=onward, twin=self._twin.currentData())
        self._ask(f"track frame {subject.frame} again", work, partial(self._take_outcome, outcome, changes))

    def _ask(self, title: str, work: Any, take: Any) -> None:
        self.note.setText("")
        self._asked = (_key(self.shown),) if self.shown is not None else None
        self.job.submit(title, work, take)
        self._update_buttons()

    def _take_blame(self, answer: Any) -> None:
        if self._refused(answer) or self._asked is None:
            return
        (key,) = self._asked
        self._tables[key] = answer
        if self.shown is not None and _key(self.shown) == key:
            self._order.setCurrentIndex(self._order.findData(BY_EFFECT))
            self._show_bank()

    def _take_outcome(self, outcome: list[ChangedFrame], changes: BankChanges, answer: Any) -> None:
        # Cleared, or another run is displayed, since it was asked for.
        if outcome is not self._outcome or self._refused(answer):
            return
        outcome.append(answer)
        self.outcome_layer.put(answer.frame, answer.mask)
        self.note.setText(outcome_sentence(changes, self._outcome))

    def _take_look(self, then: Any, answer: Any) -> None:
        if self._refused(answer) or self._asked is None:
            return
        self._looks = self._asked[0], answer
        then()

    def _refused(self, answer: Any) -> bool:
        if isinstance(answer, Refusal):
            self.note.setText(answer.reason)
            return True
        return False

    def _on_job_ended(self, state: JobState) -> None:
        if state is JobState.CANCELLED:
            self.note.setText(self.note.text() or "Cancelled.")
        self._update_buttons()

    # Where it looks.

    def _turn_tool(self, on: bool) -> None:
        self.tool.turn(on)
        self.note.setText(_LOOKING if on else "")
        if not on:
            self.readers_layer.clear()
            if self._pixel is not None and self.shown is not None:
                self._pixel = None
                self._show_bank()

    def _end_tool(self) -> None:
        self.look_button.setChecked(False)

    def _on_pixel(self, frame: int, y: float, x: float) -> None:
        if self.shown is not None and frame == self.shown.frame:
            self._with_look(partial(self._look_from, x, y))

    def _on_picture(self, frame: int, across: float, down: float) -> None:
        if self.tool.is_on:
            self._with_look(partial(self._look_at, frame, across, down))
        else:
            self.show_frame(frame)

    def _with_look(self, then: Any) -> None:
        """Call `then` once it is known where the shown frame looked."""
        subject, shown = self.subject, self.shown
        if subject is None or shown is None or not shown.entries:
            return
        if self.job.busy:
            self.note.setText("Wait for the answer before this one, or cancel it.")
        elif self._looks is not None and self._looks[0] == _key(shown):
            then()
        else:
            self._ask(f"look at frame {shown.frame}", self._answers.look(subject), partial(self._take_look, then))

    def _look_from(self, x: float, y: float) -> None:
        shown, looks = self.shown, self._looks
        if shown is not None and looks is not None and looks[0] == _key(shown):
            work = partial(or_reason, partial(look_from_pixel, shown, looks[1], x, y))
            self.background.submit("look", work, partial(self._show_pixel, _key(shown)))

    def _show_pixel(self, key: Key, found: PixelLook | str) -> None:
        if isinstance(found, str):
            self.note.setText(found)
        elif self.shown is not None and _key(self.shown) == key and self.tool.is_on:
            self._pixel = found
            self._show_bank()
            self.note.setText(found.sentence())

    def _look_at(self, memory: int, across: float, down: float) -> None:
        shown, looks = self.shown, self._looks
        if shown is not None and looks is not None and looks[0] == _key(shown):
            work = partial(or_reason, partial(readers_of, shown, looks[1], memory, across, down))
            self.background.submit("look", work, partial(self._show_readers, shown, memory))

    def _show_readers(self, shown: BankShown, memory: int, heat: Any) -> None:
        layer = self._layer_below(shown)
        if isinstance(heat, str):
            self.note.setText(heat)
        elif layer is not None and self.tool.is_on:
            what = f"memory {memory} here"
            self.readers_layer.show(heat, shown.frame, shown.video_shape, what, shown.entry.path, layer)
            self.note.setText(f"The bright pixels of frame {shown.frame} read this place of memory {memory} most.")

    # What the user and others change.

    def _on_changed(self) -> None:
        shown = self.shown
        if shown is None:
            return
        self._changes[_key(shown)] = self.bank.changes()
        self._update_buttons()

    def _clear(self) -> None:
        self.outcome_layer.clear()
        self._outcome = []
        self.note.setText("")
        if self.shown is not None:
            self._changes.pop(_key(self.shown), None)
            self._show_bank()
        self._update_buttons()

    def _choose_object(self, obj_id: int) -> None:
        self.state.obj_id = obj_id

    def _choose_twin(self, _: int) -> None:
        self._changes = {key: BankChanges(changes.dropped) for key, changes in self._changes.items()}
        self.update_runs()

    def _on_step(self, _: Any) -> None:
        if self.isVisible() and (self.shown is None or self.shown.frame != self.shown_frame()):
            self.update_runs()

    def _on_theme(self, _: Any) -> None:
        self.bank.set_theme(self.theme)

    def _on_current_run(self, _: Any) -> None:
        self._outcome, self._looks = [], None
        self.outcome_layer.clear()
        self.readers_layer.clear()
        self.note.setText("")
        self._on_runs_changed()

    def _on_progressed(self, run: RunEntry, frame: int) -> None:
        # Frames that read this one may come out otherwise too.
        self._tables = {key: table for key, table in self._tables.items() if key[0] != str(run.path)}
        self._looks = None
        super()._on_progressed(run, frame)

    def _on_runs_changed(self) -> None:
        current, before = self.state.current_run, self._twin.currentData()
        others = tuple(run for run in self.state.runs if run is not current)
        self._twin.clear()
        self._twin.addItem("none" if others else "none (open the run of the twin)", None)
        for other in others:
            self._twin.addItem(other.title, other)
        # By folder: a run that is renamed, or grows no more, has another entry.
        index = next((k for k, run in enumerate(others) if before is not None and run.path == before.path), -1)
        self._twin.setCurrentIndex(1 + index)
        self._twin.setEnabled(bool(others))
        if before is not None and index < 0:
            # What was to be taken from it can't be.
            self._choose_twin(0)
        if current is not None and others and index < 0:
            self.background.submit("twin", lambda: likely_twin(current, others), self._take_twin)

    def _take_twin(self, twin: RunEntry | None) -> None:
        index = self._twin.findData(twin) if twin is not None else -1
        if index > 0 and self._twin.currentIndex() == 0:
            self._twin.setCurrentIndex(index)
            self.update_runs()

    def _layer_below(self, shown: BankShown) -> Any:
        """Return the layer that others are laid over; None where only another video is in the viewer."""
        layer = self.video_layer
        if layer is None:
            return None
        ends = layer.data.shape[:-1] if getattr(layer, "rgb", False) else layer.data.shape
        return layer if tuple(ends[-3:]) == shown.video_shape else None


def _key(shown: BankShown) -> Key:
    return str(shown.entry.path), shown.frame, shown.obj_id
