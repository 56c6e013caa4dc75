"""The workspace: one dock that leads from a video to maps and plots, and holds one panel of each kind."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QTabWidget

from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.panels.workspace import PAGES, Workspace
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.gui.tabs import dock_of, menu_entries

PLUGIN = "napari-sam2-probe"


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    yield viewer
    state_of(viewer).jobs.close()


@pytest.fixture
def workspace(viewer, qtbot):
    _, workspace = viewer.window.add_plugin_dock_widget(PLUGIN, "Workspace")
    qtbot.waitUntil(lambda: "features" in state_of(viewer).panels)
    return workspace


def add_video(viewer, name="video", frames=4):
    return viewer.add_image(np.full((frames, 48, 64), 90, np.uint8), name=name)


def line_of(workspace):
    (line,) = [label for label in workspace.findChildren(QLabel, "next_step") if label.isVisible()]
    return line.text()


def points_layers(viewer):
    return [layer for layer in viewer.layers if layer.name.startswith("points")]


def panels_named(viewer, name):
    return [panel for panel in viewer.window._qt_window.findChildren(Panel, name) if panel.state.panels.get(name)]


def test_it_is_the_first_widget_of_the_plugin_and_opens_the_plots_below(viewer, workspace, qtbot):
    # `napari -w napari-sam2-probe` opens the first.
    _, first = viewer.window.add_plugin_dock_widget(PLUGIN)
    assert first is workspace
    window = viewer.window._qt_window
    plots = state_of(viewer).panels["plots"]
    area = Qt.DockWidgetArea.BottomDockWidgetArea
    qtbot.waitUntil(lambda: window.dockWidgetArea(dock_of(plots)) == area)
    qtbot.waitUntil(lambda: dock_of(workspace).width() >= 370)
    assert (window.width(), window.height()) == (1280, 800)
    assert window.corner(Qt.Corner.BottomRightCorner) == Qt.DockWidgetArea.RightDockWidgetArea


def test_titles_of_all_pages_can_be_read(workspace, qtbot):
    qtbot.waitUntil(lambda: workspace.width() >= 370)
    bar = workspace.findChild(QTabWidget, "pages").tabBar()
    assert [bar.tabText(k) for k in range(bar.count())] == [kind.title for kind in PAGES]
    for k in range(bar.count()):
        assert bar.tabRect(k).width() >= bar.fontMetrics().horizontalAdvance(bar.tabText(k))
    assert bar.tabRect(bar.count() - 1).right() <= bar.width()


def test_it_leads_from_the_video_to_tracking_and_from_a_run_to_its_maps(viewer, workspace, maker):
    assert workspace.page == "video"
    assert line_of(workspace) == "Open a video: drop it on the window."
    add_video(viewer)
    assert workspace.page == "track"
    assert line_of(workspace).startswith("Click the object.")
    state = state_of(viewer)
    state.add_run(RunEntry(maker.run(), "run"))
    assert workspace.page == "look"
    # The line stays, whatever page is in front.
    assert line_of(workspace).startswith("Click the object.")
    # What the user has chosen stays in front.
    workspace.show_page("export")
    add_video(viewer, "other")
    state.add_run(RunEntry(maker.run("second"), "second"))
    assert workspace.page == "export"


def test_a_run_that_grows_does_not_take_the_user_away_from_tracking(viewer, workspace, maker):
    add_video(viewer)
    state_of(viewer).add_run(RunEntry(maker.run(), "run", live=True))
    assert workspace.page == "track"


def test_a_run_that_stops_growing_does_not_take_the_user_away_either(viewer, workspace, maker):
    add_video(viewer)
    state, path = state_of(viewer), maker.run()
    state.add_run(RunEntry(path, "run", live=True))
    # As when another model is chosen: the run is closed, and is from now on like any other.
    state.add_run(RunEntry(path, "run"))
    assert not state.current_run.live
    assert workspace.page == "track"
    state.add_run(RunEntry(maker.run("second"), "second"))
    assert workspace.page == "look"


def test_clicks_are_prompts_while_track_is_in_front_only(viewer, workspace, qtbot):
    add_video(viewer)
    clicks = workspace.panel("track").clicks
    qtbot.waitUntil(lambda: clicks.in_front)
    workspace.show_page("look")
    qtbot.waitUntil(lambda: not clicks.in_front)
    workspace.show_page("track")
    qtbot.waitUntil(lambda: clicks.in_front)


def test_clicks_are_no_prompts_when_the_workspace_comes_back_with_another_page(viewer, workspace, qtbot):
    add_video(viewer)
    clicks = workspace.panel("track").clicks
    qtbot.waitUntil(lambda: clicks.in_front)
    workspace.show_page("look")
    other, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Experiments")
    qtbot.waitUntil(lambda: other in workspace.window().tabifiedDockWidgets(dock_of(workspace)))
    with qtbot.waitSignal(dock_of(workspace).visibilityChanged):
        dock_of(workspace).raise_()
    assert not clicks.in_front
    workspace.show_page("track")
    assert clicks.in_front


def test_a_dock_has_a_short_title_also_out_of_the_window_and_back(viewer, qtbot):
    dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Runs")

    def titles():
        return {dock.windowTitle(), *(label.text() for label in dock.titleBarWidget().findChildren(QLabel))} - {""}

    qtbot.waitUntil(lambda: titles() == {"Runs"})
    for floats in (True, False):
        dock.setFloating(floats)
        qtbot.waitUntil(lambda: titles() == {"Runs"})
    # napari finds it by its long name all the same.
    assert viewer.window.add_plugin_dock_widget(PLUGIN, "Runs")[1] is panel


def test_a_panel_is_in_one_place_at_a_time(viewer, workspace, qtbot):
    state = state_of(viewer)
    add_video(viewer)
    here = weakref.ref(workspace.panel("track"))
    dock, apart = viewer.window.add_plugin_dock_widget(PLUGIN, "Track")
    assert state.panels["track"] is apart
    QApplication.processEvents()
    qtbot.waitUntil(lambda: gc.collect() is not None and here() is None)
    with pytest.raises(LookupError, match="track"):
        workspace.panel("track")
    # Its page tells where it is, and fetches it.
    workspace.show_page("track")
    (fetch,) = [button for button in workspace.findChildren(QPushButton, "fetch") if button.isVisible()]
    del dock, apart
    qtbot.mouseClick(fetch, Qt.MouseButton.LeftButton)
    track = workspace.panel("track")
    assert state.panels["track"] is track
    assert [panel for panel in panels_named(viewer, "track") if panel is not track] == []
    assert line_of(workspace).startswith("Click the object.")
    assert not fetch.isVisible()


def test_prompts_outlive_the_move_into_a_dock_of_its_own(viewer, workspace, qtbot):
    add_video(viewer)
    controller = workspace.panel("track").controller
    qtbot.waitUntil(lambda: len(points_layers(viewer)) == 1)
    points_layers(viewer)[0].add([0, 20, 20])
    qtbot.waitUntil(lambda: len(controller.prompts.states) == 1)
    _, apart = viewer.window.add_plugin_dock_widget(PLUGIN, "Track")
    assert list(apart.controller.prompts.states) == [(0, 1)]


def test_choosing_it_again_raises_it(viewer, workspace, qtbot):
    add_video(viewer)
    viewer.window.add_plugin_dock_widget(PLUGIN, "Experiments")
    qtbot.waitUntil(lambda: workspace.visibleRegion().isEmpty())
    (entry,) = menu_entries(viewer.window._qt_window, "workspace")
    entry.trigger()
    qtbot.waitUntil(lambda: not workspace.visibleRegion().isEmpty())


def test_it_goes_with_all_its_pages_and_comes_again(viewer, qtbot):
    dock, workspace = viewer.window.add_plugin_dock_widget(PLUGIN, "Workspace")
    state = state_of(viewer)
    qtbot.waitUntil(lambda: "features" in state.panels)
    for kind in PAGES:
        workspace.show_page(kind.name)
        QApplication.processEvents()
    viewer.window.remove_dock_widget(dock)
    del workspace, dock
    # Every page has ended: with its connections, its thread and its entry.
    qtbot.waitUntil(lambda: not {kind.name for kind in PAGES} & set(state.panels))
    left = [panel for panel in viewer.window._qt_window.findChildren(Panel) if panel.objectName() != "plots"]
    assert {panel.objectName() for panel in left} <= {"features", "pointers"}
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "Workspace")
    assert isinstance(again, Workspace)
    qtbot.waitUntil(lambda: again.panel("video").isVisible())
