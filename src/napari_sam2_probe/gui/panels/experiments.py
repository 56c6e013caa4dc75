"""The panel of experiments: start one, watch it, stop it and go on; look at its frames and open its clips."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.feature_names import FEATURE_LABELS, LONG_TERM, SHORT_TERM
from napari_sam2_probe.gui.adding import add_in_turns
from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.experiments import (
    clip_of_experiment,
    experiment_job,
    frame_points,
    look_at_experiment,
    points_chart,
)
from napari_sam2_probe.gui.jobs import JobState
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.panels.experiment_form import ExperimentForm
from napari_sam2_probe.gui.panels.job_row import JobRow
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.panels.parts import make_combo
from napari_sam2_probe.gui.plots.theme import plot_theme
from napari_sam2_probe.gui.plots.view import PlotView, Ring
from napari_sam2_probe.gui.run_views import nearest_point
from napari_sam2_probe.gui.time_axis import show_frame
from napari_sam2_probe.gui.videos import use_video, video_from_layer

if TYPE_CHECKING:
    from pathlib import Path

    import napari.viewer
    from napari.layers import Layer

    from napari_sam2_probe.gui.experiments import ExperimentShown, FramePoints
    from napari_sam2_probe.gui.layers import LayerData

LOOK_PAUSE = 3000
"""Milliseconds between two looks at an experiment that grows."""

CLICK_RADIUS = 12.0
"""How near to a point, in pixels, a click must be."""


class ExperimentsPanel(Panel):
    """Two tabs: what an experiment does, and what it has found so far."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "experiments")
        when_closed(self.viewer, self.state.jobs.close)
        self._shown: ExperimentShown | None = None
        self._points: FramePoints | None = None
        self._opened: list[Layer] = []
        self._working_on: Path | None = None
        self._said_of: Path | None = None
        self._look_again = QTimer(self, interval=LOOK_PAUSE)
        self._look_again.timeout.connect(self.look)
        self.tabs = QTabWidget(objectName="tabs")
        self.tabs.addTab(self._make_run_tab(), "Experiment")
        self.tabs.addTab(self._make_look_tab(), "Frames and clips")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.tabs)
        self.connections.add(self.viewer.events.theme, self._on_theme)
        self._on_form()

    # The experiment.

    def _make_run_tab(self) -> QWidget:
        self.form = ExperimentForm()
        self.form.changed.connect(self._on_form)
        self.start = QPushButton("Start", objectName="start")
        self.start.setToolTip("Make, track and score all clips; it may be stopped at any moment and gone on with")
        self.start.clicked.connect(self._start)
        self.job = JobRow(self.state.jobs)
        self.job.cancel.setText("Stop")
        self.job.cancel.setToolTip("Stop after the frame that is under way; batches that are done are kept")
        self.job.ended.connect(self._on_ended)
        self._said = QLabel(objectName="said", wordWrap=True)
        tab = QWidget()
        layout = QVBoxLayout(tab)
        for widget in (self.form, self.start, self.job, self._said):
            layout.addWidget(widget)
        layout.addStretch()
        return tab

    def _on_form(self) -> None:
        from napari_sam2_probe.experiments.folder import is_experiment

        path = self.form.path
        if path != self._said_of:
            self._said.clear()
        there = path is not None and is_experiment(path)
        self.form.allow_changes(not there and not self.job.busy)
        self.start.setText("Go on" if there else "Start")
        shown = self._shown
        finished = there and shown is not None and shown.path == path and shown.is_finished
        ready = path is not None and not finished and (there or bool(self.form.chosen_kinds))
        self.start.setEnabled(ready and not self.job.busy)
        if there and (self._shown is None or self._shown.path != path):
            self.look()

    def _start(self) -> None:
        from napari_sam2_probe.experiments.folder import is_experiment

        path = self.form.path
        if path is None:
            return
        try:
            config = None if is_experiment(path) else self.form.config()
        except ProbeError as error:
            self._say(str(error), path)
            return
        self._said.clear()
        self._working_on = path
        self.job.submit(f"Experiment {path.name}", partial(experiment_job, config, path))
        self._look_again.start()
        self._on_form()

    def _on_ended(self, state: JobState) -> None:
        self._look_again.stop()
        from napari_sam2_probe.experiments.folder import is_experiment

        path = self._working_on
        begun = path is not None and is_experiment(path)
        said = {
            JobState.DONE: "Finished.",
            JobState.CANCELLED: "Stopped; what is done is kept. Go on when you like.",
            JobState.FAILED: "It could not go on; what is done is kept." if begun else "Nothing was begun.",
        }
        if path == self.form.path:
            self._say(said[state], path)
        self._on_form()
        self.look()

    def _say(self, text: str, path: Path | None) -> None:
        """Show a sentence below the form for as long as its folder is this one."""
        self._said_of = path
        self._said.setText(text)

    # What it has found.

    def _make_look_tab(self) -> QWidget:
        self._about = QLabel("No experiment yet: name the folder of one.", objectName="about", wordWrap=True)
        self.kind = make_combo("kind", "Clips of this kind", letters=6)
        self.position = make_combo("position", "The place inside SAM 2", letters=6)
        self.axes = [make_combo(f"{axis}_feature", f"Feature on the {axis} axis", letters=6) for axis in "xy"]
        for combo, name in zip(self.axes, (SHORT_TERM.column, LONG_TERM.column), strict=True):
            for key, title in FEATURE_LABELS.items():
                combo.addItem(title, key)
            combo.setCurrentIndex(combo.findData(name))
        for combo in (self.kind, self.position, *self.axes):
            combo.activated.connect(self._draw)
        self.plot = PlotView(plot_theme(self.viewer.theme))
        self.plot.setObjectName("points")
        self.plot.setToolTip("One point a frame: click one to open its clip there")
        self.plot.pressed.connect(self._on_pressed)
        self._told = QLabel(objectName="told", wordWrap=True)
        self.clips = QListWidget(objectName="clips")
        self.clips.setToolTip("Enter or a double click opens a clip: frames, true masks and predicted masks")
        self.clips.setMaximumHeight(110)
        self.clips.itemActivated.connect(lambda item: self.open_clip(item.text()))
        self.keep = QCheckBox("Keep clips that were opened before", objectName="keep")
        self.keep.setToolTip("Otherwise opening a clip takes the one before out of the viewer")
        tab = QWidget()
        layout = QVBoxLayout(tab)
        layout.addWidget(self._about)
        for pair in ((self.kind, self.position), self.axes):
            row = QHBoxLayout()
            for combo in pair:
                row.addWidget(combo)
            layout.addLayout(row)
        layout.addWidget(self.plot, 1)
        for widget in (self._told, self.clips, self.keep):
            layout.addWidget(widget)
        return tab

    def look(self) -> None:
        """Read what the experiment has given so far."""
        from napari_sam2_probe.experiments.folder import is_experiment

        path = self.form.path
        if path is not None and is_experiment(path):
            self.background.submit("look", partial(look_at_experiment, path), self._show)

    def open_clip(self, clip: str, frame_idx: int | None = None) -> None:
        """Add a clip of the kind that is looked at as layers, and go to a frame of it."""
        shown, kind = self._shown, self.kind.currentData()
        if shown is not None and kind is not None:
            work = partial(clip_of_experiment, shown.path, kind, clip)
            self.background.submit("clip", work, partial(self._add_clip, frame_idx))

    def _show(self, shown: ExperimentShown) -> None:
        before, self._shown = self._shown, shown
        if before is None or before.path != shown.path:
            self.form.show_config(shown.config)
        self._on_form()
        self._about.setText(str(shown))
        _offer(self.kind, [kind for kind, clips in shown.clips.items() if clips])
        _offer(self.position, shown.positions)
        if before is None or before.features.shape != shown.features.shape or before.path != shown.path:
            self._draw()

    def _draw(self, _: int = 0) -> None:
        shown, kind, position = self._shown, self.kind.currentData(), self.position.currentData()
        if shown is None or kind is None:
            return
        names = shown.clips.get(kind, [])
        if [self.clips.item(row).text() for row in range(self.clips.count())] != names:
            self.clips.clear()
            self.clips.addItems(names)
        if position is None:
            self._told.setText("Masks of another system have no features.")
            self.plot.show_chart(None)
            return
        x, y = (combo.currentData() for combo in self.axes)
        points = self._points = frame_points(shown, kind, position, (x, y))
        self._told.setText(points.describe())
        self.plot.set_rings([])
        self.plot.show_chart(points_chart(points), about=(shown.path, kind, position, x, y))

    def _on_pressed(self, area: int, x: float, y: float) -> None:
        points = self._points
        if points is None or not len(points.x):
            return
        index = nearest_point(self.plot.areas[area], (x, y), points.points, CLICK_RADIUS)
        if index is not None:
            px, py = points.points[index]
            self.plot.set_rings([Ring(0, float(px), float(py), "#EE7733")])
            clip = str(points.clips[index])
            self._told.setText(f"Frame {points.frames[index]} of {clip}. {points.describe()}")
            self.clips.setCurrentRow(self._shown.clips[self.kind.currentData()].index(clip) if self._shown else -1)
            self.open_clip(clip, int(points.frames[index]))

    def _add_clip(self, frame_idx: int | None, layers: list[LayerData]) -> None:
        path = layers[0][1]["metadata"][METADATA_KEY]["video"].path
        here = [layer for layer in self._opened if layer in self.viewer.layers]
        video = next((layer for layer in here if _shows(layer, path)), None)
        if video is None:
            if not self.keep.isChecked():
                for layer in here:
                    self.viewer.layers.remove(layer)
                here = []
            self._opened = here
            video = add_in_turns(self.viewer, layers, here.append)
            here.append(video)
            use_video(self.viewer, video_from_layer(video))
        show_frame(self.viewer, 0 if frame_idx is None else frame_idx, video)

    def _on_theme(self, _: Any) -> None:
        self.plot.set_theme(plot_theme(self.viewer.theme))


def _shows(layer: Layer, path: str | None) -> bool:
    video = layer.metadata.get(METADATA_KEY, {}).get("video")
    return video is not None and video.path == path


def _offer(combo: QComboBox, keys: Any) -> None:
    """Offer these, keeping what is chosen if it is among them."""
    before = combo.currentData()
    if [combo.itemData(index) for index in range(combo.count())] != list(keys):
        combo.clear()
        for key in keys:
            combo.addItem(f"position {key}" if combo.objectName() == "position" else key.replace("-", " "), key)
        combo.setCurrentIndex(int(np.clip(combo.findData(before), 0, None)) if combo.count() else -1)
