"""Boxes decoded from pointers, and a decoder fitted beside the window, in the Pointers panel."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from helpers.clip_runs import CHANNELS, HEIGHT, NUM_FRAMES, WIDTH
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.decoder.fit import BoxDecoder
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE, find_decoder, install_decoder
from napari_sam2_probe.gui.boxes import rectangle
from napari_sam2_probe.gui.layers import DECODED_BOXES, METADATA_KEY
from napari_sam2_probe.gui.panels.box_row import WITHOUT_DECODER, WITHOUT_POINTERS
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.models.checkpoints import sample_checkpoint

FRAMES = 5


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "decoders"))
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Pointers")
    yield panel
    state_of(viewer).jobs.close()


def of_model(entry, checkpoint, sha256):
    """The run, as if it came from this model."""
    path = entry.path / "run.json"
    info = json.loads(path.read_text()) | {"model": {"checkpoint": checkpoint, "sha256": sha256}}
    path.write_text(json.dumps(info))
    return RunEntry(entry.path, entry.title)


def linear_decoder(sha256):
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 0.1, (CHANNELS, 4))
    ones = np.ones(CHANNELS)
    return BoxDecoder("mine", sha256, 0 * ones, ones, (weights,), (np.zeros(4),), np.full(4, 0.5), np.ones(4))


def press(panel, qtbot, name):
    qtbot.mouseClick(panel.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def decoded_layers(viewer):
    return [layer for layer in viewer.layers if layer.metadata.get(METADATA_KEY, {}).get("content") == DECODED_BOXES]


def test_decoded_boxes_are_a_layer_over_time(viewer, panel, clips, qtbot):
    entry = of_model(clips.run("interjection", object_ids=(1, 2)), "mine", "aa" * 32)
    state_of(viewer).add_run(entry)
    press(panel, qtbot, "decoded_boxes")
    qtbot.waitUntil(lambda: panel.findChild(QLabel, "decoder").text() == WITHOUT_DECODER, timeout=20_000)
    decoder = linear_decoder("aa" * 32)
    install_decoder(decoder)
    press(panel, qtbot, "decoded_boxes")
    qtbot.waitUntil(lambda: bool(decoded_layers(viewer)), timeout=20_000)
    (layer,) = decoded_layers(viewer)
    run = entry.open()
    expected = []
    for pointers in run.object_pointers[:]:
        edges = decoder.decode(pointers)
        expected += [rectangle(t, edges[t], HEIGHT, WIDTH) for t in range(NUM_FRAMES) if np.isfinite(edges[t]).all()]
    assert len(expected) == len(layer.data) > NUM_FRAMES
    np.testing.assert_allclose(np.stack(layer.data), np.stack(expected), atol=1e-4)
    assert set(layer.features["object_id"]) == {1, 2}
    assert panel.findChild(QLabel, "decoder").text() == ""


def test_it_is_said_that_there_is_nothing_to_decode_yet(viewer, panel, clips, qtbot):
    writer = clips.begin("clean")
    writer.finish()
    state = state_of(viewer)
    state.add_run(of_model(RunEntry(writer.path, "empty"), "mine", "aa" * 32))
    install_decoder(linear_decoder("aa" * 32))
    press(panel, qtbot, "decoded_boxes")
    said = panel.findChild(QLabel, "decoder")
    qtbot.waitUntil(lambda: said.text() == WITHOUT_POINTERS, timeout=20_000)
    assert decoded_layers(viewer) == []
    state.add_run(clips.run("interjection"))
    assert said.text() == ""


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    """Two sample videos with few frames."""
    root = tmp_path_factory.mktemp("small")
    for name in ("cat", "rocket"):
        for part, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            folder = root / part / "480p" / name
            folder.mkdir(parents=True)
            for t in range(FRAMES):
                file = f"{t:05d}.{suffix}"
                shutil.copy(sample_data_folder() / part / "480p" / name / file, folder / file)
    return root


@pytest.mark.slow
def test_a_decoder_is_fitted_beside_the_window(viewer, panel, clips, qtbot, small_set, one_thread):
    sha256 = sample_checkpoint().sha256
    entry = of_model(clips.run("clean"), "sample", sha256)
    state_of(viewer).add_run(entry)
    said, fit = panel.findChild(QLabel, "decoder"), panel.findChild(QPushButton, "fit_decoder")
    panel.boxes.fit_to(small_set)
    assert not fit.isEnabled()
    qtbot.waitUntil(panel.boxes.job.isVisible, timeout=20_000)
    press(panel.boxes.job, qtbot, "cancel")
    qtbot.waitUntil(fit.isEnabled, timeout=60_000)
    assert said.text().startswith("Cancelled")
    panel.boxes.fit_to(small_set)
    qtbot.waitUntil(fit.isEnabled, timeout=120_000)
    assert said.text().startswith("Decoder for sample: mean IoU")
    own = find_decoder(sha256)
    assert {*own.report.fitted_sequences, *own.report.held_out_sequences} == {"cat", "rocket"}


def test_an_untrained_model_has_no_decoder(viewer, panel, clips, qtbot, small_set):
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    state_of(viewer).add_run(of_model(clips.run("clean"), "nothing", None))
    panel.boxes.fit_to(small_set)
    qtbot.waitUntil(lambda: bool(notification_manager.records), timeout=20_000)
    assert "untrained" in str(notification_manager.records[-1].message)
    notification_manager.records.clear()
    qtbot.waitUntil(lambda: not panel.boxes.job.busy, timeout=20_000)
    panel.boxes.fit_to(small_set / "nowhere")
    assert "no folder" in panel.findChild(QLabel, "decoder").text()
