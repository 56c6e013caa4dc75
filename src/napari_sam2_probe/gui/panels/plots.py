"""The dock below the canvas: a lane for each object, features over time, and pointers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy, QTabWidget, QVBoxLayout

from napari_sam2_probe.gui.lanes import Lanes
from napari_sam2_probe.gui.panels.page import PageKind, Pages
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
        self.pages = Pages(self.state, PLOTS, name="plot_pages", tip="Which plot is shown", scrolls=False)
        # At the side, where a row of tabs takes no height from the plots.
        self.pages.setTabPosition(QTabWidget.TabPosition.West)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.lanes = Lanes(self.viewer)
        layout.addWidget(self.lanes)
        layout.addWidget(self.pages, 1)

    def arrange(self) -> None:
        """Move below the canvas: frames need width."""
        move_below(self, HEIGHT)
