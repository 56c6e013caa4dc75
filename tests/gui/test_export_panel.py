"""The Export panel, driven as a user drives it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLabel, QMessageBox, QPushButton

from napari_sam2_probe.export.registry import EXPORTS
from napari_sam2_probe.gui.panels.export import TITLES, ExportPanel
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video import read_mask


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def panel(viewer, qtbot, tmp_path):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Export")
    assert isinstance(panel, ExportPanel)
    panel.folder.setText(str(tmp_path / "out"))
    yield panel
    state_of(viewer).jobs.close()


@pytest.fixture
def run(panel, viewer, maker):
    path = maker.run("film", object_ids=(3, 4))
    state_of(viewer).add_run(RunEntry(path, "My film"))
    return open_run(path)


def choose(panel, what, name):
    panel.what.setCurrentIndex(panel.what.findData(what))
    panel.format.setCurrentIndex(panel.format.findData(name))


def press_export(panel, qtbot):
    assert panel.export.isEnabled()
    qtbot.mouseClick(panel.export, Qt.MouseButton.LeftButton)


def said(panel):
    return panel.findChild(QLabel, "said").text()


def test_everything_that_can_be_exported_is_offered(panel, run):
    assert set(TITLES) == set(EXPORTS)
    for what, formats in EXPORTS.items():
        panel.what.setCurrentIndex(panel.what.findData(what))
        assert [panel.format.itemData(index) for index in range(panel.format.count())] == list(formats)


def test_without_a_run_it_says_so_and_with_one_it_suggests_a_name(panel, viewer, maker):
    assert not panel.export.isEnabled()
    assert said(panel).startswith("No run yet")
    state_of(viewer).add_run(RunEntry(maker.run("film"), "My film"))
    assert panel.export.isEnabled()
    assert said(panel) == ""
    assert panel.run.currentText() == "My film"
    choose(panel, "masks", "tiff")
    assert panel.name.text() == "film-masks.tif"
    choose(panel, "maps", "zarr")
    assert panel.name.text() == "film-maps.zarr"
    other = RunEntry(maker.run("second"), "Second")
    state_of(viewer).add_run(other)
    assert panel.run.currentData() is other
    assert panel.name.text() == "second-maps.zarr"


def test_masks_are_exported_as_davis(panel, run, qtbot, tmp_path):
    choose(panel, "masks", "davis")
    press_export(panel, qtbot)
    qtbot.waitUntil(lambda: said(panel).startswith("Written"))
    files = sorted((tmp_path / "out" / "film-masks").iterdir())
    assert len(files) == run.num_frames - 1
    np.testing.assert_array_equal(read_mask(files[2]), run.masks[2])
    assert panel.export.isEnabled()
    assert panel.job.isHidden()


def test_what_is_there_is_replaced_only_after_a_yes(panel, run, qtbot, tmp_path, monkeypatch):
    choose(panel, "boxes", "csv")
    out = tmp_path / "out" / "film-boxes.csv"
    out.parent.mkdir()
    out.write_text("mine")
    asked = []

    def answer(button):
        return lambda *arguments: asked.append(arguments[2]) or button

    monkeypatch.setattr(QMessageBox, "question", answer(QMessageBox.StandardButton.No))
    press_export(panel, qtbot)
    assert out.read_text() == "mine"
    assert str(out) in asked[0]
    monkeypatch.setattr(QMessageBox, "question", answer(QMessageBox.StandardButton.Yes))
    press_export(panel, qtbot)
    qtbot.waitUntil(lambda: said(panel).startswith("Written"))
    assert set(pd.read_csv(out)["object_id"]) == {3, 4}


def test_what_may_not_be_replaced_is_said_and_not_asked(panel, run, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: pytest.fail("was asked"))
    for what, name in (("maps", "zarr"), ("masks", "davis")):
        choose(panel, what, name)
        panel.target.mkdir(parents=True)
        (panel.target / "mine.txt").write_text("mine")
        press_export(panel, qtbot)
        assert said(panel).startswith(f"{panel.target} ")
        free = f", such as {panel.target.stem}-2{panel.target.suffix}" if what == "maps" else ""
        assert said(panel).endswith(f"choose another name{free}.")
        assert not panel.job.busy
        assert [file.name for file in panel.target.iterdir()] == ["mine.txt"]


def test_a_name_that_the_user_typed_stays_while_runs_come_and_end(panel, viewer, maker):
    state = state_of(viewer)
    state.add_run(RunEntry(maker.run("first"), "first"))
    live = state.add_run(RunEntry(maker.run("live"), "live", live=True))
    choose(panel, "features", "csv")
    panel.name.setText("table 1.csv")
    state.add_run(RunEntry(live.path, "live"))
    state.add_run(RunEntry(maker.run("third"), "third"), make_current=False)
    assert panel.run.currentText() == "live"
    assert panel.name.text() == "table 1.csv"
    state.current_run = state.runs[0]
    assert panel.name.text() == "first-features.csv"


def test_cancelling_leaves_nothing(panel, run, viewer, qtbot, tmp_path):
    choose(panel, "maps", "tiff")
    state = state_of(viewer)
    seen = []
    state.jobs.progressed.connect(lambda job, _: seen or (seen.append(job), state.jobs.pause(job)))
    press_export(panel, qtbot)
    assert not panel.export.isEnabled()
    qtbot.waitUntil(lambda: bool(seen))
    assert not panel.job.isHidden()
    assert "exporting maps" in panel.job.bar.format()
    qtbot.mouseClick(panel.findChild(QPushButton, "cancel"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.job.busy)
    assert said(panel).startswith("Cancelled")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_is_one_sentence_and_leaves_the_panel_usable(panel, run, qtbot, tmp_path, monkeypatch):
    errors = []
    monkeypatch.setattr("napari.utils.notifications.show_error", errors.append)
    choose(panel, "video", "mp4")
    press_export(panel, qtbot)
    qtbot.waitUntil(lambda: not panel.job.busy)
    assert len(errors) == 1
    assert "in no file" in errors[0]
    assert said(panel) == "Nothing was written."
    choose(panel, "masks", "tiff")
    press_export(panel, qtbot)
    qtbot.waitUntil(lambda: said(panel).startswith("Written"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "film-masks.tif"), run.masks[:])


def test_the_folder_can_be_browsed_to(panel, run, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "there"))
    qtbot.mouseClick(panel.findChild(QPushButton, "browse"), Qt.MouseButton.LeftButton)
    choose(panel, "masks", "coco")
    assert panel.target == tmp_path / "there" / "film-masks.json"


def test_a_run_that_is_forgotten_is_offered_no_more(panel, run, viewer):
    state = state_of(viewer)
    state.remove_run(state.current_run)
    assert panel.run.count() == 0
    assert not panel.export.isEnabled()


def test_closing_the_viewer_ends_the_export_and_leaves_nothing(panel, run, viewer, qtbot, tmp_path):
    choose(panel, "maps", "tiff")
    jobs = state_of(viewer).jobs
    seen = []
    jobs.progressed.connect(lambda job, _: seen or (seen.append(job), jobs.pause(job)))
    press_export(panel, qtbot)
    qtbot.waitUntil(lambda: bool(seen))
    viewer.close()
    assert jobs.running is None
    assert list((tmp_path / "out").iterdir()) == []
