"""The panel of experiments, driven as a user drives it, with the sample model."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QListWidget, QPushButton, QSpinBox

from helpers.hands import choose_corruption
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.experiments.config import make_config, write_config
from napari_sam2_probe.experiments.results import open_experiment
from napari_sam2_probe.gui.experiments import ExperimentShown, frame_points
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.panels.experiments import ExperimentsPanel
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.state import state_of

LENGTHS = (3, 2, 3)


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Experiments")
    assert isinstance(panel, ExperimentsPanel)
    viewer.window._qt_window.resize(1280, 800)
    yield panel
    state_of(viewer).jobs.close()


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """Three of the sample videos, which are measured sooner than eight."""
    root = tmp_path_factory.mktemp("davis")
    for name in ("cat", "coins", "horse"):
        for part in ("JPEGImages", "Annotations"):
            shutil.copytree(sample_data_folder() / part / "480p" / name, root / part / "480p" / name)
    return root


@pytest.fixture(scope="module")
def begun(davis, tmp_path_factory):
    """An experiment that has nothing but its configuration."""
    folder = tmp_path_factory.mktemp("small") / "experiment"
    folder.mkdir()
    model = {"checkpoint": "sample", "device": "cpu"}
    kinds = ("clean", "interjection")
    config = make_config(davis=str(davis), kinds=kinds, samples=2, lengths=LENGTHS, seed=1, batch_size=1, model=model)
    write_config(folder / "experiment.toml", config)
    return folder


def press(panel, qtbot, name):
    button = panel.findChild(QPushButton, name)
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def said(panel):
    return panel.findChild(QLabel, "said").text()


@pytest.mark.slow
def test_an_experiment_is_gone_on_with_and_looked_at(viewer, panel, qtbot, begun):
    assert not panel.start.isEnabled()
    panel.form.folder.setText(str(begun))
    assert panel.start.text() == "Go on"
    assert not panel.form.samples.isEnabled()
    press(panel, qtbot, "start")
    assert panel.job.isVisible()
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=180_000)
    assert said(panel) == "Finished."
    results = open_experiment(begun)
    assert results.complete
    assert panel.form.config().kinds == results.config.kinds
    assert panel.form.samples.value() == 2

    panel.tabs.setCurrentIndex(1)
    plot = panel.findChild(PlotView, "points")
    qtbot.waitUntil(lambda: plot.charts and "finished" in panel.findChild(QLabel, "about").text(), timeout=30_000)
    panel.kind.setCurrentIndex(panel.kind.findData("interjection"))
    with qtbot.waitSignal(plot.drawn, timeout=30_000):
        panel.kind.activated.emit(panel.kind.currentIndex())
    assert "AUROC" in panel.findChild(QLabel, "told").text()
    points = panel._points
    assert points.absent.sum() == 2 * LENGTHS[1]

    # A click on the outermost point opens its clip at its frame.
    index = int(np.argmax(points.x))
    at = plot.areas[0].to_pixels(*points.points[index])
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPointF(*at).toPoint())
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=30_000)
    clip, frame = str(points.clips[index]), int(points.frames[index])
    assert viewer.layers[0].name == clip
    assert viewer.dims.current_step[0] == frame
    np.testing.assert_array_equal(viewer.layers[2].data == 1, results.masks("interjection", clip))
    np.testing.assert_array_equal(np.asarray(viewer.layers[1].data[0]), results.sequence("interjection", clip).mask(0))
    known = viewer.layers[0].metadata[METADATA_KEY]["video"].truth
    assert (~known.object_present).sum() == LENGTHS[1]
    assert state_of(viewer).video.video.truth is known
    # By this the window tells what lies over which video.
    abouts = [layer.metadata[METADATA_KEY] for layer in viewer.layers]
    assert abouts[1]["frames"] is abouts[2]["frames"] is abouts[0]["video"]

    # From the list too; what was open before goes.
    clips = panel.findChild(QListWidget, "clips")
    other = next(name for name in results.clips("interjection") if name != clip)
    clips.setCurrentRow(results.clips("interjection").index(other))
    clips.itemActivated.emit(clips.currentItem())
    qtbot.waitUntil(lambda: viewer.layers[0].name == other and len(viewer.layers) == 3, timeout=30_000)


def test_one_is_started_and_stopped(panel, qtbot, davis, tmp_path):
    panel.form.davis.setText(str(davis))
    panel.form.samples.setValue(3)
    panel.form.folder.setText(str(tmp_path / "new"))
    assert panel.start.text() == "Start"
    press(panel, qtbot, "start")
    qtbot.waitUntil(lambda: (tmp_path / "new" / "plan.json").is_file(), timeout=120_000)
    press(panel.job, qtbot, "cancel")
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=120_000)
    assert said(panel).startswith("Stopped")
    assert panel.start.text() == "Go on"
    assert not open_experiment(tmp_path / "new").complete


def test_what_is_said_is_of_the_folder_that_is_named(panel, qtbot, tmp_path, monkeypatch):
    errors = []
    monkeypatch.setattr("napari.utils.notifications.show_error", errors.append)
    panel.form.davis.setText(str(tmp_path / "gone"))
    panel.form.folder.setText(str(tmp_path / "new"))
    press(panel, qtbot, "start")
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=60_000)
    assert "gone" in errors[0]
    assert said(panel) == "Nothing was begun."
    panel.form.folder.setText(str(tmp_path / "other"))
    assert said(panel) == ""


def test_lengths_and_options_are_chosen(panel, qtbot):
    form = panel.form
    assert not form.findChild(QComboBox, "option_similarity").isVisible()
    actions = {action.text(): action for action in form.kinds.menu().actions()}
    actions["three-object"].trigger()
    actions["context-removal"].trigger()
    assert form.findChild(QComboBox, "option_similarity").isVisible()
    assert not form.findChild(QComboBox, "option_fill").isVisible()
    form.findChild(QComboBox, "option_similarity").setCurrentText("copies")
    for name, frames in zip(("prefix", "interjection", "suffix"), (5, 1, 2), strict=True):
        field = form.findChild(QSpinBox, name)
        field.selectAll()
        qtbot.keyClicks(field, str(frames))
    config = form.config()
    assert config.lengths == (5, 1, 2)
    assert config.options["three-object"] == {"similarity": "copies"}
    assert "context-removal" not in config.options
    other = make_config(
        davis="x", kinds=("context-removal",), lengths=LENGTHS, options={"context-removal": {"fill": "blur"}}
    )
    form.show_config(other)
    assert form.findChild(QComboBox, "option_fill").currentText() == "blur"
    assert form.config().lengths == LENGTHS
    assert form.config().options == other.options


def test_extras_are_chosen_in_turn(panel, qtbot):
    form = panel.form
    assert form.corruptions.button.text() == "none"
    assert form.config().then == ()
    choose_corruption(qtbot, panel.form.corruptions, "low-light")
    choose_corruption(qtbot, panel.form.corruptions, "gaussian-noise")
    choose_corruption(qtbot, panel.form.corruptions, "mosaic")
    about = form.findChild(QLabel, "about_corruptions")
    assert form.corruptions.button.text() == "low-light and 2 more"
    assert about.text() == "First low-light, then gaussian-noise, then mosaic."
    light = form.findChild(QDoubleSpinBox, "option_light")
    light.selectAll()
    qtbot.keyClicks(light, "0.001")
    assert form.config().then == ("low-light:light=0.001,photons=2000.0", "gaussian-noise:sigma=15.0", "mosaic")
    choose_corruption(qtbot, panel.form.corruptions, "low-light")
    assert form.config().then == ("gaussian-noise:sigma=15.0", "mosaic")
    assert form.corruptions.button.text() == "gaussian-noise, mosaic"
    qtbot.waitUntil(lambda: form.findChild(QDoubleSpinBox, "option_light") is None)
    for widget in (form.corruptions.button, form.findChild(QDoubleSpinBox, "option_sigma")):
        assert widget.isVisible()
        assert widget.toolTip()


def test_an_extra_that_cannot_be_used_is_refused_at_once(panel, qtbot):
    form = panel.form
    action = choose_corruption(qtbot, panel.form.corruptions, "frame-drop")
    about = form.findChild(QLabel, "about_corruptions")
    assert about.isVisible()
    assert about.text() == "No frame-drop here: it gives clips of several lengths."
    assert not action.isChecked()
    assert form.config().then == ()
    choose_corruption(qtbot, panel.form.corruptions, "mosaic")
    assert not about.text()
    assert form.config().then == ("mosaic",)


def test_extras_of_an_experiment_that_is_there_are_shown_and_fixed(panel, qtbot, tmp_path):
    then = ("low-light:light=0.05", "gaussian-noise:sigma=20", "gaussian-noise:sigma=3")
    config = make_config(davis="x", then=then, model={"checkpoint": "sample"})
    write_config(tmp_path / "experiment.toml", config)
    panel.form.folder.setText(str(tmp_path))
    qtbot.waitUntil(lambda: panel.form.corruptions.button.text() == "low-light and 2 more", timeout=30_000)
    assert panel.form.config().then == config.then
    assert not panel.form.corruptions.button.isEnabled()
    fields = panel.form.findChildren(QDoubleSpinBox)
    assert sorted(field.value() for field in fields) == [0.05, 3, 20, 2000]
    assert not any(field.isEnabled() for field in fields)
    assert panel.start.text() == "Go on"


def test_the_sample_model_is_said_to_be_for_trying(panel):
    about = panel.findChild(QLabel, "about_model")
    panel.form.model.setCurrentIndex(panel.form.model.findData("sample"))
    assert about.isVisible()
    assert "official" in about.text()
    panel.form.show_config(make_config(davis="x", model={"checkpoint": "/elsewhere/own.pt"}))
    assert not about.isVisible()


def test_what_cannot_be_made_is_said(panel, qtbot, tmp_path):
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    panel.form.davis.setText(str(tmp_path / "nowhere"))
    panel.form.folder.setText(str(tmp_path / "new"))
    press(panel, qtbot, "start")
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=120_000)
    assert "nowhere" in str(notification_manager.records[-1].message)
    notification_manager.records.clear()
    assert not (tmp_path / "new").exists()


def test_points_are_finite_frames_of_a_kind_and_position(tmp_path):
    import pandas as pd

    table = pd.DataFrame(
        {
            "kind": ["clean", "clean", "interjection", "clean"],
            "clip": ["a", "a", "b", "a"],
            "frame": [1, 2, 3, 4],
            "position": ["1", "1", "1", "2"],
            "object_present": [True, False, True, True],
            "short_term_l2": [10.0, 100.0, 1.0, 1.0],
            "long_term_l2": [1.0, np.nan, 1.0, 1.0],
            "short_term_ratio": [1.0, 10.0, 1.0, 1.0],
        }
    )
    shown = ExperimentShown(tmp_path, make_config(davis="x"), "x", 1, 1, {"clean": ["a"]}, ("1", "2"), table)
    points = frame_points(shown, "clean", "1", ("short_term_l2", "short_term_ratio"))
    np.testing.assert_allclose(points.points, [[10, 1], [100, 10]])
    assert points.absent.tolist() == [False, True]
    assert points.frames.tolist() == [1, 2]
    assert frame_points(shown, "clean", "1", ("short_term_l2", "long_term_l2")).frames.tolist() == [1]
