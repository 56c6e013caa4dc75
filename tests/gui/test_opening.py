"""Opening videos: the preferred reader, the sign that something goes on, and the folder where a dialog begins."""

import threading
from pathlib import Path

import numpy as np
import pytest
from napari.settings import get_settings
from npe2 import PluginManifest
from qtpy.QtCore import QSettings, Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel

import napari_sam2_probe
from napari_sam2_probe.gui.contrib import readers
from napari_sam2_probe.gui.contrib.preference import PLUGIN, prefer_own_reader
from napari_sam2_probe.gui.last_folder import ask_file, ask_folder, last_folder
from napari_sam2_probe.gui.panels.video import VideoPanel
from napari_sam2_probe.video.file import VIDEO_SUFFIXES


@pytest.fixture
def settings_in(tmp_path):
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))


@pytest.fixture
def plugins(npe2pm):
    """This plugin and napari's own readers, and no other."""
    npe2pm.register(PluginManifest.from_file(Path(napari_sam2_probe.__file__).parent / "napari.yaml"))
    npe2pm.register(PluginManifest.from_distribution("napari"))
    return npe2pm


@pytest.fixture
def preferences():
    plugins = get_settings().plugins
    before, plugins.extension2reader = plugins.extension2reader, {}
    yield plugins
    plugins.extension2reader = before


def test_videos_are_ours_where_nothing_was_chosen(plugins, preferences):
    preferences.extension2reader = {"*.mov": "napari"}
    new = prefer_own_reader()
    assert {pattern.lstrip("*") for pattern in new} <= VIDEO_SUFFIXES
    assert {"*.mp4", "*.avi", "*.mkv", "*.webm"} <= set(new)
    assert preferences.extension2reader["*.mov"] == "napari"
    assert preferences.extension2reader["*.avi"] == PLUGIN
    assert not any(pattern.endswith(("/", "png", "tif")) for pattern in new)
    assert prefer_own_reader() == ()


def test_a_third_reader_leaves_the_choice_to_the_user(plugins, preferences):
    other = {
        "name": "other-videos",
        "contributions": {
            "commands": [{"id": "other-videos.read", "title": "read", "python_name": "json:loads"}],
            "readers": [{"command": "other-videos.read", "filename_patterns": ["*.avi"]}],
        },
    }
    plugins.register(PluginManifest(**other))
    assert "*.avi" not in prefer_own_reader()
    assert preferences.extension2reader["*.mp4"] == PLUGIN


@pytest.mark.usefixtures("qapp", "settings_in")
def test_a_dialog_begins_where_the_last_of_its_kind_ended(tmp_path, monkeypatch):
    begun = []
    (tmp_path / "videos").mkdir()

    def choose(parent, title, folder, *names, **_):
        begun.append(folder)
        return str(tmp_path / "videos")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *about: (choose(*about) + "/a.mp4", ""))
    assert ask_folder(None, "Open", "data set") == str(tmp_path / "videos")
    assert ask_file(None, "Open", "video", "*.mp4") == str(tmp_path / "videos" / "a.mp4")
    ask_file(None, "Open", "video", "*.mp4")
    assert begun == ["", "", str(tmp_path / "videos")]
    assert last_folder("data set") == str(tmp_path / "videos")
    # Cancelled, the folder stays; gone, it is not offered.
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    assert ask_folder(None, "Open", "data set") == ""
    assert last_folder("data set") == str(tmp_path / "videos")
    (tmp_path / "videos").rmdir()
    assert last_folder("data set") == ""


def test_the_cursor_is_busy_while_a_dropped_video_is_read(qapp, monkeypatch):
    shapes = []

    def read(path):
        shapes.append(QApplication.overrideCursor().shape())
        raise ValueError(path)

    monkeypatch.setattr("napari_sam2_probe.gui.videos.read_video", read)
    with pytest.raises(ValueError, match=r"a\.mp4"):
        readers.read_videos("a.mp4")
    assert shapes == [Qt.CursorShape.WaitCursor]
    assert QApplication.overrideCursor() is None


@pytest.mark.usefixtures("settings_in")
def test_the_panel_says_that_a_video_is_being_opened(make_napari_viewer, qtbot, monkeypatch):
    viewer = make_napari_viewer()
    panel = VideoPanel(viewer)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: not panel.background.busy)
    about, go_on = panel.findChild(QLabel, "about"), threading.Event()
    before = about.text()

    def slow(path, split):
        go_on.wait(60)
        return np.zeros(3) / path

    monkeypatch.setattr("napari_sam2_probe.gui.panels.video._open", slow)
    panel.open_path("film.mp4")
    qtbot.waitUntil(lambda: about.text() == "Opening film.mp4…")
    assert panel.cursor().shape() == Qt.CursorShape.BusyCursor
    with qtbot.captureExceptions() as errors:
        go_on.set()
        qtbot.waitUntil(lambda: about.text() == before)
    assert [kind for kind, *_ in errors] == [TypeError]
    assert panel.cursor().shape() == Qt.CursorShape.ArrowCursor
