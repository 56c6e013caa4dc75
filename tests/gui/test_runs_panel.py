"""The Runs panel, driven as a user drives it."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import platformdirs
import pytest
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QPushButton

from napari_sam2_probe.gui.panels.runs import SHOWN, RunsPanel
from napari_sam2_probe.gui.run_thumbnails import run_thumbnail
from napari_sam2_probe.gui.sequence_previews import THUMBNAIL_SIZE
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.live.run_folders import add_run_folder, run_folders
from napari_sam2_probe.runs import is_run, open_run


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch):
    """Runs and lists of folders of the test, not of whoever runs it."""
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "user data")
    return tmp_path / "user data"


@pytest.fixture
def runs(own_data, maker):
    """Three runs on disk, b later than a, c without a date."""
    video = maker.video()
    paths = {}
    for name in ("a", "b", "c"):
        path = maker.run(str(own_data / "runs" / name), video=video)
        info = json.loads((path / "run.json").read_text())
        info["video"] |= {"name": "square", "num_frames": 6}
        if name != "c":
            info |= {
                "times": {"started": f"2024-05-0{1 + (name == 'b')}T10:00:00+00:00"},
                "model": {"checkpoint": "tiny"},
            }
        if name == "b":
            info |= {"finished": False, "known": {"recipe": {"kind": "obscuration"}}}
        (path / "run.json").write_text(json.dumps(info))
        paths[name] = path
    return paths


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def panel(runs, viewer, qtbot):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Runs")
    assert isinstance(panel, RunsPanel)
    qtbot.waitUntil(lambda: panel.list.count() == 3)
    return panel


def texts(panel):
    return [panel.list.item(row).text() for row in range(panel.list.count())]


def select(panel, *rows):
    panel.list.clearSelection()
    for row in rows:
        panel.list.item(row).setSelected(True)


def press(panel, qtbot, name):
    button = panel.findChild(QPushButton, name)
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_runs_are_listed_latest_first_with_what_tells_them_apart(panel):
    assert texts(panel) == [
        "b\nsquare · obscuration · 6 frames · tiny\n2024-05-02 10:00 · unfinished",
        "a\nsquare · 6 frames · tiny\n2024-05-01 10:00",
        "c\nsquare · 6 frames",
    ]


def test_each_run_has_a_small_picture_with_its_masks(panel, runs, maker, qtbot):
    qtbot.waitUntil(lambda: not panel.background.busy)
    picture = run_thumbnail(runs["a"])
    assert picture.shape == (THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3)
    # The square of the third of five tracked frames, tinted; the video is wider than the picture.
    inside = picture[15 + 9, 22]
    assert inside.max() - inside.min() > 50
    assert np.ptp(picture[15 + 2, 60]) == 0
    for row in range(3):
        shown = panel.list.item(row).icon().pixmap(*THUMBNAIL_SIZE).toImage()
        colour = shown.pixelColor(22, 15 + 9)
        assert (colour.red(), colour.green(), colour.blue()) == pytest.approx(inside.tolist(), abs=2)
    # Without its video, on grey.
    shutil.rmtree(maker.folder / "videos")
    assert set(map(tuple, run_thumbnail(runs["a"])[20:22, 60:90].reshape(-1, 3))) == {(64, 64, 64)}
    shutil.rmtree(runs["a"])
    assert run_thumbnail(runs["a"]) is None


def test_a_run_opens_as_layers_by_keyboard_once(panel, viewer, runs, qtbot):
    select(panel, 1)
    panel.list.setCurrentRow(1)
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: state_of(viewer).current_run is not None, timeout=15000)
    number = len(viewer.layers)
    assert viewer.layers[0].name == "video · a"
    assert viewer.layers[-1].name == "masks · a"
    assert state_of(viewer).current_run.path == runs["a"]
    assert [row for row in range(3) if panel.list.item(row).text().endswith(SHOWN)] == [1]
    qtbot.waitUntil(lambda: not panel.background.busy)
    press(panel, qtbot, "open")
    qtbot.waitUntil(lambda: not panel.background.busy)
    assert len(viewer.layers) == number
    assert len(state_of(viewer).runs) == 1


def test_two_runs_are_compared(panel, viewer, runs, qtbot):
    heard = []
    state_of(viewer).compared_runs_changed.connect(heard.append)
    select(panel, 0, 2)
    press(panel, qtbot, "compare")
    assert [entry.path for entry in heard[-1]] == [runs["b"], runs["c"]]
    assert state_of(viewer).current_run.path == runs["b"]
    assert len(viewer.layers) == 0


def test_a_renamed_run_keeps_its_place_in_the_comparison(panel, viewer, runs, qtbot, monkeypatch):
    select(panel, 0, 2)
    press(panel, qtbot, "compare")
    qtbot.waitUntil(lambda: not panel.background.busy)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Another title", True))
    select(panel, 0)
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_F2)
    qtbot.waitUntil(lambda: texts(panel)[0].startswith("Another title\n"))
    assert [entry.title for entry in state_of(viewer).compared_runs] == ["Another title", "c"]
    assert open_run(runs["b"]).info["title"] == "Another title"


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_deleting_asks_and_takes_layers_and_entry_along(panel, viewer, runs, qtbot, monkeypatch, answer):
    asked = []

    def question(*arguments):
        asked.append(arguments[2])
        return QMessageBox.StandardButton[answer]

    monkeypatch.setattr(QMessageBox, "question", question)
    select(panel, 2)
    press(panel, qtbot, "open")
    qtbot.waitUntil(lambda: state_of(viewer).current_run is not None, timeout=15000)
    qtbot.waitUntil(lambda: not panel.background.busy)
    select(panel, 2)
    press(panel, qtbot, "delete")
    assert "“c”" in asked[0]
    if answer == "No":
        assert is_run(runs["c"])
        assert len(viewer.layers) > 2
        return
    qtbot.waitUntil(lambda: panel.list.count() == 2)
    assert not runs["c"].exists()
    assert len(viewer.layers) == 0
    assert state_of(viewer).runs == ()
    assert is_run(runs["a"])


def test_a_growing_run_can_be_opened_but_neither_renamed_nor_deleted(panel, viewer, runs, qtbot):
    state_of(viewer).add_run(RunEntry(runs["b"], "b", live=True))
    qtbot.waitUntil(lambda: "recording" in texts(panel)[0])
    select(panel, 0)
    enabled = {button.objectName() for button in panel.findChildren(QPushButton) if button.isEnabled()}
    assert enabled == {"open", "reveal", "add_folder"}


def test_what_is_asked_for_in_quick_succession_is_all_done(panel, runs, qtbot, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    titles = iter(("new b", " new  a "))
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: (next(titles), True))
    hold = threading.Event()
    panel.background.submit("slow", hold.wait, lambda _: None)
    for row in (0, 1):
        select(panel, row)
        press(panel, qtbot, "rename")
    for row in (2, 1):
        select(panel, row)
        press(panel, qtbot, "delete")
    hold.set()
    qtbot.waitUntil(lambda: panel.list.count() == 1 and not panel.background.busy)
    assert texts(panel)[0].startswith("new b\n")
    assert not runs["a"].exists()
    assert not runs["c"].exists()


def test_a_run_that_can_t_be_read_holds_up_no_other(panel, viewer, runs, qtbot, said):
    (runs["a"] / "features.csv").write_text("torn")
    select(panel, 0, 1, 2)
    press(panel, qtbot, "open")
    qtbot.waitUntil(lambda: {layer.name for layer in viewer.layers} >= {"masks · b", "masks · c"}, timeout=15000)
    qtbot.waitUntil(lambda: bool(said))
    assert len(said) == 1
    assert str(runs["a"]) in said[0]
    assert not any(layer.name.endswith("· a") for layer in viewer.layers)


def test_the_keyboard_stays_where_it_is_when_runs_come_and_go(panel, maker, own_data, qtbot, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    panel.list.setCurrentRow(1)
    maker.run(str(own_data / "runs" / "0 first by path, without a date"))
    panel.refresh()
    qtbot.waitUntil(lambda: panel.list.count() == 4)
    assert panel.list.currentItem().text().startswith("a\n")
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: panel.list.count() == 3)
    assert panel.list.currentRow() == 1
    assert panel.list.selectedItems() == []


def test_a_run_whose_folder_is_gone_is_forgotten(panel, viewer, runs, qtbot):
    state = state_of(viewer)
    select(panel, 0, 1)
    press(panel, qtbot, "compare")
    live = state.add_run(RunEntry(runs["a"].parent / "about to begin", "live", live=True), make_current=False)
    shutil.rmtree(runs["b"])
    panel.refresh()
    qtbot.waitUntil(lambda: panel.list.count() == 2 and not panel.background.busy)
    assert [entry.path for entry in state.runs] == [runs["a"], live.path]
    assert [entry.path for entry in state.compared_runs] == [runs["a"]]


@pytest.fixture
def said(monkeypatch):
    """What notifications say."""
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    monkeypatch.setattr("napari.utils.notifications.show_info", said.append)
    return said


@pytest.fixture
def opened(monkeypatch):
    """What the file manager is asked for."""
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url) or True)
    return opened


def test_a_folder_is_revealed(panel, runs, qtbot, said, opened):
    select(panel, 1)
    press(panel, qtbot, "reveal")
    assert [url.toLocalFile() for url in opened] == [str(runs["a"])]
    assert said == []


def test_a_run_known_by_a_relative_path_is_revealed_by_its_whole_one(panel, viewer, maker, qtbot, monkeypatch, opened):
    path = maker.run("out/80 % of #1 · ü")
    monkeypatch.chdir(path.parent)
    viewer.open(path.name, plugin="napari-sam2-probe")
    qtbot.waitUntil(lambda: panel.list.count() == 4)
    select(panel, next(row for row, text in enumerate(texts(panel)) if text.startswith("80 %")))
    press(panel, qtbot, "reveal")
    assert opened[0].toLocalFile() == str(path)
    assert "%23" in opened[0].toString(QUrl.ComponentFormattingOption.FullyEncoded)


def test_it_is_said_that_nothing_can_be_revealed(panel, runs, qtbot, monkeypatch, said):
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _: False)
    select(panel, 1)
    press(panel, qtbot, "reveal")
    assert said == [f"No file manager could be started: the run is in {runs['a']}."]
    shutil.rmtree(runs["b"])
    select(panel, 0)
    press(panel, qtbot, "reveal")
    assert said[1:] == [f"The run's folder is gone: {runs['b']}"]
    qtbot.waitUntil(lambda: panel.list.count() == 2)


def add_folder(panel, qtbot, monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
    press(panel, qtbot, "add_folder")
    qtbot.waitUntil(lambda: not panel.background.busy)


def test_another_folder_is_listed_in_later_sessions_too(panel, maker, qtbot, monkeypatch, said):
    maker.run("elsewhere/mine")
    folder = maker.folder / "elsewhere"
    add_folder(panel, qtbot, monkeypatch, folder)
    assert panel.list.count() == 4
    assert run_folders()[1:] == [folder]
    add_run_folder(folder)
    assert run_folders()[1:] == [folder]
    assert said == []


def test_a_folder_without_runs_is_said_to_have_none(panel, maker, qtbot, monkeypatch, said):
    folder = maker.folder / "empty"
    folder.mkdir()
    add_folder(panel, qtbot, monkeypatch, folder)
    assert said == [f"No runs yet in {folder}; they are listed here as soon as there are some."]
    assert run_folders()[1:] == [folder]
    add_folder(panel, qtbot, monkeypatch, "")
    assert panel.list.count() == 3
    assert len(said) == 1


def test_a_list_of_folders_that_can_t_be_written_is_told(panel, own_data, maker, qtbot, monkeypatch, said):
    (own_data / "run-folders.json").mkdir()
    add_folder(panel, qtbot, monkeypatch, maker.folder)
    assert len(said) == 1
    assert str(own_data / "run-folders.json") in said[0]
    assert panel.list.count() == 3


def test_a_run_that_was_dropped_on_the_viewer_is_listed(panel, viewer, maker, qtbot):
    path = maker.run("dropped")
    viewer.open(str(path), plugin="napari-sam2-probe")
    qtbot.waitUntil(lambda: panel.list.count() == 4)
    assert any(text.startswith("dropped") for text in texts(panel))


def test_a_damaged_list_of_folders_is_no_list(own_data):
    own_data.mkdir(exist_ok=True)
    (own_data / "run-folders.json").write_text("{torn")
    assert run_folders() == [own_data / "runs"]
