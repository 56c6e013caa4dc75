"""Every click on the video is a prompt while Track is in front, whatever was added, chosen or deleted before."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from helpers.hands import click_canvas, drag_canvas
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.adding import turns_of
from napari_sam2_probe.gui.decoded_layers import show_decoded
from napari_sam2_probe.gui.decoders import DecodedBoxes
from napari_sam2_probe.gui.layer_order import layers_of, rank_of, video_of
from napari_sam2_probe.gui.layers import MAP, METADATA_KEY
from napari_sam2_probe.gui.map_layers import add_map_layer
from napari_sam2_probe.gui.panels.track import TrackPanel
from napari_sam2_probe.gui.videos import add_video, read_video, use_video, video_from_layer, video_layers

H, W = 240, 432
CORNERS = [np.array([[0, 5, 5], [0, 5, 30], [0, 30, 30], [0, 30, 5]])]


class Window:
    """A window with the Track panel, without a model: what a click says is looked at, not what SAM 2 makes of it."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        viewer.window._qt_window.resize(900, 600)
        self.panel = TrackPanel(viewer)
        self.controller = self.panel.controller
        self.controller.choose_model(None)
        self.refused = []
        self.controller.refused.disconnect()
        self.controller.refused.connect(self.refused.append)
        self.dock = viewer.window.add_dock_widget(self.panel, name="Track")
        self.runs = count()
        self.settle()

    @property
    def active(self):
        return self.viewer.layers.selection.active

    @property
    def video(self):
        return self.controller.video.layer

    def settle(self):
        turns = turns_of(self.viewer)
        self.qtbot.waitUntil(lambda: not len(turns) and not self.panel.clicks._soon.isActive(), timeout=60_000)
        self.qtbot.wait(1)

    def open(self, name):
        add_video(self.viewer, read_video(sample_data_folder() / name))
        self.settle()

    def open_with_napari(self, name):
        """As File → Open Sample does."""
        for data, keywords, kind in video_layers(read_video(sample_data_folder() / name)):
            getattr(self.viewer, f"add_{kind}")(data, **keywords)
        self.settle()

    def map(self):
        about = {"content": MAP, "run": f"run {next(self.runs)}", "key": "x", "statistic": "mean", "obj_id": 1}
        keywords = {"name": "a map", "scale": (1, H / 8, W / 8), "metadata": {METADATA_KEY: about}}
        add_map_layer(self.viewer, (np.zeros((40, 8, 8), np.float32), keywords, "image"), self.video)
        self.settle()

    def prediction(self):
        result = self.controller._workspace.result
        result.show(np.zeros((40, H, W), np.uint8), self.controller.objects.colormap())
        self.settle()

    def boxes(self):
        show_decoded(self.viewer, Path(f"run {next(self.runs)}"), DecodedBoxes("run", CORNERS, [1]), self.video)
        self.settle()

    def delete(self, layer):
        self.viewer.layers.remove(layer)
        self.settle()

    def points(self):
        """All points that are said, (frame, y, x) in pixels of the video."""
        states = self.controller.prompts.states
        return [(t, y - 0.5, x - 0.5) for (t, _), said in sorted(states.items()) for x, y, _ in said.points]

    def signs(self):
        """Whether each point is on the object, in the order in which they were given."""
        return [bool(sign) for said in self.controller.prompts.states.values() for _, _, sign in said.points]

    def click(self, place=(120, 200), *how):
        self.viewer.reset_view()
        self.settle()
        frame = self.viewer.dims.current_step[0]
        click_canvas(self.qtbot, self.viewer, self.video, (frame, *place), *how)
        self.settle()
        return frame, *place

    def do(self, what, *how):
        layers = self.viewer.layers
        if what == "work on":
            videos = [layer for layer in layers if video_of(self.viewer, layer) is layer]
            use_video(self.viewer, video_from_layer(videos[how[0] % len(videos)]))
        elif what == "tool":
            getattr(self.controller.prompts, how[0])()
        elif what == "own layer":
            self.viewer.add_labels(np.zeros((40, 8, 8), np.uint8), name="mine")
        elif what == "choose":
            layers.selection.active = layer_at(self.viewer, *how)
        elif what == "delete" and layer_at(self.viewer, *how) is not self.video:
            self.delete(layer_at(self.viewer, *how))
        elif what != "delete":
            getattr(self, {"open with napari": "open_with_napari"}.get(what, what))(*how)

    def check_click(self):
        """A click is a point of the video that is worked on, right there."""
        before = self.points()
        place = self.click((100 + 7 * (len(before) % 9), 150 + 11 * (len(before) % 13)))
        (new,) = [point for point in self.points() if point not in before]
        # A pixel on the screen may be more than one of the video.
        np.testing.assert_allclose(new, place, atol=1.6)
        assert self.active in self.controller.prompts.layers
        assert str(self.active.mode) == "add"

    def check_order(self):
        for video in [layer for layer in self.viewer.layers if video_of(self.viewer, layer) is layer]:
            ranks = [rank_of(layer) for layer in layers_of(self.viewer, video)]
            assert all(low <= high for low, high in pairwise(ranks)), [layer.name for layer in self.viewer.layers]


@pytest.fixture
def window(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    window = Window(viewer, qtbot)
    yield window
    viewer.close()


def noise(frames=5):
    return np.random.default_rng(0).integers(0, 255, (frames, H, W), np.uint8)


def is_armed(window):
    active = window.active
    return active in window.controller.prompts.layers and str(active.mode) == "add"


def test_a_video_that_was_there_before_the_panel(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    # One of the user's own, as napari opens it, and the only one that may be meant.
    viewer.add_image(noise(), name="film")
    window = Window(viewer, qtbot)
    assert is_armed(window)
    window.check_click()
    viewer.close()


@pytest.mark.parametrize("how", ["open", "open_with_napari"])
def test_a_video_that_is_opened_after_the_panel(window, how):
    getattr(window, how)("coins")
    assert [rank_of(layer).name for layer in window.viewer.layers] == ["VIDEO", "GROUND_TRUTH", "CLICKS"]
    assert is_armed(window)
    window.check_click()


def test_nothing_is_chosen_where_two_may_be_meant(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    for name in ("one", "other"):
        viewer.add_image(noise(), name=name)
    window = Window(viewer, qtbot)
    assert window.controller.video is None
    assert len(viewer.layers) == 2
    viewer.close()


def test_the_video_that_is_worked_on_is_the_one_that_is_prompted(window):
    window.open("coins")
    first = window.video
    window.check_click()
    window.open("cat")
    assert window.video is not first
    assert is_armed(window)
    window.check_click()
    assert len(window.points()) == 1
    use_video(window.viewer, video_from_layer(first))
    window.settle()
    assert is_armed(window)
    assert len(window.points()) == 1
    window.check_click()
    assert len(window.points()) == 2


def test_the_image_layer_may_be_chosen_and_a_click_is_not_lost(window):
    window.open("coins")
    window.viewer.layers.selection.active = window.video
    window.settle()
    # For its contrast, say.
    assert window.active is window.video
    window.check_click()


RIGHT = (Qt.MouseButton.RightButton,)
ALT = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier)


@pytest.mark.parametrize("chosen", ["points", "video"])
def test_a_right_click_and_one_with_alt_exclude_and_a_click_on_a_point_removes_it(window, chosen):
    window.open("coins")
    places = [(100, 100), (100, 200), (100, 300)]
    for place, how in zip(places, [(), RIGHT, ALT], strict=True):
        if chosen == "video":
            window.viewer.layers.selection.active = window.video
        window.click(place, *how)
    assert window.signs() == [True, False, False]
    np.testing.assert_allclose([point[1:] for point in window.points()], places, atol=1.6)
    # The sign that is chosen stays.
    assert window.controller.prompts.positive
    window.click(places[1])
    assert window.signs() == [True, False]
    window.click(places[2], *RIGHT)
    assert window.signs() == [True]
    window.controller.prompts.undo()
    assert window.signs() == [True, False]
    window.check_click()
    assert window.signs() == [True, False, True]


def test_a_drag_that_begins_on_a_point_pans_and_keeps_it(window):
    window.open("coins")
    window.click((100, 100))
    before = window.viewer.camera.center
    drag_canvas(window.qtbot, window.viewer, window.video, [(0, 100, 100), (0, 110, 140), (0, 120, 180)])
    assert window.signs() == [True]
    assert window.viewer.camera.center != before
    assert is_armed(window)


def test_a_point_of_another_frame_is_not_removed(window):
    window.open("coins")
    window.click((100, 100))
    window.viewer.dims.set_current_step(0, 3)
    window.click((100, 100))
    assert [t for t, _, _ in window.points()] == [0, 3]


def test_ground_truth_of_the_shown_frame_is_a_prompt_for_each_object(window, qtbot):
    window.open("coins")
    truth = window.controller.video.video
    window.viewer.dims.set_current_step(0, 7)
    window.click((100, 100))
    button = window.panel.findChild(QPushButton, "use_truth")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    window.settle()
    states = window.controller.prompts.states
    assert states.keys() == {(7, obj_id) for obj_id in truth.object_ids()}
    for (_, obj_id), said in states.items():
        # Instead of the point.
        assert said.points == ()
        np.testing.assert_array_equal(said.mask.unpack(), truth.object_mask(7, obj_id))
    assert len(states) == 3
    window.viewer.dims.set_current_step(0, 8)
    window.check_click()
    window.controller.prompts.undo()
    window.controller.prompts.undo()
    assert window.signs() == [True]
    # What has no true masks has no such button.
    layer = window.viewer.add_image(noise(), name="film")
    use_video(window.viewer, video_from_layer(layer))
    assert button.isHidden()


def test_the_panel_says_what_to_do_next(window):
    def said():
        return window.panel.findChild(QLabel, "next_step").text()

    assert said().startswith("Open a video")
    window.open("coins")
    assert said().startswith("Download the chosen model")
    window.controller.choice = ModelChoice()
    window.controller.model_changed.emit()
    assert said().startswith("Click the object")
    window.controller.choice = None
    window.check_click()
    window.controller.choice = ModelChoice()
    window.controller.model_changed.emit()
    assert said().startswith("Track forward")
    scores = window.controller.scores
    scores.object_scores(1)[:] = 5.0
    scores.predicted_iou(1)[:] = 0.95
    scores.predicted_iou(1)[[0, 4]] = 0.3
    window.controller.scores_changed.emit()
    # Frame 0 is prompted.
    assert said().startswith("Review: 1 doubtful frame (4)")
    window.viewer.layers.remove(window.video)
    assert said().startswith("Open a video")


def test_nothing_active_loses_no_click(window):
    window.open("coins")
    window.viewer.layers.selection.active = None
    window.check_click()


def test_a_drag_pans_and_says_nothing(window):
    window.open("coins")
    window.viewer.reset_view()
    window.viewer.layers.selection.active = window.video
    window.settle()
    before = window.viewer.camera.center
    drag_canvas(window.qtbot, window.viewer, window.video, [(0, 100, 100), (0, 110, 140), (0, 120, 180)])
    assert window.points() == []
    assert window.viewer.camera.center != before


def test_a_click_beside_the_video_is_no_prompt_and_no_error(window):
    window.open("coins")
    window.viewer.layers.selection.active = window.video
    window.click((-30, 100))
    assert window.points() == []
    assert window.refused == []


@pytest.mark.parametrize("chosen", ["points", "video"])
def test_a_click_on_another_video_or_behind_the_end_says_so_and_is_no_error(window, chosen):
    def click(layer, frame_idx):
        window.viewer.layers.selection.active = window.controller.prompts.show_points()
        if chosen == "video":
            window.viewer.layers.selection.active = window.video
        window.viewer.dims.set_current_step(0, frame_idx)
        window.viewer.reset_view()
        window.settle()
        click_canvas(window.qtbot, window.viewer, layer, (frame_idx, 60, 60))
        window.settle()
        return window.panel.line.text()

    window.open("coins")
    coins = window.video
    beside = window.viewer.add_image(noise(60), name="beside", translate=(0, 0, 1.2 * W))
    window.settle()
    assert click(beside, 2) == "This is beside, and prompts go to coins: choose beside as Video."
    assert click(coins, 50) == "coins ends with frame 39: go back to prompt it."
    assert window.points() == []
    assert window.refused == []
    assert not window.controller.prompts.can_undo
    click(coins, 2)
    assert len(window.points()) == 1


def test_what_the_user_paints_in_is_left_alone(window):
    window.open("coins")
    own = window.viewer.add_labels(np.zeros((40, H, W), np.uint8), name="mine")
    own.mode = "paint"
    window.map()
    assert window.active is own
    window.click()
    assert window.points() == []
    assert own.data.any()


def test_a_tool_stays_chosen_when_layers_come(window):
    window.open("coins")
    for show, mode in (
        (window.controller.prompts.show_boxes, "add_rectangle"),
        (window.controller.prompts.show_masks, "paint"),
    ):
        layer = show()
        window.map()
        window.prediction()
        assert window.active is layer
        assert str(layer.mode) == mode


def test_buttons_say_what_the_mouse_gives(window):
    window.open("coins")
    checked = {name: window.panel.findChild(QPushButton, name) for name in ("points", "boxes", "masks")}
    assert [name for name, button in checked.items() if button.isChecked()] == ["points"]
    window.controller.prompts.show_masks()
    assert [name for name, button in checked.items() if button.isChecked()] == ["masks"]
    window.viewer.layers.selection.active = window.video
    assert [name for name, button in checked.items() if button.isChecked()] == ["points"]


def test_deleted_points_come_back_with_the_next_click(window):
    window.open("coins")
    window.check_click()
    window.delete(window.active)
    assert window.points() == []
    window.check_click()


def test_hidden_points_are_seen_again_with_the_next_click(window):
    window.open("coins")
    points = window.active
    points.visible = False
    window.check_click()
    assert points.visible


def test_nothing_is_done_while_another_panel_is_in_front(window):
    window.open("coins")
    window.dock.hide()
    window.viewer.layers.selection.active = window.video
    window.open_with_napari("cat")
    layers = list(window.viewer.layers)
    window.viewer.layers.selection.active = layers[-1]
    window.click()
    assert window.points() == []
    assert list(window.viewer.layers) == layers
    window.dock.show()
    window.settle()
    assert is_armed(window)


def test_maps_lie_directly_above_the_video_and_below_all_else(window):
    window.open("coins")
    window.prediction()
    window.boxes()
    window.controller.prompts.show_boxes()
    window.map()
    window.map()
    names = [rank_of(layer).name for layer in window.viewer.layers]
    assert names == ["VIDEO", "MAP", "MAP", "GROUND_TRUTH", "PREDICTION", "BOXES", "BOXES", "DRAWN_BOXES", "CLICKS"]


def test_a_map_that_the_user_has_put_on_top_takes_no_other_with_it(window):
    window.open("coins")
    window.map()
    layers = window.viewer.layers
    layers.move(1, len(layers))
    window.map()
    assert [rank_of(layer).name for layer in layers] == ["VIDEO", "MAP", "GROUND_TRUTH", "CLICKS", "MAP"]


actions = st.lists(
    st.one_of(
        st.sampled_from(["map", "prediction", "boxes", "own layer"]).map(lambda what: (what,)),
        st.tuples(st.sampled_from(["open", "open with napari"]), st.sampled_from(["coins", "cat"])),
        st.tuples(st.just("tool"), st.sampled_from(["show_points", "show_boxes", "show_masks"])),
        st.tuples(st.sampled_from(["choose", "delete"]), st.integers(0, 9)),
        st.tuples(st.just("work on"), st.integers(0, 3)),
    ),
    min_size=2,
    max_size=7,
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions)
@example([("open", "coins"), ("map",), ("prediction",), ("boxes",), ("tool", "show_boxes"), ("choose", 0), ("map",)])
@example([("open with napari", "cat"), ("open", "coins"), ("work on", 0), ("map",), ("delete", 3), ("prediction",)])
def test_whatever_is_done_order_and_clicks_are_right(window, chosen):
    viewer = window.viewer
    viewer.layers.clear()
    window.settle()
    window.open("coins")
    for what, *how in chosen:
        before = window.active
        window.do(what, *how)
        window.settle()
        window.check_order()
        active = window.active
        if what in ("open", "open with napari", "work on"):
            # What came is not what the mouse works with.
            assert active in window.controller.prompts.layers
        elif what in ("map", "prediction", "boxes"):
            assert active is before
        elif what == "choose":
            assert active is layer_at(viewer, how[0])
        if active is None or str(active.mode) in ("pan_zoom", "add"):
            window.check_click()
            window.check_order()


def layer_at(viewer, index):
    return viewer.layers[index % len(viewer.layers)]
