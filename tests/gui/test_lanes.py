"""The lanes under the video: what they show, where a click and keys lead, and that they need no Track panel."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt

from helpers.hands import picture_of
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.lane_painting import DOUBT_COLOUR, FrameAxis
from napari_sam2_probe.gui.lanes import LANE, LEAST_LANE, Lanes
from napari_sam2_probe.gui.plots.area import readable
from napari_sam2_probe.gui.plots.theme import plot_theme
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.tracking.shared import borrow_controller
from napari_sam2_probe.gui.videos import use_video, video_from_layer
from napari_sam2_probe.live.events import FrameShown
from napari_sam2_probe.live.true_scores import TrueScores

T, H, W = 40, 40, 60
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def lanes(viewer, qtbot, tmp_path):
    lanes = Lanes(viewer)
    lease = borrow_controller(viewer)
    lanes.controller.use_runs_folder(tmp_path)
    lanes.controller.choose_model(None)
    qtbot.addWidget(lanes)
    lanes.resize(900, 120)
    yield lanes
    lease.controller.shut_down()


def add_video(viewer, frames=T):
    data = np.random.default_rng(7).integers(0, 255, (frames, H, W, 3), np.uint8)
    layer = viewer.add_image(data, name="noise", rgb=True)
    viewer.dims.set_current_step(0, 0)
    use_video(viewer, video_from_layer(layer))
    return layer


def track(lanes, frames, scores, *, direction="forward", prompted=None):
    """As a live run tells of them: objects 1, 2, … with these object scores and a predicted IoU of 0.9."""
    ids = tuple(range(1, len(scores) + 1))
    numbers = np.array(scores, np.float32)
    truth = TrueScores(np.full(len(ids), 0.5, np.float32), ids)
    for frame_idx in frames:
        ious = np.full(len(ids), 0.9, np.float32)
        lanes.controller.scores.take(FrameShown(frame_idx, ids, numbers, ious, truth, direction, prompted))
    lanes.controller.scores_changed.emit()


def frame_shown(viewer):
    return viewer.dims.current_step[0]


def at(lanes, frame_idx, obj_id):
    return QPoint(round(lanes.axis.centre(frame_idx)), round(lanes.box_of(obj_id).center().y()))


def colours_over(lanes, frame_idx, obj_id):
    """All colours of a frame in a lane."""
    picture, box, axis = picture_of(lanes), lanes.box_of(obj_id), lanes.axis
    part = picture[
        round(box.top()) : round(box.bottom()), round(axis.start(frame_idx)) : round(axis.start(frame_idx + 1))
    ]
    return {"#" + bytes(pixel).hex() for pixel in part.reshape(-1, 3)}


def test_without_a_video_there_is_a_sentence_and_nothing_to_click(lanes, qtbot):
    assert lanes.lanes == ()
    qtbot.mouseClick(lanes, LEFT, pos=QPoint(300, 40))
    qtbot.keyClick(lanes, Qt.Key.Key_Right)
    assert len({tuple(pixel) for pixel in picture_of(lanes).reshape(-1, 3)}) > 1


def test_a_lane_for_each_object_and_a_click_goes_there(lanes, viewer, qtbot):
    add_video(viewer)
    assert [lane.obj_id for lane in lanes.lanes] == [1]
    least = lanes.minimumSizeHint().height()
    lanes.controller.prompts.add_point((0, 10, 20))
    lanes.controller.add_object()
    lanes.controller.prompts.add_point((4, 30, 40))
    assert [lane.obj_id for lane in lanes.lanes] == [1, 2]
    assert lanes.minimumSizeHint().height() == least + LEAST_LANE
    assert LEAST_LANE <= lanes.box_of(2).height() <= LANE + 2
    assert lanes.lanes[1].marks.keys() == {4}
    state = state_of(viewer)
    qtbot.mouseClick(lanes, LEFT, pos=at(lanes, 31, 1))
    assert (frame_shown(viewer), state.obj_id, lanes.frame) == (31, 1, 31)
    # On the name, an object is chosen and the slider stays.
    qtbot.mouseClick(lanes, LEFT, pos=QPoint(30, round(lanes.box_of(2).center().y())))
    assert (frame_shown(viewer), state.obj_id) == (31, 2)
    for key, frame_idx in ((Qt.Key.Key_Left, 30), (Qt.Key.Key_End, 39), (Qt.Key.Key_Right, 39), (Qt.Key.Key_Home, 0)):
        qtbot.keyClick(lanes, key)
        assert frame_shown(viewer) == frame_idx
    qtbot.keyClick(lanes, Qt.Key.Key_Up)
    assert state.obj_id == 1


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_doubtful_frames_stand_out_and_are_gone_to(lanes, viewer, qtbot, theme):
    viewer.theme = theme
    add_video(viewer)
    lanes.controller.add_object()
    track(lanes, range(T), [9, 9])
    track(lanes, range(20, 24), [1, 9])
    track(lanes, range(30, 31), [9, 1])
    doubt = readable(DOUBT_COLOUR, plot_theme(theme).background)
    assert doubt in colours_over(lanes, 21, 1)
    assert doubt not in colours_over(lanes, 21, 2)
    assert doubt not in colours_over(lanes, 25, 1)
    found = []
    for _ in range(3):
        qtbot.keyClick(lanes, Qt.Key.Key_D)
        found.append((frame_shown(viewer), state_of(viewer).obj_id))
    assert found == [(20, 1), (30, 2), (20, 1)]
    qtbot.keyClick(lanes, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert frame_shown(viewer) == 30
    assert lanes.describe(21).splitlines() == [
        "Frame 21",
        "Object 1: tracked, object score 1.0, predicted IoU 0.90, J 0.50, doubtful",
        "Object 2: tracked, object score 9.0, predicted IoU 0.90, J 0.50",
    ]


def test_tracked_stale_and_other_frames_look_different(lanes, viewer):
    add_video(viewer)
    track(lanes, range(10, 30), [9])
    track(lanes, [20], [9], direction=None, prompted=1)
    looks = [colours_over(lanes, frame_idx, 1) for frame_idx in (5, 15, 25)]
    nothing, tracked, stale = looks
    assert "stale" in lanes.describe(25)
    ground = "#" + bytes(picture_of(lanes)[2, 2]).hex()
    assert not (nothing & tracked) - {ground}
    # Hatched: the ground is seen between strokes.
    assert nothing & stale - {ground}


def test_following_is_given_up_for_this_tracking_alone(lanes, viewer, qtbot):
    layer = add_video(viewer)
    controller = lanes.controller
    lanes.controller.runner.phase_changed.emit(Phase.TRACKING)
    qtbot.mouseClick(lanes, LEFT, pos=at(lanes, 31, 1))
    shown = FrameShown(8, (1,), *np.ones((2, 1), np.float32), TrueScores(np.ones(1, np.float32), (1,)), "forward")
    controller._on_event(shown)
    assert frame_shown(viewer) == 31
    controller.runner.phase_changed.emit(Phase.TRACKING)
    controller._on_event(shown)
    assert frame_shown(viewer) == 8
    assert controller.follow
    assert layer in viewer.layers


def test_a_run_that_is_opened_is_shown_where_nothing_is_tracked(lanes, viewer, qtbot, maker):
    path = maker.run(object_ids=(1, 3))
    state_of(viewer).add_run(RunEntry(path, "run"))
    qtbot.waitUntil(lambda: [lane.obj_id for lane in lanes.lanes] == [1, 3])
    # The last frame was never tracked.
    assert "not tracked" in lanes.describe(maker.num_frames - 1)
    assert "object score 1.0" in lanes.describe(2)
    # A video with other frames is another matter.
    add_video(viewer)
    assert [lane.num_frames for lane in lanes.lanes] == [T]
    viewer.layers.clear()
    assert [lane.obj_id for lane in lanes.lanes] == [1, 3]
    state_of(viewer).current_run = None
    assert lanes.lanes == ()


def test_a_run_that_can_not_be_read_has_no_lanes_and_not_those_of_the_run_before(lanes, viewer, qtbot, maker, tmp_path):
    state = state_of(viewer)
    state.add_run(RunEntry(maker.run(object_ids=(1, 3)), "run"))
    qtbot.waitUntil(lambda: len(lanes.lanes) == 2)
    state.add_run(RunEntry(tmp_path / "gone", "gone"))
    qtbot.waitUntil(lambda: lanes.lanes == ())


def test_one_controller_for_all_and_it_ends_with_the_last(viewer, qtbot):
    first, second = borrow_controller(viewer), borrow_controller(viewer)
    assert first.controller is second.controller
    closed = []
    first.controller.runner.close = lambda: closed.append(True)
    first.close()
    first.close()
    assert not closed
    second.close()
    assert closed
    third = borrow_controller(viewer)
    assert third.controller is not first.controller
    third.close()


@pytest.mark.parametrize("num_frames", [1, 40, 5000])
def test_each_frame_has_its_place(num_frames):
    axis = FrameAxis(num_frames, 100, 800)
    assert [axis.frame_at(axis.centre(t)) for t in range(num_frames)] == list(range(num_frames))
    assert axis.frame_at(0) == 0
    assert axis.frame_at(1e4) == num_frames - 1
    bins = axis.bins()
    assert bins[0] == 0
    assert len(bins) == min(num_frames, 800)
    assert (np.diff(bins) > 0).all()


def test_a_long_video_is_painted_and_its_one_doubtful_frame_is_seen(lanes, viewer):
    viewer.add_image(np.zeros((5000, 4, 4), np.uint8), name="long")
    use_video(viewer, video_from_layer(viewer.layers[0]))
    track(lanes, range(5000), [9])
    track(lanes, [2345], [1])
    doubt = readable(DOUBT_COLOUR, plot_theme(viewer.theme).background)
    picture, x = picture_of(lanes), round(lanes.axis.centre(2345))
    near = {"#" + bytes(pixel).hex() for pixel in picture[:, x - 3 : x + 3].reshape(-1, 3)}
    assert doubt in near


def test_the_model_that_was_chosen_stays_when_lanes_come_and_go(viewer, qtbot):
    lease = borrow_controller(viewer)
    lease.controller.choose_model(ModelChoice("sample", device="cpu"))
    widget = Lanes(viewer)
    qtbot.addWidget(widget)
    widget.close()
    assert widget.controller.choice == ModelChoice("sample", device="cpu")
    lease.controller.shut_down()
