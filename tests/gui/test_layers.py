"""A run as layers: what is there, under which names, and that every map lies exactly over the video."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Layer

from napari_sam2_probe.gui.blank_frames import hide_blank_frames
from napari_sam2_probe.gui.layers import DIFFERENCE, METADATA_KEY, contrast_limits, map_transform, run_to_layers
from napari_sam2_probe.gui.lazy import VideoStack
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.runs import open_run

MAP_POSITIONS = [p for p in POSITIONS if p.is_map]

sizes = st.integers(1, 2000)


def by_content(layers, content):
    return [layer for layer in layers if layer[1]["metadata"][METADATA_KEY]["content"] == content]


@given(sizes, sizes, sizes, sizes)
def test_a_map_covers_the_frame_edge_to_edge(map_height, map_width, height, width):
    transform = map_transform((map_height, map_width), (height, width))
    for axis, inner, outer in ((1, map_height, height), (2, map_width, width)):
        first_edge = -0.5 * transform["scale"][axis] + transform["translate"][axis]
        last_edge = (inner - 0.5) * transform["scale"][axis] + transform["translate"][axis]
        assert first_edge == pytest.approx(-0.5)
        assert last_edge == pytest.approx(outer - 0.5)
    assert transform["scale"][0] == 1
    assert transform["translate"][0] == 0


def test_one_layer_per_object_position_and_statistic(maker):
    layers = run_to_layers(open_run(maker.run(video=maker.video(), object_ids=(3, 7))))
    maps = [layer[1]["metadata"][METADATA_KEY] for layer in by_content(layers, "map")]
    wanted = {
        (obj_id, position.number, statistic)
        for obj_id in (3, 7)
        for position in MAP_POSITIONS
        for statistic in ("mean", "variance")
    }
    assert {(m["obj_id"], m["position"], m["statistic"]) for m in maps} == wanted
    assert len(maps) == len(wanted)
    names = [keywords["name"] for _, keywords, _ in layers]
    assert len(set(names)) == len(names)
    assert [kind for _, _, kind in layers] == ["image"] * (len(layers) - 1) + ["labels"]
    assert [m[1]["visible"] for m in by_content(layers, "map")].count(True) == 1


def test_layers_hold_what_the_run_holds(maker):
    run = open_run(maker.run(video=maker.video(), object_ids=(3, 7)))
    for data, keywords, _ in by_content(run_to_layers(run), "map"):
        content = keywords["metadata"][METADATA_KEY]
        obj_idx = run.object_ids.tolist().index(content["obj_id"])
        np.testing.assert_array_equal(data, run.maps(content["key"], content["statistic"])[obj_idx])
        assert content["run"] == str(run.path)
    layers = run_to_layers(run)
    np.testing.assert_array_equal(layers[-1][0], run.masks[:])
    video = np.asarray(layers[0][0])
    assert video.shape == (maker.num_frames, maker.height, maker.width, 3)
    for frame_idx in range(maker.num_frames):
        assert (video[frame_idx][maker.video_square] == 200 + frame_idx).all()


def test_contrast_comes_from_ordinary_finite_frames(maker):
    # Frame 0 is prompted and ten thousand times brighter; the last frame is NaN.
    layers = run_to_layers(open_run(maker.run()))
    for position, (_, keywords, _) in zip(np.repeat(MAP_POSITIONS, 2), by_content(layers, "map"), strict=True):
        low, high = keywords["contrast_limits"]
        assert 0 <= low < 0.1
        assert high == pytest.approx(1 + MAP_POSITIONS.index(position))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 5e8, -3.0])
def test_contrast_limits_are_always_usable(value):
    maps = np.full((3, 4, 4), value, np.float32)
    low, high = contrast_limits(maps, np.arange(3))
    assert np.isfinite([low, high]).all()
    assert np.float32(low) < np.float32(high)
    assert contrast_limits(maps, np.arange(0)) == (0.0, 1.0)


def test_video_frames_are_read_only_when_looked_at():
    class Counting:
        num_frames, height, width = 1000, 4, 6

        def __init__(self):
            self.reads = []

        def read(self, frame_idx):
            self.reads.append(frame_idx)
            return np.full((4, 6, 3), frame_idx % 256, np.uint8)

    source = Counting()
    video = VideoStack(source)
    assert (video.shape, video.dtype) == ((1000, 4, 6, 3), np.uint8)
    assert source.reads == []
    frame = np.asarray(video[700, 1:3])
    assert source.reads == [700]
    assert frame.shape == (2, 6, 3)
    assert (frame == 700 % 256).all()


def test_a_run_without_its_video_says_so_and_keeps_the_rest(maker):
    video = maker.video()
    run = open_run(maker.run(video=video))
    whole = run_to_layers(run)
    shutil.rmtree(video)
    with pytest.warns(UserWarning, match="without its video"):
        layers = run_to_layers(run)
    assert [keywords["name"] for _, keywords, _ in layers] == [keywords["name"] for _, keywords, _ in whole[1:]]


def test_another_video_at_the_old_place_is_not_shown(maker):
    video = maker.video()
    run = open_run(maker.run(video=video))
    (video / "00005.png").unlink()
    with pytest.warns(UserWarning, match="now 5 frames of 128 x 32 pixels but the run was made on 6 frames"):
        layers = run_to_layers(run)
    assert by_content(layers, "video") == []


def test_a_run_from_an_array_has_no_video_layer(maker):
    assert by_content(run_to_layers(open_run(maker.run())), "video") == []


def test_square_has_the_same_world_coordinates_in_map_and_video(maker, make_napari_viewer):
    viewer = make_napari_viewer()
    for data, keywords, kind in run_to_layers(open_run(maker.run(video=maker.video()))):
        viewer.add_layer(Layer.create(data, keywords, kind))
    viewer.dims.set_current_step(0, 2)

    def world_edges(layer, square):
        rows, columns = square
        corners = [(2, rows.start - 0.5, columns.start - 0.5), (2, rows.stop - 0.5, columns.stop - 0.5)]
        return [layer.data_to_world(corner) for corner in corners]

    video = viewer.layers[0]
    expected = world_edges(video, maker.video_square)
    maps = [layer for layer in viewer.layers if layer.metadata[METADATA_KEY]["content"] == "map"]
    assert len(maps) == 2 * len(MAP_POSITIONS)
    for layer in maps:
        np.testing.assert_allclose(world_edges(layer, maker.map_square), expected)
        whole_map = (slice(0, maker.map_size), slice(0, maker.map_size))
        whole_video = (slice(0, maker.height), slice(0, maker.width))
        np.testing.assert_allclose(world_edges(layer, whole_map), world_edges(video, whole_video))
    maps[0].visible = True
    # What a person reads under the cursor just inside and just outside the square's corner.
    for y, x, inside in ((8.1, 20.1, True), (7.2, 20.1, False), (8.1, 19.2, False), (15.1, 39.1, True)):
        assert (video.get_value((2, y, x), world=True)[0] > 100) is np.bool_(inside)
        assert (maps[0].get_value((2, y, x), world=True) > 0.5) is np.bool_(inside)
    assert tuple(viewer.dims.axis_labels) == ("time", "y", "x")


def test_square_is_drawn_at_the_same_place_in_map_and_video(maker, make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    for data, keywords, kind in run_to_layers(open_run(maker.run(video=maker.video()))):
        viewer.add_layer(Layer.create(data, keywords | {"visible": False, "opacity": 1.0}, kind))
    viewer.reset_view()
    viewer.dims.set_current_step(0, 2)

    def drawn(layer):
        layer.visible = True
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int).sum(-1)
        layer.visible = False
        return picture > 0.5 * picture.max()

    video, map_layer = viewer.layers[0], viewer.layers[2]
    map_layer.colormap = "gray"
    in_video, in_map = drawn(video), drawn(map_layer)
    assert in_video.sum() > 1000
    # One pixel of difference along the outline comes from smooth drawing of the video.
    assert (in_video & in_map).sum() / (in_video | in_map).sum() > 0.97
    assert not drawn(viewer.layers[-1])[0, 0]


@pytest.mark.parametrize("opened_by", ["drop", "hand", "difference"])
def test_frames_without_values_are_transparent(maker, make_napari_viewer, opened_by):
    viewer = make_napari_viewer(show=True)
    run = maker.run()
    if opened_by == "drop":
        viewer.open([str(run)], plugin="napari-sam2-probe")
        layer = viewer.layers[0]
    else:
        data, keywords, kind = run_to_layers(open_run(run))[0]
        if opened_by == "difference":
            keywords["metadata"][METADATA_KEY]["content"] = DIFFERENCE
        layer = viewer.add_layer(Layer.create(data, keywords, kind))
        hide_blank_frames(viewer)
    for other in viewer.layers:
        other.visible = other is layer
    layer.opacity = 1.0
    # What drivers do that don't know NaN.
    layer.colormap = layer.colormap.model_copy(update={"nan_color": np.array([1.0, 0.0, 0.0, 1.0], np.float32)})
    viewer.reset_view()

    def drawn(frame_idx):
        viewer.dims.set_current_step(0, frame_idx)
        picture = viewer.screenshot(canvas_only=True, flash=False)
        return bool((picture != picture[0, 0]).any())

    last = maker.num_frames - 1
    assert drawn(2)
    assert not drawn(last)
    layer.visible = False
    layer.visible = True
    assert not drawn(last)
    assert drawn(2)
