"""Which maps of the current run lie over the video, and how they look: a part of panels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.figures.maps import COLOUR_MAPS
from napari_sam2_probe.gui.figure_window import FigureWindow
from napari_sam2_probe.gui.grid import MapGrid
from napari_sam2_probe.gui.layers import MAP_OPACITY
from napari_sam2_probe.gui.map_contrast import MapContrast
from napari_sam2_probe.gui.map_layers import (
    MapOf,
    add_map_layer,
    load_map,
    load_recorded,
    map_layers,
    map_of,
)
from napari_sam2_probe.gui.panels.run_panel import ObjectBox
from napari_sam2_probe.gui.run_views import composites_figure, open_videos
from napari_sam2_probe.probe.positions import BY_KEY, STATISTICS, Statistic

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.gui.map_layers import Recorded, Sharing
    from napari_sam2_probe.gui.panels.run_panel import RunPanel
    from napari_sam2_probe.gui.state import RunEntry

REDRAW_PAUSE = 200
"""Milliseconds between two looks at the frame that is shown while it is tracked."""

SHARINGS: dict[Sharing, tuple[str, str]] = {
    "own": ("Own", "Each map has its own limits"),
    "position": ("Same at a position", "Maps of one position and statistic share limits: objects, runs, 5 and 5r"),
    "statistic": ("Same everywhere", "All means share limits, and all variances"),
}
COLOURS = ("viridis", "magma", "inferno", "plasma", "gray", "gray_r", "turbo")


class MapControls(QWidget):
    """Each box that is checked is an image layer over the video: a position's channel mean or variance.

    Parameters
    ----------
    panel
        The panel that it is a part of, which calls `refresh` when it looks at its runs.
    """

    shown_changed = Signal()
    """Another map is shown or hidden."""

    looks_changed = Signal()
    """Other colours, or other maps that share limits, are chosen."""

    def __init__(self, panel: RunPanel) -> None:
        super().__init__()
        self._panel = panel
        self.state, self.viewer = panel.state, panel.viewer
        self._wanted: set[tuple[str, Statistic]] = set()
        self._run: RunEntry | None = None
        self._obj_id = self.state.obj_id
        self._grid = MapGrid(self.viewer)
        self._contrast = MapContrast(self.viewer, panel.background)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(REDRAW_PAUSE)
        self._redraw.timeout.connect(self._redraw_maps)

        self._no_maps = QLabel("This run holds no maps.", objectName="no_maps")
        self._no_maps.hide()
        self.object = ObjectBox()
        self.object.chosen.connect(self._choose_object)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._no_maps)
        layout.addLayout(self._make_boxes())
        layout.addLayout(self._make_looks())
        layout.addLayout(self._make_buttons())

        add = panel.connections.add
        for signal, slot in (
            (self.viewer.layers.events.inserted, self._on_inserted),
            (self.viewer.layers.events.removed, self._on_removed),
            (self._grid.model.events.enabled, self._on_grid),
            (self.state.run_progressed, self._on_progressed),
            (self.state.run_finished, self._on_finished),
        ):
            add(signal, slot)
        for layer in self.viewer.layers:
            add(layer.events.visible, self._on_visible)

    @property
    def obj_id(self) -> int:
        """The object whose maps are chosen."""
        return self._obj_id

    @property
    def shown(self) -> set[tuple[str, Statistic]]:
        """The maps, by key and statistic, that are shown or will be as soon as they can."""
        return {of for of, box in self.boxes.items() if box.isChecked()}

    @property
    def sharing(self) -> Sharing:
        """Which maps share limits."""
        sharing: Sharing = self._sharing.currentData()
        return sharing

    @property
    def colours(self) -> dict[Statistic, str]:
        """The colour maps of means and of variances."""
        return {statistic: box.currentText() for statistic, box in self._colours.items()}

    def refresh(self) -> None:
        """Look at the current run and object, and show maps that it didn't hold before."""
        entry = self.state.current_run
        if entry is None:
            return
        self._follow(entry, self.state.obj_id)
        self._panel.background.submit("recorded", lambda: load_recorded(entry), partial(self._show_recorded, entry))

    def choose(self, key: str, statistic: Statistic, shown: bool) -> None:
        """Show or hide a map of the current run and object."""
        entry = self.state.current_run
        if entry is None:
            return
        of = MapOf(key, statistic, self._obj_id)
        layer = map_layers(self.viewer, entry.path).get(of)
        (self._wanted.add if shown else self._wanted.discard)((key, statistic))
        if layer is not None:
            layer.visible = shown
        elif shown:
            name = f"map {key} {statistic}"
            self._panel.background.submit(name, lambda: load_map(entry, of), partial(self._add, entry, of))
        self._grid.arrange(entry.path)

    def _make_boxes(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(0, 1)
        for column, statistic in enumerate(STATISTICS, start=1):
            grid.addWidget(QLabel(statistic), 0, column, Qt.AlignmentFlag.AlignHCenter)
        self.boxes: dict[tuple[str, Statistic], QCheckBox] = {}
        self._labels: dict[str, QLabel] = {}
        maps = [position for position in BY_KEY.values() if position.is_map]
        for row, position in enumerate(maps, start=1):
            label = self._labels[position.key] = QLabel(f"{position.number}  {position.title}")
            label.setWordWrap(True)
            grid.addWidget(label, row, 0)
            for column, statistic in enumerate(STATISTICS, start=1):
                box = QCheckBox(objectName=f"{position.key}_{statistic}")
                box.setToolTip(f"Show the channel {statistic} at position {position.number} over the video")
                box.setAccessibleName(f"{position.number} {statistic}")
                box.clicked.connect(partial(self._on_box, position.key, statistic))
                grid.addWidget(box, row, column, Qt.AlignmentFlag.AlignHCenter)
                self.boxes[position.key, statistic] = box
        return grid

    def _make_looks(self) -> QFormLayout:
        form = QFormLayout()
        self._sharing = QComboBox(objectName="contrast")
        for sharing, (text, tip) in SHARINGS.items():
            self._sharing.addItem(text, sharing)
            self._sharing.setItemData(self._sharing.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._sharing.setToolTip("Which maps share contrast limits")
        self._sharing.activated.connect(self._on_sharing)
        self._opacity = QSlider(Qt.Orientation.Horizontal, objectName="opacity")
        self._opacity.setRange(0, 100)
        self._opacity.setValue(round(100 * MAP_OPACITY))
        self._opacity.setToolTip("Opacity of the maps")
        self._opacity.valueChanged.connect(self._set_opacity)
        form.addRow("Contrast", self._sharing)
        form.addRow("Opacity", self._opacity)
        self._colours: dict[Statistic, QComboBox] = {}
        for statistic in STATISTICS:
            box = self._colours[statistic] = QComboBox(objectName=f"{statistic}_colours")
            box.addItems(COLOURS)
            box.setCurrentText(COLOUR_MAPS[statistic])
            box.setToolTip(f"Colours of the {statistic} maps")
            box.activated.connect(partial(self._set_colours, statistic))
            form.addRow(f"{statistic.capitalize()} colours", box)
        return form

    def _make_buttons(self) -> QHBoxLayout:
        self._grid_button = QPushButton("Grid", objectName="grid", checkable=True)
        self._grid_button.setToolTip("Show the video and its maps side by side: means in a row, variances below")
        self._grid_button.clicked.connect(self._toggle_grid)
        self._grid_button.setChecked(self._grid.model.enabled)
        composite = QPushButton("Composite…", objectName="composite")
        composite.setToolTip("Draw the positions of the current frame as a figure, of all runs that are compared")
        composite.clicked.connect(self._draw_composite)
        row = QHBoxLayout()
        row.addWidget(self._grid_button)
        row.addWidget(composite)
        return row

    def _follow(self, entry: RunEntry, obj_id: int) -> None:
        """Take what is shown over to another object, or to the run that grows now."""
        before = self._run
        same_run = before is not None and before.path == entry.path
        if before is not None and (entry.live or same_run) and not (same_run and obj_id == self._obj_id):
            for of, layer in map_layers(self.viewer, before.path).items():
                if of.obj_id == self._obj_id and layer.visible:
                    layer.visible = False
                    # Only now: what is hidden is not wanted.
                    self._wanted.add((of.key, of.statistic))
        elif not same_run:
            self._wanted.clear()
        self._run, self._obj_id = entry, obj_id

    def _show_recorded(self, entry: RunEntry, recorded: Recorded) -> None:
        if entry is not self._run:
            return
        if recorded.object_ids and self._obj_id not in recorded.object_ids:
            self._follow(entry, recorded.object_ids[0])
        self.object.set_objects(recorded.object_ids, self._obj_id)
        self._no_maps.setVisible(not (entry.live or recorded.keys))
        for (key, _), box in self.boxes.items():
            usual = not BY_KEY[key].optional
            box.setVisible(usual or key in recorded.keys)
            # A run that grows may still come to hold it.
            box.setEnabled(entry.live or key in recorded.keys)
            self._labels[key].setVisible(usual or key in recorded.keys)
        for key, statistic in sorted(self._wanted):
            if key in recorded.keys:
                self.choose(key, statistic, True)
        self._sync()
        self._update_contrast(anew=False)

    def _add(self, entry: RunEntry, of: MapOf, data: LayerData | None) -> None:
        if data is None or (of.key, of.statistic) not in self._wanted or of in map_layers(self.viewer, entry.path):
            return
        array, keywords, kind = data
        # Not set afterwards, when the layer would be drawn for each.
        looks = {"opacity": self._opacity.value() / 100, "colormap": self._colours[of.statistic].currentText()}
        layer = add_map_layer(self.viewer, (array, keywords | looks, kind), self._panel.video_layer)
        self._contrast.watch(layer)
        self._update_contrast(anew=False)
        self._grid.arrange(entry.path)

    def _update_contrast(self, *, anew: bool) -> None:
        self._contrast.update(self.state.compared_runs, self.sharing, anew=anew)

    def _on_sharing(self, _: int) -> None:
        self._update_contrast(anew=True)
        self.looks_changed.emit()

    def _set_opacity(self, percent: int) -> None:
        for layer in self._own_layers().values():
            layer.opacity = percent / 100

    def _on_box(self, key: str, statistic: Statistic, *_: Any) -> None:
        # PySide gives a partial no arguments.
        self.choose(key, statistic, self.boxes[key, statistic].isChecked())

    def _set_colours(self, statistic: Statistic, *_: Any) -> None:
        for of, layer in self._own_layers().items():
            if of.statistic == statistic:
                layer.colormap = self._colours[statistic].currentText()
        self.looks_changed.emit()

    def _own_layers(self) -> dict[MapOf, Image]:
        return {} if self._run is None else map_layers(self.viewer, self._run.path)

    def _choose_object(self, obj_id: int) -> None:
        self.state.obj_id = obj_id

    def _sync(self) -> None:
        """Let every box say whether its layer is there and visible, or will be as soon as it can."""
        own = self._own_layers()
        for (key, statistic), box in self.boxes.items():
            layer = own.get(MapOf(key, statistic, self._obj_id))
            box.setChecked((key, statistic) in self._wanted if layer is None else layer.visible)
        self.shown_changed.emit()

    def _on_inserted(self, event: Any) -> None:
        self._panel.connections.add(event.value.events.visible, self._on_visible)
        self._sync()

    def _on_removed(self, event: Any) -> None:
        self._panel.connections.remove(event.value.events.visible, self._on_visible)
        of = map_of(event.value)
        if of is not None and of.obj_id == self._obj_id:
            self._wanted.discard((of.key, of.statistic))
        self._sync()

    def _on_visible(self, event: Any) -> None:
        for of, layer in self._own_layers().items():
            if layer is event.source and not layer.visible and of.obj_id == self._obj_id:
                self._wanted.discard((of.key, of.statistic))
        if event.source.visible and map_of(event.source) is not None and self.sharing != "own":
            self._contrast.watch(event.source)
            self._update_contrast(anew=False)
        self._sync()

    def _on_progressed(self, run: RunEntry, frame_idx: int) -> None:
        if self._is_shown(run) and frame_idx == self._panel.shown_frame() and not self._redraw.isActive():
            self._redraw.start()

    def _redraw_maps(self) -> None:
        for layer in self._own_layers().values():
            if layer.visible:
                layer.refresh(extent=False)

    def _on_finished(self, run: RunEntry) -> None:
        if self._is_shown(run):
            self._redraw_maps()

    def _is_shown(self, run: RunEntry) -> bool:
        return self._run is not None and run.path == self._run.path

    def _toggle_grid(self, on: bool) -> None:
        if self._run is not None:
            self._grid.show(self._run.path, self._panel.video_layer) if on else self._grid.hide()

    def _on_grid(self, _: Any) -> None:
        self._grid_button.setChecked(self._grid.model.enabled)

    def _draw_composite(self) -> None:
        entries, obj_id, frame = self.state.compared_runs, self._obj_id, self._panel.shown_frame()
        videos = open_videos(list(self.viewer.layers), self.state.video)
        window = FigureWindow(
            self._panel, f"Positions of frame {frame}", f"positions-{frame:05d}.png", self._panel.background
        )
        window.draw(partial(composites_figure, entries, obj_id, frame, videos))
        window.show()
