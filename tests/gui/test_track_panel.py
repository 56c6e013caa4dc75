"""The Track panel in a real viewer: clicks and keys, tracking that can be paused and cancelled, clean ends."""

import gc
import json
import threading
import weakref

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QListWidget,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from helpers.hands import click_canvas, drag_canvas
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.jobs import Job
from napari_sam2_probe.gui.lanes import Lanes
from napari_sam2_probe.gui.panels.track import TrackPanel
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.videos import use_video, video_from_layer
from napari_sam2_probe.live.prompt_state import PromptState
from napari_sam2_probe.live.scores import Standing
from napari_sam2_probe.runs import find_runs, open_run

T, H, W = 10, 40, 60
WAIT = 60_000


class Desk:
    """A viewer with the panel docked, and short names for what a person does."""

    def __init__(self, viewer, qtbot, folder):
        self.viewer, self.qtbot = viewer, qtbot
        self.panel = TrackPanel(viewer)
        self.controller = self.panel.controller
        self.controller.use_runs_folder(folder)
        self.panel.model.choose("sample")
        self.panel.model._device.setCurrentText("cpu")
        self.dock = viewer.window.add_dock_widget(self.panel, name="Track")
        self.folder = folder

    def add_video(self, frames=T, use=True, **placement):
        data = np.random.default_rng(7).integers(0, 255, (frames, H, W, 3), np.uint8)
        layer = self.viewer.add_image(data, name="noise", rgb=True, **placement)
        self.viewer.dims.set_current_step(0, 0)
        if use:
            use_video(self.viewer, video_from_layer(layer))
        return layer

    def child(self, kind, name):
        return self.panel.findChild(kind, name)

    def press(self, name, kind=QPushButton):
        button = self.child(kind, name)
        assert button.isEnabled(), name
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def said(self):
        """What the state line says."""
        return self.child(QLabel, "next_step").text()

    def until(self, condition):
        self.qtbot.waitUntil(condition, timeout=WAIT)

    def settle(self):
        self.until(lambda: self.controller.runner.is_idle)

    def click_canvas(self, layer, place):
        """Click with the mouse where a place of a layer is drawn."""
        click_canvas(self.qtbot, self.viewer, layer, place)

    def key(self, key, modifiers=Qt.KeyboardModifier.NoModifier):
        self.qtbot.keyClick(self.viewer.window._qt_viewer.canvas.native, key, modifiers)

    def masks(self):
        (layer,) = (layer for layer in self.viewer.layers if layer.name.startswith("masks"))
        return layer


@pytest.fixture
def desk(make_napari_viewer, qtbot, tmp_path):
    desk = Desk(make_napari_viewer(show=True), qtbot, tmp_path / "runs")
    yield desk
    # Whatever a test did, closing the window leaves nothing that runs.
    state = state_of(desk.viewer)
    desk.viewer.close()
    assert state.jobs.running is None
    assert state.jobs.waiting == ()


@pytest.fixture(autouse=True)
def no_errors():
    """No notification of an error that the test has not looked at."""
    notification_manager.records.clear()
    yield
    assert [str(record.message) for record in notification_manager.records] == []


def errors():
    found = [str(record.message) for record in notification_manager.records]
    notification_manager.records.clear()
    return found


def test_click_undo_redo_and_track(desk):
    video = desk.add_video(scale=(1, 2, 2), translate=(0, 30, -10))
    desk.viewer.reset_view()
    desk.press("points")
    points = desk.viewer.layers.selection.active
    desk.click_canvas(video, (0, 12, 20))
    desk.settle()
    (key,) = desk.controller.prompts.states
    assert key == (0, 1)
    # A pixel on the screen is less than one of the video.
    np.testing.assert_allclose(desk.controller.prompts.states[key].points, [(20.5, 12.5, 1)], atol=0.6)
    assert desk.masks().data[0].any()
    one_click = desk.masks().data[0]

    desk.key(Qt.Key.Key_N)
    assert desk.child(QPushButton, "negative").isChecked()
    desk.click_canvas(video, (0, 30, 50))
    desk.settle()
    assert points.features["positive"].tolist() == [True, False]
    two_clicks = desk.masks().data[0]
    assert (one_click != two_clicks).any()

    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    desk.key(Qt.Key.Key_Z, control)
    desk.settle()
    assert len(points.data) == 1
    np.testing.assert_array_equal(desk.masks().data[0], one_click)
    desk.key(Qt.Key.Key_Z, control | shift)
    desk.settle()
    assert len(points.data) == 2
    np.testing.assert_array_equal(desk.masks().data[0], two_clicks)
    wanted = {key: state.as_applied(key) for key, state in desk.controller.prompts.states.items()}
    assert desk.controller.runner._live._recording.applied == wanted

    state, progressed, finished = state_of(desk.viewer), [], []
    state.run_progressed.connect(lambda entry, frame_idx: progressed.append((entry, frame_idx)))
    state.run_finished.connect(finished.append)
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    (entry,) = state.runs
    assert entry.live
    assert state.current_run is entry
    assert finished == [entry]
    assert progressed == [(entry, frame_idx) for frame_idx in range(T)]
    run = entry.open()
    assert run.finished
    assert run.tracked.all()
    np.testing.assert_array_equal(desk.masks().data[:], run.masks[:])
    np.testing.assert_array_equal(desk.controller.scores.object_scores(1), run.object_scores[0])
    # Masks lie over the video.
    np.testing.assert_allclose(desk.masks().data_to_world((3, 5, 7)), video.data_to_world((3, 5, 7)))


def test_candidates_are_cycled_with_their_predicted_iou(desk):
    desk.add_video()
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    label = desk.child(QLabel, "candidate")
    texts, masks = [label.text()], [desk.masks().data[0]]
    for _ in range(3):
        desk.press("next_candidate")
        desk.settle()
        texts.append(label.text())
        masks.append(desk.masks().data[0])
    assert {text.split(" · ")[0] for text in texts} == {"mask 1 of 3", "mask 2 of 3", "mask 3 of 3"}
    assert all("predicted IoU" in text for text in texts)
    assert texts[0] == texts[3]
    np.testing.assert_array_equal(masks[0], masks[3])
    assert any((mask != masks[0]).any() for mask in masks)
    for _ in range(3):
        desk.press("undo")
    desk.settle()
    np.testing.assert_array_equal(desk.masks().data[0], masks[0])


def test_candidates_are_those_of_the_frame_and_the_object_that_are_looked_at(desk):
    desk.add_video()
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    label = desk.child(QLabel, "candidate")
    desk.until(label.isVisible)
    desk.press("next_candidate")
    desk.settle()
    chosen = label.text()
    below = desk.child(QPushButton, "forward").y()
    desk.viewer.dims.set_current_step(0, 4)
    assert not label.isVisible()
    assert desk.child(QPushButton, "forward").y() == below
    desk.press("add_object")
    points.add((4, 25, 40))
    desk.settle()
    desk.until(label.isVisible)
    desk.viewer.dims.set_current_step(0, 0)
    assert not label.isVisible()
    desk.child(QListWidget, "objects").setCurrentRow(0)
    assert label.isVisible()
    assert label.text() == chosen
    desk.press("next_candidate")
    desk.settle()
    assert {key for key, state in desk.controller.prompts.states.items() if state.candidate is not None} == {(0, 1)}
    desk.press("undo")
    desk.settle()
    assert label.text() == chosen


def test_pause_correct_resume_cancel(desk):
    desk.add_video(frames=40)
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    desk.press("forward")
    scores = desk.controller.scores
    desk.until(lambda: np.isfinite(scores.object_scores(1)).sum() > 2)
    assert not desk.child(QPushButton, "forward").isEnabled()
    desk.press("pause")
    desk.until(lambda: desk.controller.runner.phase is Phase.PAUSED and desk.controller.runner.is_idle)
    done = int(np.isfinite(scores.object_scores(1)).sum())
    assert desk.child(QPushButton, "pause").text() == "Resume"
    points.add((1, 30, 30))
    desk.settle()
    assert desk.controller.runner.phase is Phase.PAUSED
    desk.press("pause")
    desk.until(lambda: np.isfinite(scores.object_scores(1)).sum() > done + 2)
    desk.press("cancel")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    (path,) = find_runs(desk.folder)
    run = open_run(path)
    assert not run.finished
    kept = np.flatnonzero(run.tracked[0])
    assert done < len(kept) < 40
    assert kept.tolist() == list(range(len(kept)))
    assert {(p["frame"], p["object_id"]) for p in run.info["prompts"]} == {(0, 1), (1, 1)}


def test_clicks_while_tracking_show_their_mask(desk):
    desk.add_video(frames=40)
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    desk.press("forward")
    desk.until(lambda: desk.masks().data[2].any())
    desk.controller.add_object()
    points.add((39, 25, 25))
    desk.until(lambda: np.isfinite(desk.controller.scores.object_scores(2)[39]))
    assert desk.controller.runner.phase is Phase.TRACKING
    desk.press("cancel")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)


def test_the_slider_follows_but_not_while_the_mouse_is_held(desk, monkeypatch):
    desk.add_video(frames=30)
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    held = Qt.MouseButton.LeftButton
    monkeypatch.setattr(QGuiApplication, "mouseButtons", lambda: held)
    desk.press("forward")
    desk.until(lambda: np.isfinite(desk.controller.scores.object_scores(1)[8]))
    assert desk.viewer.dims.current_step[0] == 0
    held = Qt.MouseButton.NoButton
    desk.until(lambda: desk.viewer.dims.current_step[0] > 8)
    desk.press("cancel")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)


def test_objects_are_added_named_hidden_and_removed(desk):
    desk.add_video()
    objects = desk.child(QListWidget, "objects")
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.press("add_object")
    points.add((0, 25, 45))
    desk.settle()
    assert [objects.item(i).text() for i in range(2)] == ["Object 1", "Object 2"]
    assert objects.currentRow() == 1
    assert desk.controller.prompts.states.keys() == {(0, 1), (0, 2)}
    objects.item(0).setText("cat")
    objects.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert desk.controller.objects[1].name == "cat"
    assert points.shown.tolist() == [False, True]
    assert desk.masks().colormap.map(np.array([1]))[0, 3] == 0
    assert desk.masks().colormap.map(np.array([2]))[0, 3] == 1
    desk.press("remove_object")
    desk.settle()
    assert desk.controller.prompts.states.keys() == {(0, 1)}
    assert set(np.unique(desk.masks().data[:])) <= {0, 1}
    assert state_of(desk.viewer).obj_id == 1


def test_boxes_and_painted_masks(desk):
    desk.add_video()
    desk.press("boxes")
    shapes = desk.viewer.layers.selection.active
    shapes.add_rectangles(np.array([[0, 4.5, 9.5], [0, 4.5, 30.5], [0, 20.5, 30.5], [0, 20.5, 9.5]]))
    desk.settle()
    assert desk.controller.prompts.states == {(0, 1): PromptState(box=(10.0, 5.0, 31.0, 21.0))}
    desk.press("add_object")
    desk.press("masks")
    painted = desk.viewer.layers.selection.active
    painted.paint((0, 30, 30), 2)
    desk.until(lambda: (0, 2) in desk.controller.prompts.states)
    desk.settle()
    assert (desk.masks().data[0][painted.data[0] == 2] == 2).mean() > 0.5
    assert np.isnan(desk.controller.scores.predicted_iou(2)[0])


def test_shapes_drawn_with_the_mouse(desk):
    video = desk.add_video()
    desk.viewer.reset_view()
    desk.press("boxes")
    shapes = desk.viewer.layers.selection.active
    drag_canvas(desk.qtbot, desk.viewer, video, [(0, y, 2 * y) for y in (5, 6, 9, 15, 20)])
    desk.until(lambda: bool(desk.controller.prompts.states))
    states = desk.controller.prompts.states
    # Within a pixel of the screen and the corner that napari leaves around what is drawn.
    np.testing.assert_allclose(states[0, 1].box, (10.5, 5.5, 40.5, 20.5), atol=1)
    desk.click_canvas(video, (0, 30, 30))
    desk.until(lambda: len(shapes.data) == 1)
    assert "a single click is too small" in desk.said()
    shapes.mode = "add_polygon"
    for place in [(0, 10, 10), (0, 10, 50), (0, 30, 50), (0, 30, 10)]:
        desk.click_canvas(video, place)
        desk.qtbot.wait(20)
    assert desk.controller.prompts.states == states
    desk.key(Qt.Key.Key_Escape)
    desk.until(lambda: desk.controller.prompts.states != states)
    assert len(shapes.data) == 1
    assert shapes.mode == "add_polygon"
    desk.press("undo")
    desk.settle()
    assert desk.controller.prompts.states == states


def test_masks_whose_layer_was_deleted_are_there_again_when_asked_for(desk):
    desk.add_video()
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    desk.until(lambda: desk.masks().data[0].any())
    run = desk.masks().metadata["napari_sam2_probe"]["run"]
    desk.viewer.layers.remove(desk.masks())
    desk.qtbot.wait(150)
    assert not [layer for layer in desk.viewer.layers if layer.name.startswith("masks")]
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    assert desk.masks().data[T - 1].shape == (H, W)
    assert desk.masks().data[0].any()
    assert desk.masks().metadata["napari_sam2_probe"]["run"] == run


def test_a_prompt_that_is_taken_back_leaves_no_score(desk):
    desk.add_video()
    desk.controller.prompts.show_points().add((3, 12, 20))
    desk.settle()
    assert np.isfinite(desk.controller.scores.object_scores(1)[3])
    desk.press("undo")
    desk.settle()
    assert np.isnan(desk.controller.scores.object_scores(1)).all()


def test_any_image_layer_can_be_chosen(desk):
    gray = np.random.default_rng(1).integers(0, 4000, (5, H, W), np.uint16)
    desk.viewer.add_image(gray, name="gray", contrast_limits=(0, 4000))
    desk.viewer.add_image(np.zeros((H, W), np.uint8), name="picture")
    chooser = desk.child(QComboBox, "video")
    assert [chooser.itemText(i) for i in range(chooser.count())] == ["choose a layer", "gray"]
    chooser.setCurrentIndex(1)
    chooser.activated.emit(1)
    assert desk.controller.video.layer is desk.viewer.layers["gray"]
    desk.controller.prompts.show_points().add((4, 3, 3))
    desk.settle()
    assert desk.masks().data[4].shape == (H, W)


def test_what_cannot_be_done_is_one_sentence(desk):
    desk.add_video()
    desk.press("both")
    assert "Add a prompt first" in desk.said()
    desk.controller.prompts.show_points().add((0, H + 9, 3))
    assert "outside" in desk.said()
    names = [entry.checkpoint for entry in desk.panel.model._entries if entry.download is not None]
    desk.panel.model.choose(names[0])
    assert desk.child(QPushButton, "download").isVisible()
    desk.controller.prompts.show_points().add((0, 3, 3))
    assert "download it" in desk.said()
    desk.panel.model.choose("sample")
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE and bool(find_runs(desk.folder)))
    assert open_run(find_runs(desk.folder)[0]).tracked.all()


def test_a_device_that_is_not_there_leaves_the_panel_usable(desk):
    desk.add_video()
    desk.panel.model._device.setCurrentText("mps")
    desk.controller.prompts.show_points().add((0, 3, 3))
    desk.until(lambda: bool(notification_manager.records))
    (said,) = errors()
    assert "mps" in said
    assert desk.controller.runner.phase is Phase.IDLE
    # Nothing is under way any more, and nothing says so.
    assert desk.child(QLabel, "note").text() == ""
    desk.panel.model._device.setCurrentText("cpu")
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE and bool(find_runs(desk.folder)))


def test_options_arrive_in_the_run(desk):
    desk.add_video()
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    desk.press("options", QToolButton)
    for name in ("apply_postprocessing", "prompted_references", "unblanked", "non_overlap_masks"):
        desk.child(QCheckBox, name).toggle()
    desk.child(QComboBox, "denominator").setCurrentText("standard deviation")
    desk.child(QSpinBox, "epsilon").setValue(-3)
    # The prompt stays; the run with other options is another one.
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    run = state_of(desk.viewer).current_run.open()
    assert run.tracked.all()
    assert run.info["model"]["flags"] == {
        "apply_postprocessing": False,
        "add_all_frames_to_correct_as_cond": True,
        "clear_non_cond_mem_around_input": False,
        "non_overlap_masks": True,
    }
    parameters = run.info["parameters"]
    assert parameters["features"] == {
        "denominator": "standard deviation",
        "epsilon": 1e-3,
        "prompted_references": False,
    }
    assert parameters["unblanked"] is True
    assert parameters["direction"] == "forward"
    assert "5u" in set(run.features["position"])


def test_a_prompt_that_the_session_refuses_leaves_nothing_to_undo(desk):
    desk.add_video()
    undo, redo = desk.child(QPushButton, "undo"), desk.child(QPushButton, "redo")
    assert not undo.isEnabled()
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    assert (undo.isEnabled(), redo.isEnabled()) == (True, False)
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    desk.controller.prompts.choose((0, 1), 2)
    desk.until(lambda: "was tracked since its prompt" in desk.said())
    desk.settle()
    assert desk.controller.prompts.states[0, 1].candidate is None
    desk.press("undo")
    assert desk.controller.prompts.states == {}
    assert (undo.isEnabled(), redo.isEnabled()) == (False, True)
    desk.settle()


def test_what_has_to_wait_for_another_job_says_so(desk):
    desk.add_video()
    go_on = threading.Event()

    def work():
        yield
        assert go_on.wait(60)

    state_of(desk.viewer).jobs.submit(Job("Make 500 clips", work))
    desk.controller.prompts.show_points().add((0, 12, 20))
    note = desk.child(QLabel, "note")
    assert note.text() == "Waiting for what was begun before: Make 500 clips."
    desk.press("forward")
    assert "Make 500 clips" in note.text()
    go_on.set()
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    assert note.text() == ""
    assert state_of(desk.viewer).current_run.open().tracked.all()


def test_what_fails_is_told_once_though_more_was_asked_for(desk, tmp_path):
    desk.add_video()
    (tmp_path / "file").touch()
    desk.controller.use_runs_folder(tmp_path / "file" / "runs")
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    desk.until(lambda: state_of(desk.viewer).jobs.running is None)
    (said,) = errors()
    assert "is a file" in said
    desk.controller.use_runs_folder(desk.folder)
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    assert state_of(desk.viewer).current_run.open().tracked.all()


@pytest.mark.parametrize("how", ["remove the video", "close the viewer", "close the panel", "another video"])
def test_an_end_while_tracking_is_clean(desk, how):
    video = desk.add_video(frames=60)
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    desk.press("forward")
    desk.until(lambda: desk.masks().data[2].any())
    jobs, live = state_of(desk.viewer).jobs, desk.controller.runner._live
    if how == "remove the video":
        desk.viewer.layers.remove(video)
    elif how == "close the viewer":
        desk.viewer.close()
    elif how == "close the panel":
        desk.viewer.window.remove_dock_widget(desk.dock)
        desk.panel.deleteLater()
        desk.panel = None
    else:
        desk.add_video(frames=3)
        # What may still have been on its way from the thread.
        jobs.progressed.emit(jobs.running, Progress(5, 60, "tracking noise", "frame"))
    desk.until(lambda: jobs.running is None and live._recording is None)
    if how == "another video":
        assert not desk.child(QProgressBar, "progress").isVisible()
    (path,) = find_runs(desk.folder)
    run = open_run(path)
    assert not run.finished
    assert run.info["live"] is None
    assert 2 < run.tracked.sum() < 60


def test_a_panel_that_is_opened_again_finds_everything_as_it_was(desk):
    video = desk.add_video(frames=30)
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    desk.controller.objects.change(1, name="cat")
    desk.press("forward")
    desk.until(lambda: desk.masks().data[2].any())
    states, masks = desk.controller.prompts.states, desk.masks()
    gone = weakref.ref(desk.panel)
    desk.viewer.window.remove_dock_widget(desk.dock)
    desk.panel = desk.controller = desk.dock = None
    desk.until(lambda: state_of(desk.viewer).jobs.running is None)
    (first,) = find_runs(desk.folder)
    desk.qtbot.wait(50)
    gc.unfreeze()
    gc.collect()
    assert gone() is None

    again = Desk(desk.viewer, desk.qtbot, desk.folder)
    desk.panel, desk.controller, desk.dock = again.panel, again.controller, again.dock
    assert desk.controller.prompts.states == states
    assert desk.controller.objects[1].name == "cat"
    assert np.isfinite(desk.controller.scores.object_scores(1)[2])
    points.add((0, 14, 24))
    desk.settle()
    assert len(desk.controller.prompts.states[0, 1].points) == 2
    # What was tracked before stays to be seen, and nothing is there twice.
    assert desk.masks() is masks
    assert masks.data[2].any()
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    assert np.isfinite(desk.controller.scores.object_scores(1)).all()
    assert [layer.name for layer in desk.viewer.layers] == [video.name, masks.name, points.name]
    assert json.loads((first / "run.json").read_text())["continued_in"] in {run.name for run in find_runs(desk.folder)}


def test_a_video_that_was_left_is_as_it_was(desk):
    first = desk.add_video(frames=4)
    points = desk.controller.prompts.show_points()
    points.add((0, 12, 20))
    desk.settle()
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    masks, states = desk.masks(), desk.controller.prompts.states
    tracked = masks.data[:]
    scores = desk.controller.scores.object_scores(1).copy()
    desk.controller.objects.change(1, name="cat")
    desk.add_video(frames=3)
    assert desk.controller.prompts.states == {}
    assert not np.isfinite(desk.controller.scores.object_scores(1)).any()
    assert desk.controller.objects[1].name == "Object 1"
    use_video(desk.viewer, video_from_layer(first))
    assert desk.controller.prompts.states == states
    assert desk.controller.objects[1].name == "cat"
    np.testing.assert_array_equal(desk.controller.scores.object_scores(1), scores)
    # A correction goes on with what there was.
    points.add((3, 30, 30))
    desk.settle()
    desk.until(lambda: len(find_runs(desk.folder)) == 2)
    assert desk.masks() is masks
    np.testing.assert_array_equal(masks.data[:3], tracked[:3])
    desk.viewer.layers.remove(first)
    assert desk.controller.video is None


def test_an_unfinished_run_is_offered_and_gone_on_with(desk, make_napari_viewer, qtbot):
    desk.add_video(frames=30)
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.settle()
    states = desk.controller.prompts.states
    desk.press("forward")
    desk.until(lambda: np.isfinite(desk.controller.scores.object_scores(1)[3]))
    before = np.array(desk.masks().data[:3])
    assert before[0].any()
    desk.viewer.close()
    second = Desk(make_napari_viewer(show=True), qtbot, desk.folder)
    second.add_video(frames=30)
    second.panel.resume.look()
    button = second.child(QPushButton, "go_on")
    second.until(button.isVisible)
    (menu,) = (action.menu() for action in button.menu().actions())
    menu.actions()[0].trigger()
    second.settle()
    assert second.controller.prompts.states == states
    second.until(lambda: np.isfinite(second.controller.scores.object_scores(1)[2]))
    np.testing.assert_array_equal(second.masks().data[:3], before)
    second.press("forward")
    second.until(lambda: second.controller.runner.phase is Phase.IDLE)
    assert state_of(second.viewer).current_run.open().tracked.all()
    # The old run is still there, and not offered again.
    assert len(find_runs(desk.folder)) == 2
    second.viewer.close()


def test_with_lanes_a_run_goes_on_while_the_panel_is_closed_and_opened_again(desk, qtbot):
    lanes = Lanes(desk.viewer)
    desk.viewer.window.add_dock_widget(lanes, area="bottom", name="Lanes")
    desk.add_video(frames=30)
    desk.controller.prompts.show_points().add((0, 12, 20))
    desk.press("forward")
    desk.until(lambda: np.isfinite(desk.controller.scores.object_scores(1)).sum() > 2)
    desk.viewer.window.remove_dock_widget(desk.dock)
    assert lanes.controller.runner.phase is Phase.TRACKING
    panel = TrackPanel(desk.viewer)
    desk.viewer.window.add_dock_widget(panel, name="Track")
    assert panel.controller is lanes.controller
    assert panel.model.choice == ModelChoice("sample", device="cpu")
    desk.until(lambda: lanes.controller.runner.phase is Phase.IDLE)
    run = state_of(desk.viewer).current_run.open()
    assert run.finished
    assert run.tracked.all()
    assert (lanes.lanes[0].numbers.standings == Standing.TRACKED).all()
    assert len(state_of(desk.viewer).runs) == 1


def test_the_window_answers_while_it_loads_and_tracks(desk):
    """The event loop turns in every phase, and between frames; benchmarks/event_loop_gaps.py measures how often."""
    desk.add_video(frames=30)
    points = desk.controller.prompts.show_points()
    beats = []
    timer = QTimer(desk.panel)
    timer.setInterval(1)
    progress = desk.child(QProgressBar, "progress")
    timer.timeout.connect(lambda: beats.append((desk.controller.runner.phase, progress.value())))
    timer.start()
    points.add((0, 12, 20))
    desk.settle()
    desk.press("both")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    timer.stop()
    assert Phase.PROMPTING in {phase for phase, _ in beats}
    assert len({frames for phase, frames in beats if phase is Phase.TRACKING}) > 3


def test_everything_has_a_tooltip_and_a_place(desk):
    desk.viewer.window._qt_window.resize(1280, 800)
    QApplication.processEvents()
    kinds = (QPushButton, QComboBox, QCheckBox, QListWidget)
    for widget in [w for kind in kinds for w in desk.panel.findChildren(kind) if w.objectName()]:
        assert widget.toolTip(), widget.objectName()
    names = [entry.checkpoint for entry in desk.panel.model._entries if entry.download is not None]
    desk.panel.model.choose(names[0])
    QApplication.processEvents()
    for name in ("forward", "download", "runs_folder", "redo"):
        widget = desk.child(QWidget, name)
        assert widget.isVisible()
        right = widget.mapTo(desk.panel, QPoint(widget.width(), 0)).x()
        assert right <= desk.panel.width()


def test_a_plane_of_a_stack_over_time_is_tracked(desk):
    data = np.random.default_rng(7).integers(0, 255, (T, 3, H, W), np.uint8)
    stack = desk.viewer.add_image(data, name="stack", axis_labels=("t", "z", "y", "x"))
    desk.viewer.dims.set_current_step(1, 1)
    chooser = desk.child(QComboBox, "video")
    index = chooser.findText("stack")
    chooser.setCurrentIndex(index)
    chooser.activated.emit(index)
    assert "z 1" in errors()[0]
    video = desk.controller.video.layer
    assert chooser.currentText() == video.name == "stack (z 1)"
    desk.press("points")
    # The slider that was the stack's z is the time of the plane.
    desk.viewer.dims.set_current_step(1, 4)
    desk.click_canvas(video, (4, 12, 20))
    desk.settle()
    assert list(desk.controller.prompts.states) == [(4, 1)]
    desk.press("forward")
    desk.until(lambda: desk.controller.runner.phase is Phase.IDLE)
    run = state_of(desk.viewer).runs[0].open()
    assert run.tracked[0].tolist() == [frame_idx >= 4 for frame_idx in range(T)]
    desk.viewer.layers.remove(stack)
    assert desk.viewer.dims.ndim == 3
    assert desk.masks().data[4].any()
