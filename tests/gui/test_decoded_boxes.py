"""Boxes decoded from pointers, and a decoder fitted beside the window, in the Pointers panel."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from helpers.clip_runs import CHANNELS, HEIGHT, NUM_FRAMES, WIDTH, write_frame
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderReport
from napari_sam2_probe.decoder.library import FOLDER_VARIABLE, find_decoder, install_decoder
from napari_sam2_probe.gui.boxes import rectangle
from napari_sam2_probe.gui.decoded_layers import DASHES
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
    """The boxes, and their dashes above them."""
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
    layer, dashes = decoded_layers(viewer)
    pointers = entry.open().object_pointers[:]
    # The first frame was prompted.
    expected = [
        rectangle(t, decoder.decode(of[t : t + 1])[0], HEIGHT, WIDTH) for t in range(1, NUM_FRAMES) for of in pointers
    ]
    np.testing.assert_allclose(np.stack(layer.data), np.stack(expected), atol=1e-4)
    assert layer.features["object_id"].tolist() == [1, 2] * (NUM_FRAMES - 1)
    starts, ends = dashes.data[:, 0], dashes.data.sum(axis=1)
    assert set(starts[:, 0]) == set(range(1, NUM_FRAMES))
    # Every dash lies on an edge of a box of its frame, and every corner has one.
    for start, end in zip(starts, ends, strict=True):
        boxes = [box for box in expected if box[0, 0] == start[0] == end[0]]
        assert any(on_an_edge(start, box) and on_an_edge(end, box) for box in boxes)
    for corner in np.concatenate(expected):
        assert np.abs(np.concatenate([starts, ends]) - corner).sum(axis=1).min() < 1e-3
    assert dashes.edge_width < layer.edge_width[0]
    layer.visible = False
    assert not dashes.visible
    assert panel.findChild(QLabel, "decoder").text() == ""


def on_an_edge(point, box):
    (top, left), (bottom, right) = box[0, 1:], box[2, 1:]
    _, y, x = point
    beside = min(abs(y - top), abs(y - bottom), abs(x - left), abs(x - right)) < 1e-6
    within_y = min(top, bottom) - 1e-6 <= y <= max(top, bottom) + 1e-6
    return beside and within_y and min(left, right) - 1e-6 <= x <= max(left, right) + 1e-6


def test_boxes_follow_a_run_that_grows(viewer, panel, clips, qtbot):
    writer, state = clips.begin("clean"), state_of(viewer)
    for t in range(3):
        write_frame(writer, "clean", (1,), t)
    writer.flush()
    live = of_model(RunEntry(writer.path, "live", live=True), "mine", "aa" * 32)
    live = state.add_run(RunEntry(live.path, "live", live=True))
    install_decoder(linear_decoder("aa" * 32))
    press(panel, qtbot, "decoded_boxes")
    qtbot.waitUntil(lambda: len(decoded_layers(viewer)) == 2)
    layer, dashes = decoded_layers(viewer)
    assert [box[0, 0] for box in layer.data] == [1, 2]
    # Also while the panel can't be seen.
    panel.parent().hide()
    for t in (3, 4):
        write_frame(writer, "clean", (1,), t)
        writer.flush()
        of_model(live, "mine", "aa" * 32)
        state.run_progressed.emit(live, t)
    qtbot.waitUntil(lambda: [box[0, 0] for box in layer.data] == [1, 2, 3, 4])
    assert len(dashes.data) == 4 * 4 * DASHES
    assert layer.features["object_id"].tolist() == [1] * 4
    # What was corrected is replaced, and what was taken away stays away.
    layer.data = [box + 1 for box in layer.data]
    state.run_progressed.emit(live, 4)
    qtbot.waitUntil(lambda: [box[0, 0] for box in layer.data] == [1, 2, 3, 4])
    viewer.layers.remove(layer)
    writer.finish()
    state.run_finished.emit(live)
    qtbot.waitUntil(lambda: not panel.background.busy)
    assert decoded_layers(viewer) == [dashes]


@pytest.mark.parametrize(("gain", "warns"), [(0.02, True), (0.3, False)])
def test_the_worth_of_a_decoder_stands_beside_its_button(viewer, panel, clips, qtbot, gain, warns):
    estimates = [Estimate(value, value - 0.01, value + 0.01, 4) for value in (0.4 + gain, 0.4, gain)]
    report = DecoderReport(*estimates, (0.1,) * 4, (0.1,) * 4, 10, 10, 0, ("a",), ("b",))
    install_decoder(replace(linear_decoder("aa" * 32), report=report))
    state_of(viewer).add_run(of_model(clips.run("clean"), "mine", "aa" * 32))
    worth = panel.findChild(QLabel, "worth")
    qtbot.waitUntil(worth.isVisible)
    assert f"IoU {0.4 + gain:.2f}, the mean box 0.40" in worth.text()
    assert worth.text().startswith("⚠") is warns
    assert ("don't rely" in worth.text()) is warns
    state_of(viewer).add_run(clips.run("obscuration"))
    assert worth.isHidden()


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
