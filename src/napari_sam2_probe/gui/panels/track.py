"""The Track panel: model, objects, prompts, propagation, scores."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.progress import duration_text
from napari_sam2_probe.gui.closing import close_all, when_closed
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.panels.parts import make_button
from napari_sam2_probe.gui.panels.track_model import ModelChooser
from napari_sam2_probe.gui.panels.track_objects import ObjectListWidget
from napari_sam2_probe.gui.panels.track_options import TrackOptions
from napari_sam2_probe.gui.panels.track_prompts import PromptTools
from napari_sam2_probe.gui.panels.track_resume import ResumeRow
from napari_sam2_probe.gui.panels.track_state import StateLine
from napari_sam2_probe.gui.prompt_clicks import PromptClicks
from napari_sam2_probe.gui.tabs import dock_of
from napari_sam2_probe.gui.time_axis import shown_frame
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.tracking.shared import borrow_controller
from napari_sam2_probe.gui.tracking.twin_tracker import TwinTracker
from napari_sam2_probe.gui.videos import is_video_layer, layer_to_work_on, use_video, video_from_layer, watch_videos

if TYPE_CHECKING:
    import napari.viewer

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.gui.closing import Closable
    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.gui.tracking.controller import TrackController
    from napari_sam2_probe.live.prompt_state import Key


class _LayerBox(QComboBox):
    opening = Signal()

    def showPopup(self) -> None:
        """Show the layers as they are called now; Qt calls it."""
        self.opening.emit()
        super().showPopup()


class TrackPanel(Panel):
    """Prompt SAM 2 and let it track.

    Parameters
    ----------
    viewer
        The viewer.
    """

    # napari gives the viewer to a widget whose parameter is annotated with these very words.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "track")
        lease = borrow_controller(self.viewer)
        self.controller = lease.controller
        self._layers = _LayerBox(objectName="video")
        self._layers.setToolTip("The video that is tracked: any image layer over time")
        self._layers.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.line = StateLine(self.controller)
        self.twin = TwinTracker(self.controller)
        self.model = ModelChooser()
        self.options = TrackOptions()
        self.objects = ObjectListWidget(self.controller)
        self.tools = PromptTools()
        self.resume = ResumeRow(self.controller, self.background)
        self._has_dock = False
        self._build()

        watch_videos(self.viewer)
        self.clicks = PromptClicks(self.viewer, partial(_worked_on, self.controller), self.controller.told.emit)
        self._listen()
        self._adopt()
        self._fill_layers()
        self._on_video(self.controller.video)
        if self.controller.runner.is_open and self.controller.choice is not None:
            # The lanes have kept what was begun in a panel that was closed since.
            self.model.show_choice(self.controller.choice)
        else:
            self._on_options()
        self.end_with_panel(self.clicks)
        self.end_with_panel(self.tools.connections)
        self.end_with_panel(self.line.connections)
        self.end_with_panel(self.twin)
        self.end_with_panel(lease)
        self.end_with_panel(self.model.downloads)
        when_closed(self.viewer, partial(_end_now, self.controller, self._ends))

    def _build(self) -> None:
        self._backward = make_button("backward", "Track backward", "From the latest prompt to the beginning")
        self._both = make_button("both", "Both ways", "Forward, then backward from the earliest prompt")
        self._forward = make_button("forward", "Track forward", "From the earliest prompt to the end")
        self._pause = make_button("pause", "Pause", "Pause after this frame; you can still add prompts")
        self._cancel = make_button("cancel", "Cancel", "Stop; the frames that are done are kept")
        self._truth = make_button(
            "use_truth", "Use ground truth", "Prompt with the true mask of each object on the frame that is shown"
        )
        self._track_pair = make_button(
            "track_pair",
            "Track clip and twin",
            "Track the clip forward and then its clean twin from the same prompts, and compare their runs",
        )
        self._follow = QCheckBox("Follow", objectName="follow")
        self._follow.setToolTip("Let the time slider follow the frame that is being tracked")
        self._follow.setChecked(True)
        self._bar = QProgressBar(objectName="progress")
        self._bar.setToolTip("What is done, and the time that is left")
        self._note = QLabel(objectName="note")
        self._note.setWordWrap(True)
        self._under_way = ""
        self._folder = make_button("runs_folder", "Runs folder…", "Where the runs are kept while one works")

        form = QFormLayout()
        form.addRow("Video", self._layers)
        ways = QHBoxLayout()
        for button in (self._backward, self._both, self._forward):
            ways.addWidget(button)
        stops = QHBoxLayout()
        for widget in (self._pause, self._cancel, self._follow, self._folder):
            stops.addWidget(widget)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        column.addWidget(self.resume)
        column.addLayout(form)
        column.addWidget(self.model)
        column.addWidget(self.options)
        column.addWidget(_line())
        column.addWidget(self.objects)
        column.addWidget(self.tools)
        column.addWidget(self._truth)
        column.addWidget(_line())
        column.addLayout(ways)
        column.addWidget(self._track_pair)
        column.addLayout(stops)
        column.addWidget(self._bar)
        column.addWidget(self._note)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.line)
        outer.addWidget(scroll)
        self.setMinimumWidth(330)
        self._bar.setVisible(False)

    def _listen(self) -> None:
        controller, viewer, add = self.controller, self.viewer, self.connections.add
        add(controller.video_changed, self._on_video)
        add(controller.runner.phase_changed, self._on_phase)
        add(controller.runner.progressed, self._on_progress)
        add(self.state.jobs.changed, self._on_jobs)
        add(controller.candidates_changed, self._on_candidates)
        add(controller.objects.changed, self._on_objects)
        add(controller.state.object_changed, self.objects.fill)
        add(controller.state.object_changed, self._on_slider)
        add(self.twin.changed, self._show_buttons)
        add(viewer.layers.events.inserted, self._offer_twin)
        add(viewer.layers.events.removed, self._offer_twin)
        add(viewer.layers.events.inserted, self._adopt)
        add(viewer.layers.events.inserted, self._fill_layers)
        add(viewer.layers.events.removed, self._fill_layers)
        add(viewer.layers.events.reordered, self._fill_layers)
        add(viewer.dims.events.current_step, self._on_slider)
        self._layers.activated.connect(self._on_layer)
        self._layers.opening.connect(self._fill_layers)
        self.model.chosen.connect(self._on_model)
        self.options.changed.connect(self._on_options)
        self._truth.clicked.connect(controller.use_truth)
        self._track_pair.clicked.connect(self.twin.start)
        self._backward.clicked.connect(partial(controller.propagate, "backward"))
        self._both.clicked.connect(partial(controller.propagate, "both"))
        self._forward.clicked.connect(partial(controller.propagate, "forward"))
        self._pause.clicked.connect(self._on_pause)
        self._cancel.clicked.connect(self._on_cancel)
        self._follow.toggled.connect(self._on_follow)
        self._folder.clicked.connect(self._on_folder)

    def showEvent(self, event: Any) -> None:
        """Look for unfinished runs and renamed layers; Qt calls it."""
        super().showEvent(event)
        self._fill_layers()
        self.resume.look()
        dock = dock_of(self)
        if dock is not None and not self._has_dock:
            self._has_dock = True
            # Qt ends this by itself with either of the two; to end it when the dock is gone already crashes PyQt.
            dock.visibilityChanged.connect(self._on_front)
        self._on_front(True)

    def hideEvent(self, event: Any) -> None:
        """Leave clicks to whatever is in front now; Qt calls it."""
        super().hideEvent(event)
        self._on_front(False)

    def _on_front(self, is_in_front: bool) -> None:
        # Behind another dock a panel is visible, as Qt sees it; its dock tells. Behind another page it is not, and it
        # is not hidden either: only the page is.
        self.clicks.in_front = is_in_front and self.isVisible()
        self.clicks.arm()

    # The video.

    def _fill_layers(self, *_: Any) -> None:
        layers = [layer for layer in self.viewer.layers if is_video_layer(layer)]
        video = self.controller.video
        self._layers.clear()
        self._layers.addItem("choose a layer" if layers else "open a video first", None)
        for layer in layers:
            self._layers.addItem(layer.name, layer)
            if video is not None and layer is video.layer:
                self._layers.setCurrentIndex(self._layers.count() - 1)

    def _adopt(self, *_: Any) -> None:
        """Work on the one layer that may be a video, if there is no other and none is worked on."""
        layers = [layer for layer in self.viewer.layers if is_video_layer(layer)]
        if self.state.video is None and len(layers) == 1 and layers[0].ndim == 3:
            # What can't be one, the user will be told of who chooses it.
            with suppress(ProbeError):
                use_video(self.viewer, video_from_layer(layers[0]))

    def _on_layer(self, index: int) -> None:
        layer = self._layers.itemData(index)
        if layer is None or (self.controller.video is not None and layer is self.controller.video.layer):
            return
        try:
            use_video(self.viewer, video_from_layer(layer_to_work_on(self.viewer, layer)))
        except ProbeError as error:
            _warn(str(error))
            self._fill_layers()

    def _on_video(self, video: VideoEntry | None) -> None:
        self._fill_layers()
        self.tools.set_prompts(self.controller.prompts)
        self.objects.setEnabled(video is not None)
        self._truth.setVisible(video is not None and video.video.has_masks)
        self._offer_twin()
        self.objects.fill()
        self._note.clear()
        self._on_phase(self.controller.runner.phase)
        self._on_slider()
        self.resume.look()
        self.clicks.arm()

    # Tracking.

    def _offer_twin(self, *_: Any) -> None:
        self._track_pair.setVisible(self.twin.offered)

    def _show_buttons(self) -> None:
        phase = self.controller.runner.phase
        there = self.controller.video is not None
        free = there and phase in (Phase.IDLE, Phase.PROMPTING, Phase.PAUSED) and not self.twin.busy
        for button in (self._backward, self._both, self._forward, self._track_pair):
            button.setEnabled(free)
        self._pause.setEnabled(phase in (Phase.TRACKING, Phase.PAUSED))
        self._pause.setText("Resume" if phase is Phase.PAUSED else "Pause")
        self._cancel.setEnabled(phase is not Phase.IDLE or self.twin.busy)

    def _on_phase(self, phase: Phase) -> None:
        self._show_buttons()
        if phase is Phase.IDLE:
            self._bar.setVisible(False)
            if self._note.text() == self._under_way:
                self._note.clear()
        elif phase is Phase.PAUSED:
            self._bar.setFormat("paused · %v of %m frames")

    def _on_progress(self, progress: Progress, seconds_left: float | None) -> None:
        self._bar.setVisible(True)
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        # A bar without an end shows no text of its own.
        self._under_way = f"{progress.what.capitalize()}…" if not progress.total else ""
        self._note.setText(self._under_way)
        self._bar.setFormat(f"%v of %m frames{_left(seconds_left)}")

    def _on_jobs(self) -> None:
        ahead = self.controller.runner.waits_for
        if ahead is not None:
            self._under_way = f"Waiting for what was begun before: {ahead.title}."
            self._note.setText(self._under_way)

    def _on_pause(self) -> None:
        if self.controller.runner.phase is Phase.PAUSED:
            self.controller.runner.resume()
        else:
            self.controller.runner.pause()

    def _on_cancel(self) -> None:
        self.twin.cancel()
        self.controller.runner.cancel()

    def _on_candidates(self, key: Key, ious: tuple[float, ...]) -> None:
        self._note.clear()
        self.tools.know_candidates(key, ious)

    def _on_follow(self, follow: bool) -> None:
        self.controller.follow = follow

    def _on_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Keep runs in", str(self.controller.runs_folder))
        if folder:
            self.controller.use_runs_folder(folder)
            self.resume.look()

    def _on_model(self, choice: ModelChoice | None) -> None:
        self.controller.choose_model(None if choice is None else replace(choice, flags=self.options.flags))

    def _on_options(self) -> None:
        self._on_model(self.model.choice)
        self.controller.choose_options(self.options.options)

    # Time.

    def _on_objects(self) -> None:
        self.objects.fill()
        self._on_slider()

    def _on_slider(self, *_: Any) -> None:
        if self.controller.video is not None:
            frame_idx = shown_frame(self.viewer, self.controller.video.layer)
            self.tools.look_at((frame_idx, self.controller.state.obj_id))


def _worked_on(controller: TrackController) -> tuple[VideoEntry, PromptLayers] | None:
    video, prompts = controller.video, controller.prompts
    return None if video is None or prompts is None else (video, prompts)


def _end_now(controller: TrackController, ends: list[Closable]) -> None:
    controller.shut_down()
    close_all(ends)


def _warn(reason: str) -> None:
    from napari.utils.notifications import show_error

    show_error(reason)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f" · about {duration_text(seconds)} left"


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    return line
