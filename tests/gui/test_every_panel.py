"""What holds for every panel: it opens from the menu, explains itself, is reached by keys, and goes without a trace."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QListWidget,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_sam2_probe.gui.panels.panel import Panel
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tabs import dock_of, menu_entries

PLUGIN = "napari-sam2-probe"
BELOW = {"Plots", "Features over time"}
"""Docks that move below the canvas."""
CONTROLS = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox, QLineEdit, QListWidget)
WHOLE = (QAbstractSpinBox, QComboBox, QLineEdit, QTabBar)


def panels():
    """All but the small forms of functions."""
    contributions = PluginManifest.from_distribution(PLUGIN).contributions
    forms = {command.id for command in contributions.commands if command.python_name.endswith("_form")}
    return [widget.display_name for widget in contributions.widgets if widget.command not in forms]


def controls(panel):
    """What a person can use, without what is itself a part of that: arrows, a button that clears."""
    found = {widget for kind in CONTROLS for widget in panel.findChildren(kind) if not isinstance(widget, QScrollBar)}
    return [w for w in found if not isinstance(w.parent(), WHOLE)]


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    yield viewer
    state_of(viewer).jobs.close()


@pytest.mark.parametrize("name", panels())
def test_it_opens_from_the_menu_and_explains_itself(viewer, name):
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    QApplication.processEvents()
    used = controls(panel)
    assert used
    assert [w.objectName() or w for w in used if not w.toolTip()] == []
    assert [w.objectName() or w for w in used if not w.focusPolicy() & Qt.FocusPolicy.TabFocus] == []


def test_panels_that_are_opened_one_after_the_other_are_tabs_and_fit_the_window(viewer, qtbot):
    window = viewer.window._qt_window
    window.resize(1280, 800)
    docks = {}
    for name in panels():
        docks[name], panel = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        qtbot.waitUntil(panel.isVisible)
        qtbot.wait(20)
    right = [dock for dock in docks.values() if window.dockWidgetArea(dock) == Qt.DockWidgetArea.RightDockWidgetArea]
    assert len(right) == len(docks) - len(BELOW)
    assert len(window.tabifiedDockWidgets(right[0])) == len(right) - 1
    assert not right[-1].visibleRegion().isEmpty()
    assert (window.width(), window.height()) == (1280, 800)
    # One that the user takes out stays out.
    docks["Video"].setFloating(True)
    docks["Video"].hide()
    docks["Video"].show()
    qtbot.wait(20)
    assert docks["Video"].isFloating()


def test_a_panel_that_is_open_is_raised_from_the_menu_and_not_closed(viewer, qtbot):
    window = viewer.window._qt_window
    for name in ("video", "track", "track", "runs", "video", "track"):
        (entry,) = menu_entries(window, name)
        entry.trigger()
        qtbot.waitUntil(lambda name=name: seen_panels(window) == [name], timeout=20_000)
    # One that was put away comes back.
    dock_of(window.findChild(QWidget, "track")).hide()
    qtbot.waitUntil(lambda: seen_panels(window) != ["track"], timeout=20_000)
    menu_entries(window, "track")[0].trigger()
    qtbot.waitUntil(lambda: seen_panels(window) == ["track"], timeout=20_000)


def seen_panels(window):
    return [panel.objectName() for panel in window.findChildren(Panel) if not panel.visibleRegion().isEmpty()]


def test_titles_of_all_tabs_can_be_read(viewer, qtbot):
    window = viewer.window._qt_window
    window.resize(1280, 800)
    for name in panels():
        _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        qtbot.waitUntil(panel.isVisible)
        qtbot.wait(20)
    bars = [bar for bar in window.findChildren(QTabBar) if bar.parent() is window and bar.count() > 1]
    assert sorted(bar.tabText(k) for bar in bars for k in range(bar.count())) == sorted(panels())
    for bar in bars:
        for k in range(bar.count()):
            assert bar.tabRect(k).width() >= bar.fontMetrics().horizontalAdvance(bar.tabText(k))


@pytest.mark.slow
def test_all_panels_at_once_go_without_a_trace(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    before = {thread.ident for thread in threading.enumerate()}
    made = [viewer.window.add_plugin_dock_widget(PLUGIN, name) for name in panels()]
    for _ in range(5):
        QApplication.processEvents()
    gone = [weakref.ref(panel) for _, panel in made]
    for dock, _ in made:
        viewer.window.remove_dock_widget(dock)
    del made, dock
    viewer.close()
    for _ in range(5):
        QApplication.processEvents()
    gc.collect()
    qtbot.waitUntil(lambda: not [t for t in threading.enumerate() if "sam2-probe" in t.name], timeout=20_000)
    assert {thread.ident for thread in threading.enumerate() if "sam2-probe" in thread.name} <= before
    # PySide keeps the Python half of a panel that has a slot on something without a Qt parent.
    qtbot.waitUntil(lambda: gc.collect() is not None and not any(ref() is not None for ref in gone), timeout=20_000)
