"""The Video panel, driven as a user drives it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton

from helpers import layout_trees
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.panels.video import VideoPanel
from napari_sam2_probe.gui.sequence_previews import THUMBNAIL_SIZE, thumbnail
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.video import write_mask

SAMPLES = sorted(folder.name for folder in (sample_data_folder() / "JPEGImages" / "480p").iterdir())


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def panel(viewer, qtbot):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Video")
    assert isinstance(panel, VideoPanel)
    qtbot.waitUntil(lambda: panel.sequences.count() == len(SAMPLES))
    return panel


@pytest.fixture
def dataset(tmp_path):
    """A data set with a sequence of two objects, one of which comes late, and a damaged one."""
    rng = np.random.default_rng(0)
    for name in ("late", "torn"):
        frames, masks = (tmp_path / "set" / part / "480p" / name for part in ("JPEGImages", "Annotations"))
        frames.mkdir(parents=True)
        for t in range(3):
            Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).save(frames / f"{t:05d}.png")
            labels = np.zeros((30, 40), np.uint8)
            labels[:5] = 1
            labels[10:12] = 2 if t == 2 else 0
            write_mask(masks / f"{t:05d}.png", labels)
    (tmp_path / "set" / "JPEGImages" / "480p" / "torn" / "00001.png").write_bytes(b"no picture")
    return tmp_path / "set"


def button(panel, name):
    return panel.findChild(QPushButton, name)


def shown(panel):
    return [panel.sequences.item(row).text() for row in range(panel.sequences.count())]


def test_sequences_are_listed_with_length_objects_and_thumbnail(panel, qtbot):
    qtbot.waitUntil(lambda: all("object" in text for text in shown(panel)), timeout=20000)
    assert [text.partition("\n")[0] for text in shown(panel)] == SAMPLES
    assert shown(panel)[SAMPLES.index("coins")] == "coins\n40 frames, 3 objects"
    assert shown(panel)[SAMPLES.index("cat")] == "cat\n40 frames, 1 object"
    picture = panel.sequences.item(0).icon().pixmap(*THUMBNAIL_SIZE).toImage()
    assert len({picture.pixel(x, 27) for x in range(0, 96, 4)}) > 5


def test_objects_that_come_late_count_and_a_damaged_sequence_harms_no_other(panel, qtbot, dataset):
    panel.open_path(dataset)
    qtbot.waitUntil(lambda: shown(panel) == ["late\n3 frames, 2 objects", "torn\ncan't be read"])
    assert panel.findChild(QLabel, "root").text() == "set: 2 sequences"


def names(panel):
    return [text.partition("\n")[0] for text in shown(panel)]


def test_a_data_set_of_split_folders_lists_one_of_them(panel, qtbot, tmp_path):
    panel.open_path(layout_trees.mose(tmp_path / "MOSE", num_frames=3))
    qtbot.waitUntil(lambda: names(panel) == ["002b4dce"])
    assert panel.split.isVisibleTo(panel)
    assert panel.findChild(QLabel, "root").text() == "MOSE: 1 sequence"
    assert [panel.split.itemText(i) for i in range(panel.split.count())] == ["train", "valid"]
    panel.split.setCurrentIndex(1)
    panel.split.activated.emit(1)
    qtbot.waitUntil(lambda: names(panel) == ["0a97ec66"])
    assert panel.split.currentText() == "valid"


def test_lists_of_sequences_are_offered_beside_all(panel, qtbot, tmp_path):
    root = layout_trees.davis(tmp_path / "DAVIS", num_frames=3)
    (root / "ImageSets" / "2017" / "train.txt").write_text("passing\n")
    panel.open_path(root)
    qtbot.waitUntil(lambda: names(panel) == ["crossing", "passing"])
    assert [panel.split.itemText(i) for i in range(panel.split.count())] == ["All sequences", "train", "val"]
    panel.split.activated.emit(2)
    qtbot.waitUntil(lambda: names(panel) == ["crossing"])


def test_no_split_to_choose_shows_no_choice(panel):
    assert not panel.split.isVisibleTo(panel)


def test_sparse_masks_of_objects_with_folders_of_their_own(panel, viewer, qtbot, tmp_path):
    panel.open_path(layout_trees.sav(tmp_path / "sav_val"))
    qtbot.waitUntil(lambda: shown(panel) == ["sav_000262\n17 frames, 2 objects"])
    panel.open_sequence("sav_000262")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    masks = viewer.layers[1].data
    np.testing.assert_array_equal(np.unique(np.asarray(masks[4])), [0, 1, 2])
    assert not np.asarray(masks[5]).any()


def test_a_sequence_is_added_by_keyboard(panel, viewer, qtbot):
    qtbot.keyClicks(panel.filter, "coi")
    visible = [row for row in range(panel.sequences.count()) if not panel.sequences.item(row).isHidden()]
    assert [panel.sequences.item(row).data(Qt.ItemDataRole.UserRole) for row in visible] == ["coins"]
    panel.sequences.setFocus()
    panel.sequences.setCurrentRow(visible[0])
    qtbot.keyClick(panel.sequences, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert [layer.name for layer in viewer.layers] == ["coins", "ground truth · coins"]
    assert state_of(viewer).video.layer is viewer.layers[0]
    assert panel.layer.currentText() == "coins"
    assert panel.findChild(QLabel, "about").text().startswith("40 frames of ")


def test_a_sequence_is_added_by_its_button(panel, viewer, qtbot):
    panel.sequences.setCurrentRow(2)
    qtbot.mouseClick(button(panel, "add"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    assert viewer.layers[0].name == SAMPLES[2]


@pytest.mark.parametrize(("which", "ask"), [("open_folder", "getExistingDirectory"), ("open_file", "getOpenFileName")])
def test_a_folder_or_a_file_is_opened(panel, viewer, qtbot, tmp_path, maker, monkeypatch, which, ask):
    if which == "open_folder":
        path = maker.video("frames")
        answer = str(path)
    else:
        path = tmp_path / "film.mp4"
        _write_film(path)
        answer = (str(path), "")
    monkeypatch.setattr(QFileDialog, ask, lambda *_, **__: answer)
    qtbot.mouseClick(button(panel, which), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert viewer.layers[0].name == path.stem
    assert state_of(viewer).video.video.path == str(path)
    assert not state_of(viewer).video.video.has_masks


def test_dropping_a_data_set_lists_it_and_dropping_a_video_opens_it(panel, viewer, qtbot, dataset, maker):
    drop(panel, dataset)
    qtbot.waitUntil(lambda: panel.sequences.count() == 2)
    assert len(viewer.layers) == 0
    video = maker.video("dropped")
    drop(panel, video)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert viewer.layers[0].name == "dropped"
    # A sequence's own folder brings its true masks.
    drop(panel, dataset / "JPEGImages" / "480p" / "late")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert viewer.layers[-1].data[2].max() == 2


def test_what_is_no_video_is_told_in_a_sentence(panel, viewer, qtbot, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    (tmp_path / "notes.txt").write_text("no video")
    drop(panel, tmp_path / "notes.txt")
    qtbot.waitUntil(lambda: bool(said))
    assert "not a video file" in said[0]
    assert len(viewer.layers) == 0
    assert panel.sequences.count() == len(SAMPLES)


def test_a_layer_is_worked_on_when_it_is_chosen(panel, viewer, qtbot):
    first = viewer.add_image(np.zeros((3, 8, 9), np.uint8), name="first")
    second = viewer.add_image(np.arange(4 * 8 * 9, dtype=np.uint16).reshape(4, 8, 9), name="second")
    viewer.add_labels(np.zeros((3, 8, 9), np.uint8), name="labels")
    assert [panel.layer.itemText(index) for index in range(panel.layer.count())] == ["first", "second"]
    assert panel.layer.currentIndex() == -1
    choose(panel, 1)
    qtbot.waitUntil(lambda: state_of(viewer).video is not None)
    assert state_of(viewer).video.layer is second
    assert "become 0 to 255 (contrast limits)" in panel.findChild(QLabel, "about").text()
    second.name = "renamed"
    viewer.layers.move(1, 0)
    assert panel.layer.currentText() == "renamed"
    viewer.layers.remove(second)
    assert state_of(viewer).video is None
    assert panel.layer.currentIndex() == -1
    assert panel.findChild(QLabel, "about").text().startswith("No video yet")
    choose(panel, 0)
    qtbot.waitUntil(lambda: state_of(viewer).video is not None)
    assert state_of(viewer).video.layer is first


def test_of_a_layer_of_more_axes_one_time_series_is_worked_on(panel, viewer, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_info", said.append)
    data = np.random.default_rng(0).integers(0, 255, (4, 3, 8, 9), np.uint8)
    stack = viewer.add_image(data, name="stack", axis_labels=("t", "z", "y", "x"))
    viewer.dims.set_current_step(1, 2)
    choose(panel, 0)
    qtbot.waitUntil(lambda: state_of(viewer).video is not None)
    video = state_of(viewer).video
    assert video.layer.name == "stack (z 2)"
    np.testing.assert_array_equal(video.video.read(3)[..., 0], data[3, 2])
    assert panel.layer.currentText() == "stack (z 2)"
    assert not stack.visible
    assert "z 2" in said[0]
    assert "remove the hidden layer" in said[0]
    # The same again is the same layer; another place is another one.
    choose(panel, 0)
    qtbot.waitUntil(lambda: len(said) == 2)
    assert len(viewer.layers) == 2
    viewer.dims.set_current_step(1, 0)
    choose(panel, 0)
    qtbot.waitUntil(lambda: state_of(viewer).video.layer.name == "stack (z 0)")
    viewer.layers.remove(stack)
    assert viewer.dims.ndim == 3


def test_a_single_picture_is_refused_in_a_sentence(panel, viewer, qtbot, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    viewer.add_image(np.zeros((8, 9), np.uint8), name="picture")
    choose(panel, 0)
    qtbot.waitUntil(lambda: bool(said))
    assert "single picture" in said[0]
    assert state_of(viewer).video is None
    assert panel.layer.currentIndex() == -1


def test_a_closed_panel_hears_nothing_more(viewer, panel, qtbot):
    dock = next(iter(viewer.window.dock_widgets))
    viewer.window.remove_dock_widget(viewer.window._wrapped_dock_widgets[dock] if dock else "all")
    qtbot.wait(50)
    viewer.add_image(np.zeros((3, 8, 9), np.uint8))


@pytest.mark.parametrize(("height", "width"), [(100, 100), (30, 400), (400, 30), (5, 5)])
def test_a_thumbnail_shows_the_whole_frame(height, width):
    picture = thumbnail(np.full((height, width, 3), 200, np.uint8))
    assert picture.shape == (THUMBNAIL_SIZE[1], THUMBNAIL_SIZE[0], 3)
    rows, columns = (np.flatnonzero((picture > 0).any(axis=(1 - axis, 2))) for axis in (0, 1))
    assert np.ptp(columns) + 1 == pytest.approx((np.ptp(rows) + 1) * width / height, abs=max(width / height, 1))


def choose(panel, index):
    panel.layer.setCurrentIndex(index)
    panel.layer.activated.emit(index)


def drop(panel, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPoint(5, 5).toPointF() if hasattr(QPoint, "toPointF") else QPoint(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    panel.dropEvent(event)


def _write_film(path):
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for t in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 50 * t, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
