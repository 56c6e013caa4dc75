"""The panel that looks into a run: the composite of the frame that is shown, and its maps over time and as layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2_probe.figures.map_charts import map_series_chart
from napari_sam2_probe.gui.look import FRAME, open_look
from napari_sam2_probe.gui.map_difference_layers import difference_layer, difference_layers
from napari_sam2_probe.gui.map_layers import add_map_layer
from napari_sam2_probe.gui.panels.map_controls import MapControls
from napari_sam2_probe.gui.panels.parts import make_button, make_combo
from napari_sam2_probe.gui.panels.run_panel import RunPanel
from napari_sam2_probe.gui.plots.composite_view import CompositeView
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.run_views import open_videos, or_reason
from napari_sam2_probe.probe.positions import BY_KEY, BY_NUMBER, MEMORY_ATTENTION, title_of

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Layer

    from napari_sam2_probe.figures.map_charts import MapSeries
    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.gui.look import LookFrame, Of, OpenedLook
    from napari_sam2_probe.probe.positions import Statistic

PLOT_HEIGHT = 150
"""Pixels of the plot."""

HINT = "Click a map to lay it over the video; Shift-click a pixel to plot its values."
"""What a press does, below the composite."""

WITHOUT_TWIN = "Compare two runs in the Runs panel to see how their maps differ."

MASK, PIXEL = "mask", "pixel"


class LookPanel(RunPanel):
    """Shows all positions of the frame that the slider stands on, and one map over time."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "look")
        viewer = self.viewer
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._opened: OpenedLook | None = None
        self._key: tuple[str, Statistic] = (MEMORY_ATTENTION.key, "mean")
        self._place: tuple[float, float] | None = None
        self._about_plot: object = None
        self.maps = MapControls(self)
        self.maps.shown_changed.connect(self._on_maps_changed)
        self.maps.looks_changed.connect(self._load_frame)
        self._build()
        self.connections.add(viewer.dims.events.current_step, self._on_step)
        self.connections.add(viewer.events.theme, self._on_theme)
        self.connections.add(viewer.layers.events.inserted, self._on_layers)
        self.connections.add(viewer.layers.events.removed, self._on_layers)
        self.update_runs()

    @property
    def of(self) -> Of:
        """What cells show: maps, or differences."""
        of: Of = self._of.currentData()
        return of

    def refresh(self) -> None:
        """Open the run again, and show what it holds by now."""
        entries, obj_id = self.state.compared_runs, self.state.obj_id
        videos = open_videos(list(self.viewer.layers), self.state.video)
        self.maps.refresh()
        load = partial(or_reason, partial(open_look, entries, obj_id, videos))
        self.background.submit("open", load, self._show_opened, show_older=True)

    def _build(self) -> None:
        self._of = make_combo("of", "Maps of the run, or how they differ from those of the run it is compared with")
        self._of.addItem("Maps", "maps")
        self._of.addItem("Difference to twin", "difference")
        self._of.activated.connect(self._on_of)
        self._pick = make_button("pick", "Plot pixel", "Plot the values of the pixel you click (or hold Shift)")
        self._pick.setCheckable(True)
        self._about = QLabel(objectName="about", wordWrap=True)
        self.composite = CompositeView(self.theme)
        self.composite.setObjectName("cells")
        # A tooltip would lie over the values under the mouse.
        self.composite.setWhatsThis(HINT)
        self.composite.pressed.connect(self._on_pressed)
        self.composite.stepped.connect(self.step_frame)
        self._how_to = QLabel(HINT, objectName="how", wordWrap=True)
        self._what = make_combo("what", "What is plotted of the underlined map")
        self._what.addItem("Inside and outside the mask", MASK)
        self._what.addItem("One pixel", PIXEL)
        self._what.activated.connect(self._on_what)
        self.plot = PlotView(self.theme)
        self.plot.setObjectName("plot")
        self.plot.setWhatsThis("Click, drag or press the arrow keys to move the time slider; Ctrl and the wheel zoom")
        self.plot.scrolls = True
        self.plot.setFixedHeight(PLOT_HEIGHT)
        self.plot.pressed.connect(lambda _, frame, __: self.show_frame(round(frame)))
        self.plot.stepped.connect(self.step_frame)

        first = QHBoxLayout()
        first.addWidget(self.maps.object)
        first.addWidget(self._of, 1)
        second = QGridLayout()
        second.addWidget(self._what, 0, 0)
        second.addWidget(self._pick, 0, 1)
        second.setColumnStretch(0, 1)
        page = QWidget()
        inner = QVBoxLayout(page)
        inner.setContentsMargins(6, 4, 6, 4)
        inner.addLayout(first)
        for widget in (self._about, self.composite, self._how_to):
            inner.addWidget(widget)
        inner.addLayout(second)
        inner.addWidget(self.plot)
        inner.addWidget(self.maps)
        inner.addStretch()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)

    def _show_opened(self, opened: OpenedLook | str | None) -> None:
        self._opened = None if isinstance(opened, str) else opened
        self._about.setText(opened if isinstance(opened, str) else "")
        if self._opened is None:
            # What is still read of the run before would be shown after this.
            self.background.forget("frame")
            self.background.forget("series")
            self._about.setVisible(bool(self._about.text()))
            self.composite.show_frame(None)
            self.plot.show_chart(None)
            return
        self._say_what_is_shown()
        if self._opened.maps.keys and self._key[0] not in self._opened.maps.keys:
            self._key = (self._opened.maps.keys[0], self._key[1])
        self._load_frame()
        self._load_series()
        self._on_maps_changed()

    def _say_what_is_shown(self) -> None:
        opened = self._opened
        text = ""
        if opened is not None and self.of == "difference":
            text = opened.difference_title or WITHOUT_TWIN
        self._about.setText(text)
        self._about.setVisible(bool(text))

    def _load_frame(self) -> None:
        opened, frame_idx, of = self._opened, self.shown_frame(), self._shown_of
        if opened is not None:
            sharing, colours = self.maps.sharing, self.maps.colours
            load = partial(or_reason, partial(opened.frame, frame_idx, of, sharing=sharing, colours=colours))
            self.background.submit("frame", load, self._show_frame, show_older=True)

    def _show_frame(self, frame: LookFrame | str) -> None:
        if isinstance(frame, str):
            self._about.setText(frame)
            self._about.show()
        self.composite.show_frame(None if isinstance(frame, str) else frame)

    def _load_series(self) -> None:
        opened, (key, statistic) = self._opened, self._key
        if opened is None:
            return
        place = self._place if self._what.currentData() == PIXEL else None
        self.composite.set_plotted((BY_KEY[key].number, statistic), place)
        if key not in opened.maps.keys or (place is None and self._what.currentData() == PIXEL):
            self.plot.show_chart(None)
            return
        of = self._shown_of
        about = (opened.view.run.path, opened.view.obj_id, key, statistic, place, of)
        if about != self._about_plot:
            self.background.forget("series")
            self._about_plot = about

        def load() -> MapSeries | None:
            try:
                return opened.series(key, statistic, place, of)
            except (KeyError, ValueError):
                # The other run lacks the map.
                return None

        self.background.submit("series", load, partial(self._show_series, about), show_older=True)

    def _show_series(self, about: object, series: MapSeries | None) -> None:
        if about != self._about_plot or self._opened is None:
            return
        self.plot.move_cursor(self.shown_frame())
        if series is None:
            self.plot.show_chart(None)
            return
        (key, statistic), (height, width) = self._key, self._opened.view.run.masks.shape[1:]
        number = BY_KEY[key].number
        title = f"{number} {title_of(number)}, {statistic}"
        if self._shown_of == "difference":
            title = f"difference of {title}"
        if self._what.currentData() == PIXEL and self._place is not None:
            title += f", x {int(self._place[1] * width)}, y {int(self._place[0] * height)}"
        self.plot.show_chart(map_series_chart(series, title), about=about)

    @property
    def _shown_of(self) -> Of:
        """What can be shown of what is chosen."""
        return "maps" if self._opened is None or self._opened.twin is None else self.of

    def _on_pressed(self, number: str, statistic: Statistic, y: float, x: float, shift: bool) -> None:
        if shift or self._pick.isChecked():
            # A pixel of the frame is plotted of the map that was plotted before.
            self._key = self._key if number == FRAME else (BY_NUMBER[number].key, statistic)
            self._place = (y, x)
            self._what.setCurrentIndex(self._what.findData(PIXEL))
            self._load_series()
        elif number != FRAME:
            self._toggle_layer(BY_NUMBER[number].key, statistic)
            if self._what.currentData() == MASK:
                self._key = (BY_NUMBER[number].key, statistic)
                self._load_series()

    def _toggle_layer(self, key: str, statistic: Statistic) -> None:
        if self._shown_of == "maps":
            self.maps.choose(key, statistic, (key, statistic) not in self.maps.shown)
            self._on_maps_changed()
            return
        layer = self._difference_layers().get((key, statistic))
        if layer is not None:
            layer.visible = not layer.visible
            self._on_maps_changed()
        elif self._opened is not None:
            name = f"difference {key} {statistic}"
            self.background.submit(name, partial(difference_layer, self._opened, key, statistic), self._add_difference)

    def _add_difference(self, data: LayerData | None) -> None:
        if data is not None:
            add_map_layer(self.viewer, data, self.video_layer)
            self._on_maps_changed()

    def _difference_layers(self) -> dict[tuple[str, Statistic], Layer]:
        opened = self._opened
        if opened is None or opened.twin is None:
            return {}
        return difference_layers(self.viewer, opened.view.run.path, opened.twin.run.path, opened.view.obj_id)

    def _on_maps_changed(self) -> None:
        if self._shown_of == "maps":
            shown = self.maps.shown
        else:
            shown = {of for of, layer in self._difference_layers().items() if layer.visible}
        self.composite.set_layers({(BY_KEY[key].number, statistic) for key, statistic in shown})

    def _on_of(self, _: int) -> None:
        self._say_what_is_shown()
        self._load_frame()
        self._load_series()
        self._on_maps_changed()

    def _on_what(self, _: int) -> None:
        if self._what.currentData() == PIXEL and self._place is None:
            # The middle of the frame, until one is picked.
            self._place = (0.5, 0.5)
        self._load_series()

    def _on_step(self, _: Any) -> None:
        if not self.isVisible():
            self.update_runs()
            return
        self.plot.move_cursor(self.shown_frame())
        self._load_frame()

    def _on_layers(self, _: Any) -> None:
        self._on_maps_changed()

    def _on_theme(self, _: Any) -> None:
        self.composite.set_theme(self.theme)
        self.plot.set_theme(self.theme)
