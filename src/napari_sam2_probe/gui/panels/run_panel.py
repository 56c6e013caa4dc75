"""What the panels that look into runs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from napari_sam2_probe.gui.layers import MAP, MASKS, VIDEO
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.plots.theme import plot_theme
from napari_sam2_probe.gui.run_layers import layers_of_run, watch_run_layers
from napari_sam2_probe.gui.time_axis import show_frame, shown_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import napari.viewer
    from napari.layers import Layer

    from napari_sam2_probe.gui.plots.area import PlotTheme
    from napari_sam2_probe.gui.state import RunEntry

WITHOUT_RUN = "Track an object, or open a run: drop its folder on the window."
LIVE_PAUSE = 700
"""Milliseconds between two looks at a run that grows."""


class RunPanel(Panel):
    """A panel that shows what runs hold: says what to do while there is none, and follows those that grow.

    A subclass puts its widgets into `content` and reads the runs again in `refresh`.
    """

    def __init__(self, viewer: napari.viewer.Viewer, name: str) -> None:
        super().__init__(viewer, name)
        watch_run_layers(self.viewer)

        self.content = QWidget()
        self._hint = QLabel(WITHOUT_RUN, objectName="hint")
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._hint)
        self._pages.addWidget(self.content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)

        self._stale = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(LIVE_PAUSE)
        self._later.timeout.connect(self.update_runs)
        self.connections.add(self.state.compared_runs_changed, self._on_compared_changed)
        self.connections.add(self.state.object_changed, self._on_object_changed)
        self.connections.add(self.state.run_progressed, self._on_progressed)
        self.connections.add(self.state.run_finished, self._on_finished)

    @property
    def theme(self) -> PlotTheme:
        """The colours of the window."""
        return plot_theme(self.viewer.theme)

    @property
    def video_layer(self) -> Layer | None:
        """A layer that lies where the current run's video lies: the video, or the masks; None if none is there."""
        current, video = self.state.current_run, self.state.video
        for content in (VIDEO, MASKS):
            found = [] if current is None else layers_of_run(self.viewer, current.path, content)
            if found:
                return found[0]
        return None if video is None else video.layer

    @property
    def time_layer(self) -> Layer | None:
        """The layer whose frames the current run counts; None if none is there."""
        current = self.state.current_run
        maps = [] if current is None else layers_of_run(self.viewer, current.path, MAP)
        return self.video_layer or (maps[0] if maps else None)

    def shown_frame(self) -> int:
        """Return the frame the time slider stands on."""
        return shown_frame(self.viewer, self.time_layer)

    def show_frame(self, frame_idx: int) -> None:
        """Move the time slider."""
        show_frame(self.viewer, frame_idx, self.time_layer)

    def step_frame(self, step: int) -> None:
        """Move the time slider by some frames."""
        self.show_frame(self.shown_frame() + step)

    def refresh(self) -> None:
        """Read the runs that are looked at, and show them."""
        raise NotImplementedError

    def update_runs(self) -> None:
        """Refresh, now if the panel can be seen and there is a run, else when it can."""
        has_runs = bool(self.state.compared_runs)
        self._pages.setCurrentWidget(self.content if has_runs else self._hint)
        self._stale = not self.isVisible()
        if has_runs and not self._stale:
            self.refresh()

    def showEvent(self, event: Any) -> None:
        """Show what changed while hidden; Qt calls it."""
        super().showEvent(event)
        if self._stale:
            self.update_runs()

    def _on_compared_changed(self, _: object) -> None:
        self.update_runs()

    def _on_object_changed(self, _: int) -> None:
        self.update_runs()

    def _on_progressed(self, run: RunEntry, _: int) -> None:
        if self._is_compared(run) and not self._later.isActive():
            self._later.start()

    def _on_finished(self, run: RunEntry) -> None:
        if self._is_compared(run):
            self._later.stop()
            self.update_runs()

    def _is_compared(self, run: RunEntry) -> bool:
        # By folder: a run that is renamed, or grows no more, has another entry.
        return any(run.path == entry.path for entry in self.state.compared_runs)


class ObjectBox(QComboBox):
    """Chooses an object of a run, or all.

    The signal `chosen` carries an id, 0 for all, when the user has chosen.
    """

    chosen = Signal(int)

    def __init__(self, *, all_objects: bool = False) -> None:
        super().__init__(objectName="object")
        self._all = all_objects
        self.setToolTip("The selected object")
        self.activated.connect(lambda _: self.chosen.emit(self.obj_id))

    @property
    def obj_id(self) -> int:
        """The id that is chosen, 0 for all."""
        data = self.currentData()
        return 0 if data is None else int(data)

    def set_objects(self, ids: Sequence[int], obj_id: int) -> None:
        """Offer these ids and choose one: `obj_id` if it is among them, else the first."""
        items = [(f"Object {i}", i) for i in ids]
        if self._all and len(ids) > 1:
            items.append(("All objects", 0))
        if [self.itemData(k) for k in range(self.count())] != [i for _, i in items]:
            self.clear()
            for text, data in items:
                self.addItem(text, data)
        self.setCurrentIndex(max(self.findData(obj_id), 0))


def say_nothing_to_save() -> None:
    """Tell the user that no plot is shown."""
    from napari.utils.notifications import show_info

    show_info("There is no plot to save yet.")


def say_saved(path: Path) -> None:
    """Tell the user that a file is written."""
    from napari.utils.notifications import show_info

    show_info(f"Saved {path}")
