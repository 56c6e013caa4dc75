"""The Transform panel, driven as a user drives it, on the sample videos."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton

from helpers.hands import choose_corruption
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.clip_preview import FRAME_MILLISECONDS, MAKING, describe_frame
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.panels.option_form import OptionForm
from napari_sam2_probe.gui.panels.transform import WITHOUT_SEQUENCE, TransformPanel
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import add_video, read_video, use_video, video_from_layer
from napari_sam2_probe.transforms.maker import ClipMaker, ClipRequest, count_others
from napari_sam2_probe.transforms.options import Choice, Number
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video import DavisDataset, read_mask
from napari_sam2_probe.video.davis import dataset_of

SHORT = (3, 2, 3)


@pytest.fixture(scope="module")
def maker():
    return ClipMaker(DavisDataset(sample_data_folder()))


@pytest.fixture
def viewer(make_napari_viewer):
    # Shown, because nothing is made for a panel that can't be seen.
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer, qtbot):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Transform")
    assert isinstance(panel, TransformPanel)
    for field, length in zip(panel.lengths.fields, SHORT, strict=True):
        field.setValue(length)
    yield panel
    state_of(viewer).jobs.close()


@pytest.fixture
def ready(panel, viewer, qtbot):
    add_video(viewer, read_video(sample_data_folder() / "coins"))
    qtbot.waitUntil(lambda: panel.object.count() == 3, timeout=20000)
    return panel


def choose(combo, data):
    assert combo.findData(data) >= 0
    combo.setCurrentIndex(combo.findData(data))


def wait_for_preview(panel, qtbot):
    qtbot.waitUntil(lambda: panel.add.isEnabled(), timeout=30000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_of_the_chosen_object_and_the_same_again(maker, kind):
    request = ClipRequest("coins", 2, kind, lengths=SHORT, seed=4)
    made, again = maker.make(request), ClipMaker(maker.videos).make(request)
    base = made.recipe.base
    assert (base.sequence, base.object_id, made.clip.num_frames) == ("coins", 2, 8)
    np.testing.assert_array_equal(made.clip.frames, again.clip.frames)
    assert made.truth.recipe["kind"] == kind
    if kind != "clean":
        twin = maker.twin(made)
        assert twin.recipe.base == base
        assert twin.truth.clip == made.truth.recipe["twin"]
        assert (twin.clip.frames != made.clip.frames).any()


def test_foreign_footage_comes_from_the_chosen_sequence(maker):
    assert "coins" not in maker.unrelated("coins")
    made = maker.make(ClipRequest("coins", 1, "interjection", "rocket", SHORT))
    assert {name for name in made.clip.source_sequence if name != "coins"} == {"rocket"}


@pytest.mark.parametrize(
    ("kind", "options", "needed"),
    [
        ("clean", {}, False),
        ("context-removal", {"fill": "black"}, False),
        ("context-removal", {"fill": "sequence"}, True),
        ("three-object", {"similarity": "copies"}, False),
        ("obscuration", {}, True),
    ],
)
def test_a_distractor_is_asked_for_where_it_is_used(maker, kind, options, needed):
    assert (count_others(kind, options) > 0) is needed
    recipe = maker.make(ClipRequest("coins", 1, kind, "horse", SHORT, options=options)).recipe
    assert ("horse" in {distractor.sequence for distractor in recipe.distractors}) is needed


def test_a_clip_that_is_too_long_is_refused_in_a_sentence(maker):
    with pytest.raises(InputError, match=r"Object 1 of coins .* in 902 frames in a row: choose shorter lengths"):
        maker.make(ClipRequest("coins", 1, "clean", lengths=(900, 1, 1)))


def test_a_sequence_finds_its_data_set(davis_root):
    dataset = DavisDataset(davis_root)
    assert dataset_of(dataset.sequence(dataset.names[0])).root == davis_root


def test_what_is_known_of_a_frame_is_said(maker):
    clip = maker.make(ClipRequest("coins", 1, "interjection", lengths=SHORT)).clip
    assert describe_frame(clip, 0) == "Frame 0 of 8"
    assert describe_frame(clip, 3) == "Frame 3 of 8 · object absent · context absent"


def test_options_have_fields_of_their_kind(qtbot):
    form = OptionForm()
    qtbot.addWidget(form)
    form.set_options(
        {"fill": Choice(("blur", "black"), "black"), "sigma": Number(2.5, 0, 10), "count": Number(3, 1, 5)}
    )
    assert form.values() == {"fill": "black", "sigma": 2.5, "count": 3}
    with qtbot.waitSignal(form.changed):
        form.findChild(QComboBox, "option_fill").setCurrentIndex(0)
    assert form.values()["fill"] == "blur"
    form.set_options({})
    assert form.values() == {}


def test_a_video_without_true_masks_is_told(panel, viewer, qtbot):
    said = panel.findChild(QLabel, "base")
    assert said.text() == WITHOUT_SEQUENCE
    use_video(viewer, video_from_layer(viewer.add_image(np.zeros((30, 20, 20), np.uint8))))
    assert said.text() == WITHOUT_SEQUENCE
    assert not panel.add.isEnabled()
    assert not panel.generate.isEnabled()


def test_the_preview_follows_what_is_chosen_and_only_the_last(ready, qtbot):
    wait_for_preview(ready, qtbot)
    assert ready.preview.num_frames == sum(SHORT)
    choose(ready.object, 3)
    choose(ready.kind, "context-removal")
    assert not ready.add.isEnabled()
    # The old one stands still, dimmed.
    still = ready.preview.picture.pixmap().toImage()
    assert ready.preview.caption.text() == MAKING
    assert ready.preview.picture.graphicsEffect().opacity() < 0.5
    qtbot.wait(2 * FRAME_MILLISECONDS)
    assert ready.preview.caption.text() == MAKING
    assert ready.preview.picture.pixmap().toImage() == still
    assert not ready.distractor.isEnabled()
    ready.findChild(QComboBox, "option_fill").setCurrentText("sequence")
    assert ready.distractor.isEnabled()
    ready.seed.setValue(7)
    wait_for_preview(ready, qtbot)
    assert ready.preview.picture.graphicsEffect() is None
    assert ready.preview.caption.text() != MAKING
    request, made = ready._made
    assert request == ready.request
    assert (made.recipe.base.object_id, made.recipe.seed, made.recipe.options) == (3, 7, {"fill": "sequence"})
    before = ready.preview.picture.pixmap().toImage()
    qtbot.waitUntil(lambda: ready.preview.picture.pixmap().toImage() != before)


def test_what_cant_be_made_is_said_in_place_of_the_preview(ready, qtbot):
    ready.lengths.fields[0].setValue(900)
    caption = ready.findChild(QLabel, "caption")
    qtbot.waitUntil(lambda: "choose shorter lengths" in caption.text(), timeout=20000)
    assert not ready.add.isEnabled()
    ready.lengths.fields[0].setValue(3)
    wait_for_preview(ready, qtbot)


def test_a_clip_is_added_beside_its_twin_with_its_flags(ready, viewer, qtbot):
    choose(ready.kind, "interjection")
    wait_for_preview(ready, qtbot)
    qtbot.mouseClick(ready.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=30000)
    video, masks, twin, twin_masks = viewer.layers[2:]
    assert video.name == "coins object 1 interjection"
    known = masks.metadata[METADATA_KEY]["frames"].truth
    assert known.object_present.tolist() == [True] * 3 + [False] * 2 + [True] * 3
    assert video.metadata[METADATA_KEY]["video"].truth is not None
    row = masks.features.loc[masks.features["index"] == 1].iloc[0]
    assert (row["frames_present"], row["frames_absent"]) == (6, 2)
    assert twin_masks.features.iloc[1]["frames_absent"] == 0
    np.testing.assert_array_equal(np.asarray(twin.data[0]), np.asarray(video.data[0]))
    assert twin.extent.world[0, 2] > video.extent.world[1, 2]
    assert not np.asarray(masks.data[3]).any()
    entry = state_of(viewer).video
    assert entry.layer is video
    assert entry.video.mask(0).max() == 1
    # The clip is worked on now; clips are still made from the sequence before.
    assert ready.object.count() == 3


def test_extras_change_the_clip_and_its_twin_alike(ready, viewer, qtbot):
    choose(ready.kind, "interjection")
    wait_for_preview(ready, qtbot)
    plain = ready._made[1].clip.frames[0]
    choose_corruption(qtbot, ready.corruptions, "gaussian-noise")
    assert not ready.add.isEnabled()
    wait_for_preview(ready, qtbot)
    assert [(corruption.name, corruption.options) for corruption in ready.request.order.then] == [
        ("gaussian-noise", {"sigma": 15.0})
    ]
    qtbot.mouseClick(ready.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=30000)
    video, twin = (np.asarray(viewer.layers[index].data[0]) for index in (2, 4))
    np.testing.assert_array_equal(video, twin)
    assert 10 < (video.astype(float) - plain).std() < 20
    assert viewer.layers[2].metadata[METADATA_KEY]["video"].truth.recipe["then"][0]["name"] == "gaussian-noise"


def test_a_data_set_is_generated_stopped_and_gone_on_with(ready, viewer, qtbot, tmp_path, monkeypatch):
    out = tmp_path / "clips"
    out.mkdir()
    monkeypatch.setattr("napari_sam2_probe.gui.panels.transform.default_workers", lambda: 1)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(out))
    choose(ready.kind, "context-removal")
    ready.samples.setValue(3)
    stopped = []

    def stop_after_the_first(_, progress):
        if progress.unit == "clip" and progress.done == 1 and not stopped:
            stopped.append(progress)
            ready.findChild(QPushButton, "cancel").click()

    state_of(viewer).jobs.progressed.connect(stop_after_the_first)
    qtbot.mouseClick(ready.generate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(stopped) and not ready.job.busy, timeout=60000)
    said = ready.findChild(QLabel, "said")
    assert said.text().startswith("Stopped")
    assert not json.loads((out / "dataset.json").read_text())["finished"]
    qtbot.mouseClick(ready.generate, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not ready.job.busy, timeout=60000)
    assert said.text().startswith("The data set is in")
    with (out / "frames.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * sum(SHORT)
    masks = sorted((out / "Annotations" / "480p" / "context-removal-00000").iterdir())
    assert len(masks) == sum(SHORT)
    assert read_mask(masks[0]).max() == 1
