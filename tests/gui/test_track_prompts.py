"""Prompts as layers: what they say in pixels of the video, and undo against a plain list of prompts."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sam2_probe.gui.prompt_layers import PromptLayers
from napari_sam2_probe.gui.prompt_snapshot import snapshot_of
from napari_sam2_probe.gui.state import VideoEntry
from napari_sam2_probe.live.prompt_state import PackedMask, PromptState
from napari_sam2_probe.video import ArraySource, Video

T, H, W = 6, 20, 32
POINT, OTHER = (8.5, 4.5, 1), (12.0, 3.25, 0)


def make_video(**placement):
    viewer = ViewerModel()
    data = np.zeros((T, H, W), np.uint8)
    layer = viewer.add_image(data, name="clip", **placement)
    return viewer, VideoEntry(layer, Video(ArraySource(data, name="clip")))


def make(**placement):
    viewer, video = make_video(**placement)
    prompts = PromptLayers(viewer, video)
    said = []
    prompts.changed.connect(said.append)
    return viewer, prompts, said


masks = st.integers(1, 2**12 - 1).map(
    lambda bits: PackedMask.pack(np.array([bits >> k & 1 for k in range(12)], bool).reshape(3, 4))
)
edges = st.floats(0, 30, allow_nan=False)
points = st.lists(st.tuples(edges, edges, st.integers(0, 1)), max_size=4).map(tuple)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(1, 3)),
        st.one_of(points.filter(bool).map(PromptState), masks.map(lambda mask: PromptState(mask=mask))),
    )
)
def test_states_come_back_from_their_snapshot(states):
    def shifted(place):
        return place[0], 2 * place[1] + 3, 2 * place[2] - 1

    def back(place):
        return place[0], (place[1] - 3) / 2, (place[2] + 1) / 2

    found = snapshot_of(states, shifted, shifted).states(back, back, (H, W))
    assert found.keys() == states.keys()
    for key, state in states.items():
        assert found[key].mask == state.mask
        np.testing.assert_allclose(found[key].points, state.points, atol=1e-9)


@given(masks)
def test_a_packed_mask_comes_back(mask):
    assert PackedMask.pack(mask.unpack()) == mask
    assert mask.unpack().shape == (3, 4)


@pytest.mark.parametrize(
    "placement",
    [
        {},
        {"scale": (1, 2, 0.5)},
        {"scale": (3, 2, 2), "translate": (10, -4, 7)},
        {"rotate": 30, "translate": (0, 5, 5)},
    ],
)
def test_the_centre_of_the_first_pixel_is_half_half(placement):
    """A point at data (t, y, x) of the video means x + 0.5, y + 0.5, wherever video and points layer lie."""
    viewer, prompts, said = make(**placement)
    video = viewer.layers["clip"]
    layer = prompts.show_points()
    layer.add(layer.world_to_data(video.data_to_world((2, 0, 0))))
    assert said[-1].keys() == {(2, 1)}
    np.testing.assert_allclose(said[-1][2, 1].points, [(0.5, 0.5, 1)], atol=1e-6)
    # A points layer that the user moves away from the video means other pixels.
    layer.translate = np.array(layer.translate) + np.array(video.scale) * (0, 0, 1)
    layer.add(layer.world_to_data(video.data_to_world((3, 7, 9))))
    np.testing.assert_allclose(prompts.states[3, 1].points, [(9.5, 7.5, 1)], atol=1e-5)


def test_a_rectangle_is_a_box_between_pixel_edges():
    _, prompts, said = make()
    layer = prompts.show_boxes()
    # Around pixels 3 to 5 down and 10 to 14 across, and one that sticks out.
    layer.add_rectangles(np.array([[1, 2.5, 9.5], [1, 2.5, 14.5], [1, 5.5, 14.5], [1, 5.5, 9.5]]))
    assert said[-1] == {(1, 1): PromptState(box=(10.0, 3.0, 15.0, 6.0))}
    layer.add_rectangles(np.array([[4, -9, -9], [4, -9, 5.5], [4, 5.5, 5.5], [4, 5.5, -9]]))
    assert prompts.states[4, 1].box == (0.0, 0.0, 6.0, 6.0)


def box_of(frame_idx, y0, x0, y1, x1):
    return np.array([[frame_idx, y0, x0], [frame_idx, y0, x1], [frame_idx, y1, x1], [frame_idx, y1, x0]])


def test_a_new_box_replaces_that_of_its_object_on_its_frame():
    _, prompts, _ = make()
    layer = prompts.show_boxes()
    layer.add_rectangles(box_of(1, 2, 2, 9, 9))
    layer.add_rectangles(box_of(2, 2, 2, 9, 9))
    layer.add_rectangles(box_of(1, 4, 4, 12, 12))
    assert [(shape[0, 0], shape[0, 1]) for shape in layer.data] == [(2, 2), (1, 4)]
    assert prompts.states[1, 1].box == (4.5, 4.5, 12.5, 12.5)
    prompts.undo()
    assert [(shape[0, 0], shape[0, 1]) for shape in layer.data] == [(1, 2), (2, 2)]
    assert prompts.states[1, 1].box == (2.5, 2.5, 9.5, 9.5)


def test_another_shape_says_the_box_around_it_and_can_be_taken_back():
    _, prompts, _ = make()
    layer = prompts.show_boxes()
    layer.add_polygons(np.array([[1, 3, 4], [1, 3, 14], [1, 9, 14], [1, 12, 9], [1, 9, 4]]))
    assert prompts.states == {(1, 1): PromptState(box=(4.5, 3.5, 14.5, 12.5))}
    layer.add_rectangles(box_of(2, 2, 2, 9, 9))
    prompts.undo()
    assert prompts.states == {(1, 1): PromptState(box=(4.5, 3.5, 14.5, 12.5))}
    assert layer.shape_type == ["rectangle"]


@pytest.mark.parametrize(
    ("drawn", "reason"), [(box_of(1, -9, -9, -2, -2), "nothing of the picture"), (box_of(1, 5, 5, 5.2, 5.2), "click")]
)
def test_a_box_that_marks_nothing_is_refused_and_taken_out(drawn, reason):
    _, prompts, _ = make()
    reasons = []
    prompts.refused.connect(reasons.append)
    layer = prompts.show_boxes()
    layer.add_rectangles(box_of(1, 2, 2, 9, 9))
    layer.add_rectangles(drawn)
    assert len(reasons) == 1
    assert reason in reasons[0]
    assert len(layer.data) == 1
    assert prompts.states == {(1, 1): PromptState(box=(2.5, 2.5, 9.5, 9.5))}


def test_a_copied_box_is_for_the_frame_that_it_is_pasted_on():
    viewer, prompts, _ = make()
    layer = prompts.show_boxes()
    layer.add_rectangles(box_of(1, 2, 2, 9, 9))
    viewer.dims.set_current_step(0, 1)
    layer.mode = "select"
    layer.selected_data = {0}
    layer._copy_data()
    viewer.dims.set_current_step(0, 4)
    layer._paste_data()
    assert prompts.states.keys() == {(1, 1), (4, 1)}
    assert prompts.states[4, 1] == prompts.states[1, 1]


def test_a_painted_mask_is_a_prompt_and_can_be_taken_back(qapp):
    viewer, prompts, said = make()
    layer = prompts.show_masks()
    viewer.dims.set_current_step(0, 3)
    prompts.set_object(2)
    layer.brush_size = 3
    layer.paint((3, 5, 6), 2)
    qapp.processEvents()
    mask = prompts.states[3, 2].mask.unpack()
    assert mask[5, 6]
    np.testing.assert_array_equal(mask, layer.data[3] == 2)
    layer.paint((3, 5, 6), 0)
    qapp.processEvents()
    assert prompts.states == {}
    prompts.undo()
    np.testing.assert_array_equal(layer.data[3] == 2, mask)
    assert said[-1][3, 2].mask.unpack().tolist() == mask.tolist()
    prompts.undo()
    assert not layer.data.any()


def test_features_colour_and_symbol_say_sign_and_object():
    _, prompts, _ = make()
    layer = prompts.show_points()
    layer.add((0, 1, 1))
    prompts.set_object(2)
    prompts.toggle_sign()
    layer.add((0, 5, 5))
    assert layer.features["obj_id"].tolist() == [1, 2]
    assert layer.features["positive"].tolist() == [True, False]
    assert [str(symbol) for symbol in layer.symbol] == ["disc", "x"]
    assert len({tuple(colour) for colour in layer.face_color}) == 2
    # The rim is for being seen; the chosen object's points are the larger ones.
    assert len({tuple(colour) for colour in layer.border_color}) == 1
    assert layer.size[1] > layer.size[0]
    assert prompts.states == {(0, 1): PromptState(((1.5, 1.5, 1),)), (0, 2): PromptState(((5.5, 5.5, 0),))}
    layer.mode = "select"
    layer.selected_data = {1}
    prompts.toggle_sign()
    assert prompts.states[0, 2].points == ((5.5, 5.5, 1),)
    assert layer.selected_data == {1}
    prompts.undo()
    assert prompts.states[0, 2].points == ((5.5, 5.5, 0),)
    assert layer.features["positive"].tolist() == [True, False]


def test_a_new_point_is_not_like_the_one_that_was_selected():
    _, prompts, _ = make()
    layer = prompts.show_points()
    layer.add((0, 1, 1))
    prompts.set_object(2)
    prompts.set_positive(False)
    layer.mode = "select"
    layer.selected_data = {0}
    layer.mode = "add"
    layer.add((0, 5, 5))
    assert prompts.states == {(0, 1): PromptState(((1.5, 1.5, 1),)), (0, 2): PromptState(((5.5, 5.5, 0),))}


def test_a_point_outside_is_refused_and_taken_out():
    _, prompts, said = make()
    reasons = []
    prompts.refused.connect(reasons.append)
    layer = prompts.show_points()
    layer.add((0, 3, 3))
    layer.add((0, H + 5, 3))
    assert len(reasons) == 1
    assert "outside" in reasons[0]
    assert layer.data.tolist() == [[0, 3, 3]]
    assert len(said) == 1
    prompts.undo()
    assert prompts.states == {}
    prompts.set_object(3)
    layer.add((0, H + 5, 3))
    layer.add((0, 3, 3))
    assert prompts.states.keys() == {(0, 3)}


def test_other_words_drop_the_choice_among_candidates():
    _, prompts, said = make()
    layer = prompts.show_points()
    layer.add((0, 3, 3))
    prompts.choose((0, 1), 2)
    assert said[-1][0, 1].candidate == 2
    layer.add((0, 4, 4))
    assert said[-1][0, 1].candidate is None
    prompts.undo()
    assert said[-1][0, 1].candidate == 2
    prompts.undo()
    assert said[-1][0, 1].candidate is None


def test_a_deleted_layer_takes_its_prompts_along():
    viewer, prompts, said = make()
    prompts.show_points().add((0, 3, 3))
    prompts.show_boxes().add_rectangles(np.array([[0, 2, 2], [0, 2, 9], [0, 9, 9], [0, 9, 2]]))
    viewer.layers.remove(prompts.layers[0])
    assert said[-1] == {(0, 1): PromptState(box=(2.5, 2.5, 9.5, 9.5))}
    prompts.undo()
    assert prompts.states == said[-1]
    assert len(prompts.show_points().data) == 0


@pytest.mark.parametrize("last", ["the prompts", "the layer"])
def test_a_layer_that_is_gone_holds_nothing_of_the_video(last):
    viewer, prompts, _ = make()
    # napari's controls may hold it as this test does.
    layer = prompts.show_points()
    if last == "the prompts":
        viewer.layers.remove(layer)
    prompts.close()
    held = weakref.ref(prompts)
    del prompts, viewer
    gc.collect()
    assert held() is None
    assert layer.ndim == 3


def test_a_renamed_and_moved_layer_is_still_the_one():
    viewer, prompts, said = make()
    layer = prompts.show_points()
    layer.name = "mine"
    viewer.layers.move(1, 0)
    layer.add((0, 3, 3))
    assert len(said) == 1
    assert prompts.show_points() is layer


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, T - 1), st.integers(0, H - 1), st.integers(0, W - 1)),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("sign")),
        st.tuples(st.just("object"), st.integers(1, 3)),
        st.tuples(st.just("undo")),
        st.tuples(st.just("redo")),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_undo_and_redo_are_those_of_a_plain_list(chosen):
    _, prompts, _ = make()
    layer = prompts.show_points()
    now, done, undone, positive, obj_id = [], [], [], True, 1
    for name, *values in chosen:
        if name == "add":
            layer.add(tuple(values))
            done.append(now)
            now, undone = [*now, (*values, obj_id, positive)], []
        elif name == "remove" and values[0] < len(now):
            layer.remove([values[0]])
            done.append(now)
            now, undone = now[: values[0]] + now[values[0] + 1 :], []
        elif name == "sign":
            prompts.set_positive(not positive)
            positive = not positive
        elif name == "object":
            prompts.set_object(values[0])
            obj_id = values[0]
        elif name == "undo":
            prompts.undo()
            if done:
                undone.append(now)
                now = done.pop()
        elif name == "redo":
            prompts.redo()
            if undone:
                done.append(now)
                now = undone.pop()
        rows = zip(layer.data, layer.features["obj_id"], layer.features["positive"], strict=True)
        assert [(*map(int, place), int(of), bool(sign)) for place, of, sign in rows] == now
        wanted = {}
        for t, y, x, of, sign in now:
            wanted.setdefault((t, of), []).append((x + 0.5, y + 0.5, int(sign)))
        assert {key: list(state.points) for key, state in prompts.states.items()} == wanted
