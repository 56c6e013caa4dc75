"""The dock below the canvas: a lane for each object, features over time, and pointers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QTabWidget, QVBoxLayout

from napari_sam2_probe.gui.lanes import Lanes
from napari_sam2_probe.gui.panels.page import Page, PageKind
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.tabs import move_below

if TYPE_CHECKING:
    import napari.viewer

_PANELS = "napari_sam2_probe.gui.panels"
PLOTS = (
    PageKind("features", "Features", "Features of the positions over time", f"{_PANELS}.features:FeaturesPanel"),
    PageKind("pointers", "Pointers", "Object pointers and decoded boxes", f"{_PANELS}.pointers:PointersPanel"),
)
HEIGHT = 270
"""Pixels of the window that the dock asks for when it is opened."""


class PlotsPanel(Panel):
    """Plots that follow the run and the time slider.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "plots")
        # Else napari pushes the panel to the top of its dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._tabs = QTabWidget(objectName="plot_pages")
        # At the side, where a row of tabs takes no height from the plots.
        self._tabs.setTabPosition(QTabWidget.TabPosition.West)
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setToolTip("Which plot is shown")
        self._pages = {kind.name: Page(self.state, kind, scrolls=False) for kind in PLOTS}
        for kind in PLOTS:
            self._tabs.setTabToolTip(self._tabs.addTab(self._pages[kind.name], kind.title), kind.tip)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.lanes = Lanes(self.viewer)
        layout.addWidget(self.lanes)
        layout.addWidget(self._tabs, 1)
        self._place = QTimer(self, singleShot=True, interval=0)
        self._place.timeout.connect(self._move_below)
        self._is_placed = False

    def show_page(self, name: str) -> None:
        """Bring a plot to the front."""
        self._tabs.setCurrentWidget(self._pages[name])

    def showEvent(self, event: Any) -> None:
        """Move below the canvas when it is first seen: frames need width; Qt calls it."""
        super().showEvent(event)
        if not self._is_placed:
            self._is_placed = True
            self._place.start()

    def _move_below(self) -> None:
        move_below(self, HEIGHT)
