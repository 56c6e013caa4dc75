"""The dock of features over time: how far each frame is from the last frames that hold the object."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam2_probe.common.feature_names import FEATURE_LABELS, HEAVY_TAILED
from napari_sam2_probe.gui.dock_figures import features_figure
from napari_sam2_probe.gui.figure_files import save_features
from napari_sam2_probe.gui.panels.run_panel import ObjectBox, RunPanel, say_nothing_to_save, say_saved
from napari_sam2_probe.gui.plots import PlotView
from napari_sam2_probe.gui.run_views import load_features, or_reason
from napari_sam2_probe.probe.positions import POSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_sam2_probe.gui.run_views import FeaturesShown

ROW_HEIGHT = 84
LEGEND_HEIGHT = 52
DOCK_HEIGHT = 300
"""Pixels of the window that the panel asks for when it is opened: two rows, the legend and the buttons."""
FILES = "PNG picture (*.png);;SVG drawing (*.svg);;PDF (*.pdf);;CSV table (*.csv)"


class FeaturesPanel(RunPanel):
    """Rows are positions, columns short-term L2, long-term L2 and ratio; a cursor follows the time slider."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "features")
        viewer = self.viewer
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._shown: FeaturesShown | None = None
        self._about: tuple[tuple[Path, ...], int] | None = None
        self._placing: QTimer | None = QTimer(self, singleShot=True, interval=0)
        self._placing.timeout.connect(self._move_below)
        self._object = ObjectBox()
        self._object.chosen.connect(self._choose_object)
        titles = {p.number: f"{p.number}: {p.title}" for p in POSITIONS}
        shown_at_first = tuple(p.number for p in POSITIONS if p.is_main)
        self._positions = _menu_of(self, titles, shown_at_first, self._draw)
        self._log = _menu_of(self, FEATURE_LABELS, HEAVY_TAILED, self._draw)
        positions = _menu_button("Positions", "positions", "Which positions have a row", self._positions)
        log = _menu_button("Log axis", "log", "Which features are on a logarithmic axis", self._log)
        save = QPushButton("Save…", objectName="save")
        save.setToolTip("Save the figure (PNG, SVG, PDF) at publication size, or its numbers (CSV)")
        save.clicked.connect(self._ask_where_to_save)
        self._plot = PlotView(self.background, self.state.drawing, self.theme, "plot")
        self._plot.setObjectName("plot")
        self._plot.setToolTip("Click, drag or press the arrow keys to move the time slider")
        self._plot.pressed.connect(self._on_pressed)
        self._plot.stepped.connect(self.step_frame)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(self._plot)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        for widget in (self._object, positions, log):
            row.addWidget(widget)
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
        """The numbers of the positions that have a row."""
        return _checked(self._positions)

    @property
    def log(self) -> tuple[str, ...]:
        """The features on a logarithmic axis."""
        return _checked(self._log)

    def showEvent(self, event: Any) -> None:
        """Move below the canvas when it is first seen: three columns of plots are wide; Qt calls it."""
        super().showEvent(event)
        if self._placing is not None:
            self._placing.start()

    def refresh(self) -> None:
        """Read the features of the runs that are looked at, and draw them."""
        entries, obj_id = self.state.compared_runs, self.state.obj_id
        about = tuple(entry.path for entry in entries), obj_id
        if about != self._about:
            self.background.forget("load")
            self._plot.expect_other()
            self._about = about
        # A run that grows is read every few seconds, which reading and drawing may take longer than.
        load = partial(or_reason, partial(load_features, entries, obj_id))
        self.background.submit("load", load, self._show, show_older=True)

    def save(self, path: Path | str) -> None:
        """Write what is shown to a PNG, SVG or PDF figure or to a CSV table, without holding up the window."""
        shown, positions, log = self._shown, self.positions, self.log
        if shown is not None:
            self.background.submit(f"save {path}", lambda: save_features(path, shown, positions, log), say_saved)

    def _move_below(self) -> None:
        # napari has one place for the panels of plugins, at the right. From then on the user decides.
        self._placing = None
        dock, window = self.parent(), self.window()
        if isinstance(dock, QDockWidget) and isinstance(window, QMainWindow) and not dock.isFloating():
            # Below the canvas only, so that the panels at the sides keep their height.
            window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
            window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            window.resizeDocks([dock], [DOCK_HEIGHT], Qt.Orientation.Vertical)
            dock.show()

    def _show(self, shown: FeaturesShown | str) -> None:
        if isinstance(shown, str):
            from napari.utils.notifications import show_error

            show_error(shown)
            self._shown = None
            self._plot.show_figure(None)
            return
        self._shown = shown
        self._object.set_objects(shown.object_ids, self.state.obj_id)
        self._draw()

    def _draw(self) -> None:
        shown, positions = self._shown, self.positions
        if shown is None:
            return
        if not positions:
            self._plot.show_figure(None)
            return
        self._plot.setMinimumHeight(ROW_HEIGHT * len(positions) + LEGEND_HEIGHT)
        self._plot.move_cursor(self.shown_frame())
        make = partial(features_figure, shown=shown, positions=positions, log=self.log)
        self._plot.show_figure(make, about=(self._about, positions, self.log))

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
