"""The workspace: everything from a video to an export in one dock, with plots below the canvas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout

from napari_sam2_probe.gui.panels.pages import Page, Pages
from napari_sam2_probe.gui.panels.panel import Panel, panel_of
from napari_sam2_probe.gui.panels.state_line import StateLine
from napari_sam2_probe.gui.tabs import menu_entries, move_below, raise_panel
from napari_sam2_probe.gui.time_axis import show_frame
from napari_sam2_probe.gui.videos import watch_videos
from napari_sam2_probe.live.next_step import next_step

if TYPE_CHECKING:
    import napari.viewer

    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.live.next_step import NextStep, Situation

WORK = (
    Page("video", "Video", "Open a video, or choose the active one", "video:VideoPanel"),
    Page("transform", "Transform", "Make a clip in which something happens to the object", "transform:TransformPanel"),
    Page("track", "Track", "Prompt objects and track them", "track:TrackPanel"),
    Page("positions", "Look", "See the maps of the observation positions", "positions:PositionsPanel"),
    Page("runs", "Runs", "Find, compare and rename runs", "runs:RunsPanel"),
    Page("export", "Export", "Write masks, maps, tables and figures", "export:ExportPanel"),
)
"""The tabs of the workspace, in the order of the work."""

PLOTS = (
    Page("features", "Features", "How each frame differs from those before", "features:FeaturesPanel"),
    Page("pointers", "Pointers", "Object pointers, and the boxes that are read off them", "pointers:PointersPanel"),
)
"""The tabs below the canvas."""

LOOK = "positions"
"""The page to which the state line leads when there is something to look at."""

PLOTS_HEIGHT = 250
"""Pixels of the window that the plots get when they are opened."""


class WorkspacePanel(Panel):
    """One tab for each part of the work, and above them what to do next."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "workspace")
        watch_videos(self.viewer)
        self.line = StateLine()
        self.pages = Pages(self.state, WORK)
        self.line.set_titles({page.name: page.title for page in WORK})
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line)
        layout.addWidget(self.pages, 1)
        self.setMinimumWidth(360)
        self._opening_plots: QTimer | None = QTimer(self, singleShot=True, interval=0)
        self._opening_plots.timeout.connect(self._open_plots)
        self.pages.turned.connect(self.line.set_front)
        self.line.asked.connect(self._go)
        self.connections.add(self.state.apart_changed, self.pages.arrange)
        self.connections.add(self.state.situation_changed, self._show_situation)
        self.connections.add(self.state.told, self.line.tell)
        self.connections.add(self.state.video_changed, self._on_video)
        self.line.set_front(self.pages.current)
        if self.state.video is not None:
            self.pages.turn_to("track")
        self._show_situation(self.state.situation)

    def showEvent(self, event: Any) -> None:
        """Open the plots when the workspace is opened; Qt calls it."""
        super().showEvent(event)
        if self._opening_plots is not None:
            self._opening_plots.start()

    def _open_plots(self) -> None:
        self._opening_plots = None
        plots = panel_of(self.state, "plots")
        if plots is not None:
            raise_panel(plots)
            return
        entries = menu_entries(self.window(), "plots")
        if entries:
            # By the menu, so that it knows them.
            entries[0].trigger()
        else:
            self.viewer.window.add_dock_widget(PlotsPanel(self.viewer), name="Plots", area="bottom")
        raise_panel(self)

    def _show_situation(self, now: Situation) -> None:
        step = next_step(now)
        # Where one looks is this window's business.
        step = replace(step, tab=LOOK) if step.tab == "look" else step
        self.line.show_step(step, now.done, now.total)

    def _on_video(self, video: VideoEntry | None) -> None:
        # Drop and go. Who chose it from the list may want to transform it first.
        if video is not None and video.sequence is None and self.pages.current == "video":
            self.pages.turn_to("track")

    def _go(self, step: NextStep) -> None:
        if step.frame_idx is not None and self.state.video is not None:
            self.pages.turn_to("track")
            show_frame(self.viewer, step.frame_idx, self.state.video.layer)
        elif step.tab:
            self.pages.turn_to(step.tab)


class PlotsPanel(Panel):
    """The plots of what is displayed, below the canvas."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "plots")
        self.pages = Pages(self.state, PLOTS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self._placing: QTimer | None = QTimer(self, singleShot=True, interval=0)
        self._placing.timeout.connect(self._move_below)
        self.connections.add(self.state.apart_changed, self.pages.arrange)

    def showEvent(self, event: Any) -> None:
        """Move below the canvas when they are first seen; Qt calls it."""
        super().showEvent(event)
        if self._placing is not None:
            self._placing.start()

    def _move_below(self) -> None:
        # napari has one place for the panels of plugins, at the right. From then on the user decides.
        self._placing = None
        move_below(self, PLOTS_HEIGHT)
