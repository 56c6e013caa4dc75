"""The panel of object pointers: where they go, and how far obscuration takes them from where they would be."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.figures.pointer_charts import distance_chart, paths_chart
from napari_sam2_probe.figures.style import series_colours
from napari_sam2_probe.gui.figure_files import save_pointers, save_response
from napari_sam2_probe.gui.panels.box_row import BoxRow
from napari_sam2_probe.gui.panels.features import FILES
from napari_sam2_probe.gui.panels.run_panel import ObjectBox, RunPanel, say_nothing_to_save, say_saved
from napari_sam2_probe.gui.plots.view import PlotView, Ring
from napari_sam2_probe.gui.run_views import find_pair, load_pointers, load_response, nearest_point, or_reason

if TYPE_CHECKING:
    import napari.viewer

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.gui.run_views import PointersShown
    from napari_sam2_probe.gui.state import RunEntry

CLICK_RADIUS = 12.0
"""How near to a point, in pixels, a click must be."""

_NO_POINTERS = "No frame has an object pointer yet."
_NO_TWIN = "Open a run on a transformed clip and one on its clean twin to compare their pointers."


class PointersPanel(RunPanel):
    """Paths of object pointers in two dimensions, and their distance to the clean twin's against obscuration."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "pointers")
        viewer = self.viewer
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._shown: PointersShown | None = None
        self._response: ObscurationResponse | None = None
        self._about: object = None
        self._about_pair: object = None
        self._paired = False

        self._object = ObjectBox(all_objects=True)
        self._object.chosen.connect(self._choose_object)
        self._raw = QCheckBox("Ungated (4r)", objectName="raw")
        self._raw.setToolTip("Pointers as the decoder made them, before SAM 2 replaces those of absent objects")
        self._raw.toggled.connect(self.update_runs)
        save = QPushButton("Save…", objectName="save")
        save.setToolTip("Save the plot that is shown (PNG, SVG, PDF) at publication size, or its numbers (CSV)")
        save.clicked.connect(self._ask_where_to_save)

        self._tabs = QTabWidget(objectName="tabs")
        self._tabs.addTab(self._make_paths_tab(), "Paths")
        self._tabs.addTab(self._make_distance_tab(), "Distance to twin")
        self._tabs.setCornerWidget(save)
        self.boxes = BoxRow(self)
        first = QHBoxLayout()
        first.addWidget(self._object)
        first.addWidget(self._raw)
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(first)
        layout.addWidget(self._tabs, 1)
        layout.addWidget(self.boxes)

        self.connections.add(self.state.runs_changed, self._on_runs_changed)
        self.connections.add(viewer.dims.events.current_step, self._on_step)
        self.connections.add(viewer.events.theme, self._on_theme)
        self._on_runs_changed()
        self.update_runs()

    @property
    def obj_id(self) -> int | None:
        """The object that is shown; None for all."""
        return None if self._object.count() and self._object.obj_id == 0 else self.state.obj_id

    def refresh(self) -> None:
        """Read the pointers of the runs that are looked at, and draw them."""
        entries, obj_id, raw = self.state.compared_runs, self.obj_id, self._raw.isChecked()
        about = tuple(entry.path for entry in entries), obj_id, raw
        if about != self._about:
            self.background.forget("paths")
            self._about = about
        self.background.submit(
            "paths",
            lambda: or_reason(lambda: load_pointers(entries, obj_id, raw=raw) or _NO_POINTERS),
            self._show_paths,
            show_older=True,
        )
        self._load_response()

    def save(self, path: Path | str) -> None:
        """Write the plot of the tab that is shown, without holding up the window."""
        shown, response = self._shown, self._response
        if self._tabs.currentIndex() == 0 and shown is not None:
            self.background.submit(f"save {path}", lambda: save_pointers(path, shown), say_saved)
        elif self._tabs.currentIndex() == 1 and response is not None:
            self.background.submit(f"save {path}", lambda: save_response(path, response), say_saved)

    def _make_paths_tab(self) -> QWidget:
        self._paths = self._make_plot("paths", "One point a frame, a star on the first: click a point to go there")
        self._paths.pressed.connect(self._on_path_pressed)
        self._no_paths = _note("no_paths", _NO_POINTERS)
        return _column(self._no_paths, self._paths)

    def _make_distance_tab(self) -> QWidget:
        self._clip, self._twin = _run_box("clip", "The run on the obscured clip"), _run_box("twin", "Its clean twin")
        for box in (self._clip, self._twin):
            box.activated.connect(self._choose_pair)
        form = QFormLayout()
        form.addRow("Clip", self._clip)
        form.addRow("Twin", self._twin)
        self._distances = self._make_plot("distances", "One point a frame: click a point to go there")
        self._distances.pressed.connect(self._on_distance_pressed)
        self._correlation = _note("correlation", _NO_TWIN)
        self._correlation.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        tab = _column(self._distances, self._correlation)
        tab.layout().insertLayout(0, form)
        return tab

    def _make_plot(self, name: str, tip: str) -> PlotView:
        plot = PlotView(self.theme)
        plot.setObjectName(name)
        # A tooltip would lie over the values under the mouse.
        plot.setWhatsThis(tip)
        plot.stepped.connect(self.step_frame)
        return plot

    def _show_paths(self, shown: PointersShown | str) -> None:
        self._no_paths.setVisible(isinstance(shown, str))
        if isinstance(shown, str):
            self._shown = None
            self._no_paths.setText(shown)
            self._paths.show_chart(None)
            return
        self._shown = shown
        self._object.set_objects(shown.object_ids, self.obj_id or 0)
        self._move_rings()
        self._paths.show_chart(paths_chart(shown.paths, shown.explained_variance), about=self._about)

    def _load_response(self) -> None:
        clip, twin = self._pair()
        if clip is None or twin is None or clip is twin:
            self._show_response(_NO_TWIN)
            return
        obj_id, raw = self.state.obj_id, self._raw.isChecked()
        about = clip.path, twin.path, obj_id, raw
        if about != self._about_pair:
            self.background.forget("distances")
            self._about_pair = about
        self.background.submit(
            "distances",
            lambda: or_reason(lambda: load_response(clip, twin, obj_id, raw=raw)),
            self._show_response,
            show_older=True,
        )

    def _show_response(self, response: ObscurationResponse | str) -> None:
        if isinstance(response, str):
            self._response = None
            self._correlation.setText(response)
            self._distances.show_chart(None)
            return
        self._response = response
        self._correlation.setText(f"{response.pearson}\n{response.spearman}")
        self._move_rings()
        self._distances.show_chart(distance_chart(response), about=self._about_pair)

    def _pair(self) -> tuple[RunEntry | None, RunEntry | None]:
        return self._clip.currentData(), self._twin.currentData()

    def _choose_pair(self, _: int) -> None:
        self._paired = True
        self._load_response()

    def _choose_object(self, obj_id: int) -> None:
        if obj_id and obj_id != self.state.obj_id:
            self.state.obj_id = obj_id
        else:
            self.update_runs()

    def _on_runs_changed(self) -> None:
        runs, (clip, twin) = self.state.runs, self._pair()
        for box, before in ((self._clip, clip), (self._twin, twin)):
            box.clear()
            for entry in runs:
                box.addItem(entry.title, entry)
            box.setCurrentIndex(runs.index(before) if before in runs else -1)
        if not (self._paired and clip in runs and twin in runs):
            self.background.submit("pair", lambda: find_pair(runs), partial(self._show_pair, runs))

    def _show_pair(self, runs: tuple[RunEntry, ...], pair: tuple[int, int] | None) -> None:
        if pair is not None and runs == self.state.runs:
            self._clip.setCurrentIndex(pair[0])
            self._twin.setCurrentIndex(pair[1])
            self._load_response()

    def _on_step(self, _: Any) -> None:
        self._move_rings()

    def _on_theme(self, _: Any) -> None:
        for plot in (self._paths, self._distances):
            plot.set_theme(self.theme)

    def _move_rings(self) -> None:
        frame = self.shown_frame()
        if self._shown is not None:
            paths = self._shown.paths
            colours = series_colours([path.kind for path in paths])
            at = [path.coordinates[frame] if frame < len(path.coordinates) else (np.nan, np.nan) for path in paths]
            self._paths.set_rings([Ring(0, float(x), float(y), c) for (x, y), c in zip(at, colours, strict=True)])
        if self._response is not None:
            here = np.flatnonzero(self._response.frame_index == frame)
            points = [(100 * self._response.obscured_fraction[k], self._response.distance[k]) for k in here]
            self._distances.set_rings([Ring(0, float(x), float(y), self.theme.text) for x, y in points])

    def _on_path_pressed(self, area: int, x: float, y: float) -> None:
        if self._shown is not None:
            points = np.concatenate([path.coordinates for path in self._shown.paths])
            frames = np.concatenate([np.arange(len(path.coordinates)) for path in self._shown.paths])
            self._go_to(self._paths, area, (x, y), points, frames)

    def _on_distance_pressed(self, area: int, x: float, y: float) -> None:
        if self._response is not None:
            points = np.stack([100 * self._response.obscured_fraction, self._response.distance], axis=1)
            self._go_to(self._distances, area, (x, y), points, self._response.frame_index)

    def _go_to(self, plot: PlotView, area: int, at: tuple[float, float], points: Any, frames: Any) -> None:
        nearest = nearest_point(plot.areas[area], at, points, CLICK_RADIUS)
        if nearest is not None:
            self.show_frame(int(frames[nearest]))

    def _ask_where_to_save(self) -> None:
        if (self._shown if self._tabs.currentIndex() == 0 else self._response) is None:
            say_nothing_to_save()
            return
        path, chosen = QFileDialog.getSaveFileName(self, "Save the plot", "pointers.png", FILES)
        if path:
            self.save(path if Path(path).suffix else path + chosen.partition("*")[2].rstrip(")"))


def _run_box(name: str, tip: str) -> QComboBox:
    box = QComboBox(objectName=name)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _note(name: str, text: str) -> QLabel:
    note = QLabel(text, objectName=name)
    note.setWordWrap(True)
    return note


def _column(*widgets: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 4, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, isinstance(widget, PlotView))
    return page
