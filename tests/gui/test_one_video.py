"""One video at a time is seen where several lie in one place, and each takes its layers out of sight."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.adding import turns_of
from napari_sam2_probe.gui.one_video import show_one_video
from napari_sam2_probe.gui.prompt_layers import PromptLayers
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.time_axis import shown_frame
from napari_sam2_probe.gui.videos import add_video, read_video, use_video, video_from_layer, watch_videos


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    watch_videos(viewer)
    show_one_video(viewer)
    return viewer


def settle(viewer, qtbot):
    qtbot.waitUntil(lambda: not len(turns_of(viewer)), timeout=60_000)


def open_video(viewer, qtbot, name):
    entry = add_video(viewer, read_video(sample_data_folder() / name))
    settle(viewer, qtbot)
    return entry


def shown(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def test_a_second_video_hides_what_belongs_to_the_first(viewer, qtbot):
    coins = open_video(viewer, qtbot, "coins")
    PromptLayers(viewer, coins).show_points()
    viewer.dims.set_current_step(0, 7)
    viewer.layers["ground truth · coins"].visible = False
    viewer.camera.zoom = 30
    cat = open_video(viewer, qtbot, "cat")
    assert shown(viewer) == {"cat", "ground truth · cat"}
    assert shown_frame(viewer, cat.layer) == 0
    assert viewer.camera.zoom < 30
    low, high = cat.layer.extent.world[:, -2:]
    np.testing.assert_allclose(viewer.camera.center[-2:], (low + high) / 2, atol=1)
    viewer.dims.set_current_step(0, 3)
    # Back again, and what the user had hidden stays so.
    use_video(viewer, video_from_layer(coins.layer))
    settle(viewer, qtbot)
    assert shown(viewer) == {"coins", "points · coins"}
    assert shown_frame(viewer, coins.layer) == 7
    use_video(viewer, video_from_layer(cat.layer))
    assert shown(viewer) == {"cat", "ground truth · cat"}
    assert shown_frame(viewer, cat.layer) == 3


def test_videos_beside_one_another_are_both_seen(viewer, qtbot):
    data = np.zeros((3, 20, 30), np.uint8)
    layers = [viewer.add_image(data, name=name, translate=(0, 0, x)) for name, x in (("left", 0), ("right", 31))]
    zoom = viewer.camera.zoom
    for layer in (*layers, *layers):
        use_video(viewer, video_from_layer(layer))
        assert shown(viewer) == {"left", "right"}
        assert viewer.camera.zoom == zoom


def test_a_layer_of_the_users_own_is_never_hidden(viewer, qtbot):
    open_video(viewer, qtbot, "coins")
    viewer.add_labels(np.zeros((40, 240, 432), np.uint8), name="mine")
    open_video(viewer, qtbot, "cat")
    assert shown(viewer) == {"cat", "ground truth · cat", "mine"}


def test_a_deleted_video_takes_its_layers_with_it(viewer, qtbot):
    coins = open_video(viewer, qtbot, "coins")
    PromptLayers(viewer, coins).show_points()
    viewer.add_labels(np.zeros((40, 240, 432), np.uint8), name="mine")
    viewer.layers.remove(coins.layer)
    settle(viewer, qtbot)
    assert [layer.name for layer in viewer.layers] == ["mine"]
    assert state_of(viewer).video is None
    # Nothing of it comes back with another.
    open_video(viewer, qtbot, "cat")
    assert shown(viewer) == {"cat", "ground truth · cat", "mine"}


def test_videos_that_are_deleted_together_leave_nothing(viewer, qtbot):
    for name in ("coins", "cat"):
        PromptLayers(viewer, open_video(viewer, qtbot, name)).show_points()
    viewer.layers.clear()
    settle(viewer, qtbot)
    open_video(viewer, qtbot, "horse")
    videos = [viewer.layers["horse"], *(open_video(viewer, qtbot, name).layer for name in ("coins", "cat"))]
    viewer.layers.selection = set(videos[:2])
    viewer.layers.remove_selected()
    settle(viewer, qtbot)
    assert {layer.name for layer in viewer.layers} == {"cat", "ground truth · cat"}


def test_what_napari_opens_is_worked_on_from_its_first_frame(viewer, qtbot):
    coins = open_video(viewer, qtbot, "coins")
    viewer.dims.set_current_step(0, 9)
    viewer.open_sample("napari-sam2-probe", "cat")
    settle(viewer, qtbot)
    assert state_of(viewer).video.layer is viewer.layers["cat"]
    assert shown(viewer) == {"cat", "ground truth · cat"}
    assert shown_frame(viewer) == 0
    assert coins.layer in viewer.layers
