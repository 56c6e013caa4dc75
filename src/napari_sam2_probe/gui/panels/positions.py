"""The panel of observation positions: which maps lie over the video, and how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout

from napari_sam2_probe.gui.panels.map_controls import MapControls
from napari_sam2_probe.gui.panels.run_panel import RunPanel

if TYPE_CHECKING:
    import napari.viewer


class PositionsPanel(RunPanel):
    """The lower part of the Look panel, for who wants it apart."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "positions")
        self.maps = MapControls(self)
        layout = QVBoxLayout(self.content)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.maps.object)
        layout.addWidget(self.maps)
        layout.addStretch()
        self.update_runs()

    def refresh(self) -> None:
        """Look at the current run and object."""
        self.maps.refresh()
