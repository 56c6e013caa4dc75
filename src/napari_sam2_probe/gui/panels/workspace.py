"""The workspace: one dock with the panels as tabs in the order of the work, a line that says what to do, and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout

from napari_sam2_probe.gui.panels.page import PageKind, Pages
from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.tabs import widen

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_sam2_probe.gui.state import RunEntry, VideoEntry

_PANELS = "napari_sam2_probe.gui.panels"
PAGES = (
    PageKind("video", "Video", "Open videos and data sets", f"{_PANELS}.video:VideoPanel"),
    PageKind("transform", "Transform", "Make a transformed clip and its twin", f"{_PANELS}.transform:TransformPanel"),
    PageKind("track", "Track", "Prompt objects and track them", f"{_PANELS}.track:TrackPanel"),
    PageKind("look", "Look", "What each position sees on this frame", f"{_PANELS}.look:LookPanel"),
    PageKind(
        "memory", "Memory", "What this frame read of memory, and what caused its mask", f"{_PANELS}.memory:MemoryPanel"
    ),
    PageKind("runs", "Runs", "Runs that are open: compare, rename, open", f"{_PANELS}.runs:RunsPanel"),
    PageKind("export", "Export", "Write masks, maps, tables and videos", f"{_PANELS}.export:ExportPanel"),
)
WIDTH = 380
"""Pixels that the dock asks for when it is opened."""


class Workspace(Panel):
    """Everything from a video to its maps in one place.

    Parameters
    ----------
    viewer
        The viewer.
    """

    # napari gives the viewer to a widget whose parameter is annotated with these very words.
    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, "workspace")
        self._line: QWidget | None = None
        self.pages = Pages(self.state, PAGES, name="pages", tip="The steps of the work, from left to right")
        self.pages.setUsesScrollButtons(False)
        self.pages.tabBar().setExpanding(True)
        self.pages.tabBar().setElideMode(Qt.TextElideMode.ElideNone)
        # Seven titles in the width of one dock.
        self.pages.setStyleSheet("QTabBar::tab { padding: 3px 4px; margin: 0px; min-width: 0px; }")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.pages, 1)
        self._widen = QTimer(self, singleShot=True, interval=50)
        self._widen.timeout.connect(self._take_width)
        current = self.state.current_run
        self._run_path = None if current is None else current.path

        # The line is of the Track panel, which knows what is prompted and tracked.
        self.pages["track"].filled.connect(self._show_line)
        self.pages["track"].fill()
        self.connections.add(self.state.video_changed, self._on_video)
        self.connections.add(self.state.current_run_changed, self._on_run)
        self.show_page("video" if self.state.video is None else "track")

    @property
    def page(self) -> str:
        """The name of the page in front."""
        return self.pages.name_in_front

    def panel(self, name: str) -> Panel:
        """Return the panel of a page; made if it is not there yet.

        Raises
        ------
        LookupError
            If it has a dock of its own.
        """
        page = self.pages[name]
        page.fill()
        if page.panel is None:
            raise LookupError(f"{name} has a dock of its own")
        return page.panel

    def show_page(self, name: str) -> None:
        """Bring a page to the front."""
        self.pages.show_page(name)

    def arrange(self) -> None:
        """Open the plots below the canvas with the workspace."""
        self.viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Plots")
        # Once the plots have found their place.
        self._widen.start()

    def _take_width(self) -> None:
        widen(self, WIDTH)

    def _show_line(self, track: Any) -> None:
        if self._line is not None:
            self._line.hide()
            self._line.deleteLater()
            self._line = None
        if track is not None:
            self._line = track.line
            self._line.setContentsMargins(6, 4, 6, 2)
            self.layout().insertWidget(0, self._line)
            self._line.show()

    def _on_video(self, video: VideoEntry | None) -> None:
        if video is not None and self.page == "video":
            self.show_page("track")

    def _on_run(self, run: RunEntry | None) -> None:
        before, self._run_path = self._run_path, None if run is None else run.path
        # A run that was opened is there to be looked into. One that grows belongs to the tracking that goes on, also
        # when it has just stopped growing: then its entry in the list is another, but not its folder.
        if run is not None and not run.live and run.path != before and self.page in ("video", "track"):
            self.show_page("look")
