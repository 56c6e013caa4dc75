"""The dock of features over time: how far each frame is from the last frames that hold the object."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.common.feature_names import FEATURE_LABELS, HEAVY_TAILED
from napari_sam2_probe.figures.feature_charts import all_charts, positions_chart
from napari_sam2_probe.gui.figure_files import save_features
from napari_sam2_probe.gui.panels.parts import make_combo
from napari_sam2_probe.gui.panels.run_panel import ObjectBox, RunPanel, say_nothing_to_save, say_saved
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.run_views import load_features, or_reason
from napari_sam2_probe.gui.tabs import move_below
from napari_sam2_probe.probe.positions import POSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_sam2_probe.figures.chart import Chart
    from napari_sam2_probe.gui.run_views import FeaturesShown

ROW_HEIGHT, LEGEND_HEIGHT = 96, 40
"""Pixels of a row of plots where all features are shown, and of what stands above and below them."""

NARROW = 64
"""Pixels to which a choice may shrink."""

DOCK_HEIGHT = 250
"""Pixels of the window that the panel asks for when it is opened."""

FILES = "PNG picture (*.png);;SVG drawing (*.svg);;PDF (*.pdf);;CSV table (*.csv)"
ALL = "all"
"""Data of the entry that shows every feature, a row a position."""

SCALES = {True: ("Own scales", "Each position goes from bottom to top"), False: ("One scale", "All share one axis")}


class FeaturesPanel(RunPanel):
    """A line a position of the chosen feature, or rows and columns of all; a cursor follows the time slider."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "features")
        viewer = self.viewer
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._shown: FeaturesShown | None = None
        self._about: tuple[tuple[Path, ...], int] | None = None
        self._object = ObjectBox()
        self._object.chosen.connect(self._choose_object)
        self._feature = make_combo("feature", "Which feature is shown; All: a row a position", letters=12)
        for column, label in FEATURE_LABELS.items():
            self._feature.addItem(label, column)
        self._feature.addItem("All", ALL)
        self._scale = make_combo("scale", "Whether positions share the axis of values", letters=9)
        for own, (text, tip) in SCALES.items():
            self._scale.addItem(text, own)
            self._scale.setItemData(self._scale.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        for box in (self._feature, self._scale):
            box.activated.connect(self._draw)
        titles = {p.number: f"{p.number}: {p.title}" for p in POSITIONS}
        shown_at_first = tuple(p.number for p in POSITIONS if p.is_main)
        self._positions = _menu_of(self, titles, shown_at_first, self._draw)
        self._log = _menu_of(self, FEATURE_LABELS, HEAVY_TAILED, self._draw)
        positions = _menu_button("Positions", "positions", "Which positions are shown", self._positions)
        log = _menu_button("Log", "log", "Which features are on a logarithmic axis", self._log)
        save = QPushButton("Save…", objectName="save")
        save.setToolTip("Save the figure (PNG, SVG, PDF) at publication size, or its numbers (CSV)")
        save.clicked.connect(self._ask_where_to_save)
        self._plot = PlotView(self.theme)
        self._plot.setObjectName("plot")
        # A tooltip would lie over the values under the mouse.
        self._plot.setWhatsThis("Click, drag or press the arrow keys to move the time slider; turn the wheel to zoom")
        self._plot.pressed.connect(self._on_pressed)
        self._plot.stepped.connect(self.step_frame)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(self._plot)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        row.setSpacing(3)
        for widget in (self._object, self._feature, self._scale, positions, log):
            row.addWidget(widget)
        # Between two docks of a small window the row is narrow.
        for box in (self._object, self._feature, self._scale):
            box.setMinimumWidth(NARROW)
        row.addStretch()
        row.addWidget(save)
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(scroll)
        self.connections.add(viewer.dims.events.current_step, self._on_step)
        self.connections.add(viewer.events.theme, self._on_theme)
        self.update_runs()

    @property
    def positions(self) -> tuple[str, ...]:
        """The numbers of the positions that are shown."""
        return _checked(self._positions)

    @property
    def log(self) -> tuple[str, ...]:
        """The features on a logarithmic axis."""
        return _checked(self._log)

    @property
    def feature(self) -> str:
        """The feature that is shown, a column of ``features.csv``; `ALL` for all."""
        return str(self._feature.currentData())

    def arrange(self) -> None:
        """Move below the canvas: frames need width. From then on the user decides."""
        move_below(self, DOCK_HEIGHT)

    def refresh(self) -> None:
        """Read the features of the runs that are looked at, and draw them."""
        entries, obj_id = self.state.compared_runs, self.state.obj_id
        about = tuple(entry.path for entry in entries), obj_id
        if about != self._about:
            self.background.forget("load")
            self._about = about
        # A run that grows is read again and again, which reading may take longer than.
        load = partial(or_reason, partial(load_features, entries, obj_id))
        self.background.submit("load", load, self._show, show_older=True)

    def save(self, path: Path | str) -> None:
        """Write what is shown to a PNG, SVG or PDF figure or to a CSV table, without holding up the window."""
        shown, positions, charts = self._shown, self.positions, self._charts()
        if shown is not None and charts:
            self.background.submit(f"save {path}", lambda: save_features(path, shown, positions, charts), say_saved)

    def _show(self, shown: FeaturesShown | str) -> None:
        if isinstance(shown, str):
            from napari.utils.notifications import show_error

            show_error(shown)
            self._shown = None
            self._plot.show_charts([])
            return
        self._shown = shown
        self._object.set_objects(shown.object_ids, self.state.obj_id)
        self._object.setVisible(len(shown.object_ids) > 1)
        self._draw()

    def _draw(self, *_: Any) -> None:
        charts, is_grid = self._charts(), self.feature == ALL
        self._scale.setEnabled(not is_grid)
        self._plot.scrolls = is_grid
        self._plot.setMinimumHeight(ROW_HEIGHT * len(charts) + LEGEND_HEIGHT if is_grid else 0)
        self._plot.move_cursor(self.shown_frame())
        self._plot.show_charts(charts, about=(self._about, self.positions, self.log, self.feature))

    def _charts(self) -> list[list[Chart]]:
        """Return what is shown, as rows of charts; empty where nothing is."""
        shown, positions = self._shown, self.positions
        if shown is None or not positions:
            return []
        if self.feature == ALL:
            return all_charts(shown.runs, positions, log=self.log, interjection=shown.interjection)
        return [
            [
                positions_chart(
                    shown.runs,
                    positions,
                    self.feature,
                    own_scales=bool(self._scale.currentData()),
                    log=self.feature in self.log,
                    interjection=shown.interjection,
                )
            ]
        ]

    def _choose_object(self, obj_id: int) -> None:
        self.state.obj_id = obj_id

    def _on_pressed(self, _: int, frame: float, __: float) -> None:
        self.show_frame(round(frame))

    def _on_step(self, _: Any) -> None:
        self._plot.move_cursor(self.shown_frame())

    def _on_theme(self, _: Any) -> None:
        self._plot.set_theme(self.theme)

    def _ask_where_to_save(self) -> None:
        if self._shown is None or not self.positions:
            say_nothing_to_save()
            return
        path, chosen = QFileDialog.getSaveFileName(self, "Save the features", "features.png", FILES)
        if path:
            suffix = chosen.partition("*")[2].rstrip(")")
            self.save(path if Path(path).suffix else path + suffix)


def _menu_of(panel: QWidget, texts: dict[str, str], checked: tuple[str, ...], on_change: Callable[[], None]) -> QMenu:
    # Without a parent it would outlive the panel's C++ half, and under PySide its slots would keep the Python half.
    menu = QMenu(panel)
    for key, text in texts.items():
        action = QAction(text, menu, checkable=True, checked=key in checked)
        action.setData(key)
        action.triggered.connect(lambda _: on_change())
        menu.addAction(action)
    return menu


def _checked(menu: QMenu) -> tuple[str, ...]:
    return tuple(action.data() for action in menu.actions() if action.isChecked())


def _menu_button(text: str, name: str, tip: str, menu: QMenu) -> QPushButton:
    button = QPushButton(text, objectName=name)
    button.setToolTip(tip)
    button.setMenu(menu)
    return button
