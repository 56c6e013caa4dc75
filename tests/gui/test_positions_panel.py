"""The panel of positions, driven as a user drives it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QSlider

from helpers.clip_runs import HEIGHT, MAP_SHAPE, WIDTH, map_values, write_frame
from napari_sam2_probe.gui.figure_window import FigureWindow
from napari_sam2_probe.gui.map_layers import MapOf, grid_arrangement, map_layers, share_limits
from napari_sam2_probe.gui.panels.positions import PositionsPanel
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.gui.videos import add_video, read_video


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Positions")
    assert isinstance(panel, PositionsPanel)
    return panel


@pytest.fixture
def run(viewer, panel, clips, qtbot):
    """A run with two objects whose video is in the viewer, and no map yet."""
    entry = clips.run("obscuration", object_ids=(1, 2))
    add_video(viewer, read_video(clips.video("obscuration-00000")))
    state_of(viewer).add_run(entry)
    settle(panel, qtbot)
    return entry


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.background.busy, timeout=20_000)


def box(panel, key, statistic) -> QCheckBox:
    return panel.findChild(QCheckBox, f"{key}_{statistic}")


def click(panel, qtbot, key, statistic):
    qtbot.mouseClick(box(panel, key, statistic), Qt.MouseButton.LeftButton)
    settle(panel, qtbot)


def checked(panel) -> set[tuple[str, str]]:
    return {of for of, b in panel.maps.boxes.items() if b.isChecked()}


def edges(layer, shape):
    return [layer.data_to_world(corner) for corner in ((3, -0.5, -0.5), (3, shape[0] - 0.5, shape[1] - 0.5))]


def test_a_box_is_a_layer_exactly_over_the_video(viewer, panel, run, qtbot):
    click(panel, qtbot, "memory_attention", "mean")
    click(panel, qtbot, "image_embedding", "variance")
    layers = map_layers(viewer, run.path)
    assert set(layers) == {MapOf("memory_attention", "mean", 1), MapOf("image_embedding", "variance", 1)}
    for of, layer in layers.items():
        statistic = ("mean", "variance").index(of.statistic)
        np.testing.assert_array_equal(layer.data[4], map_values(of.key, 1, 4)[statistic])
        np.testing.assert_allclose(edges(layer, MAP_SHAPE), edges(state_of(viewer).video.layer, (HEIGHT, WIDTH)))
    assert checked(panel) == {("memory_attention", "mean"), ("image_embedding", "variance")}
    click(panel, qtbot, "memory_attention", "mean")
    assert not layers[MapOf("memory_attention", "mean", 1)].visible
    click(panel, qtbot, "memory_attention", "mean")
    assert layers[MapOf("memory_attention", "mean", 1)].visible
    assert len(map_layers(viewer, run.path)) == 2


def test_a_map_lies_over_a_video_that_was_moved(viewer, panel, run, qtbot):
    video = state_of(viewer).video.layer
    video.scale, video.translate, video.rotate = (2, 0.5, 3), (10, -4, 7), (0, 0, 0)
    video.affine = np.array([[1, 0, 0, 0], [0, 0.8, 0.3, 5], [0, -0.2, 1.1, -6], [0, 0, 0, 1]])
    click(panel, qtbot, "prompt_attention", "mean")
    (layer,) = map_layers(viewer, run.path).values()
    np.testing.assert_allclose(edges(layer, MAP_SHAPE), edges(video, (HEIGHT, WIDTH)))


def test_layers_that_the_user_deletes_or_renames_are_respected(viewer, panel, run, qtbot):
    click(panel, qtbot, "memory_attention", "mean")
    (layer,) = map_layers(viewer, run.path).values()
    layer.name = "mine"
    viewer.layers.move(viewer.layers.index(layer), 0)
    click(panel, qtbot, "memory_attention", "mean")
    click(panel, qtbot, "memory_attention", "mean")
    assert [other for other in viewer.layers if other.name == "mine"] == [layer]
    assert len(map_layers(viewer, run.path)) == 1
    layer.visible = False
    assert checked(panel) == set()
    layer.visible = True
    assert checked(panel) == {("memory_attention", "mean")}
    viewer.layers.remove(layer)
    assert checked(panel) == set()
    click(panel, qtbot, "memory_attention", "mean")
    assert len(map_layers(viewer, run.path)) == 1


def test_looks(viewer, panel, run, qtbot):
    for key in ("image_embedding", "memory_attention"):
        for statistic in ("mean", "variance"):
            click(panel, qtbot, key, statistic)
    layers = map_layers(viewer, run.path)
    panel.findChild(QSlider, "opacity").setValue(35)
    assert {layer.opacity for layer in layers.values()} == {0.35}
    colours = panel.findChild(QComboBox, "variance_colours")
    colours.setCurrentText("turbo")
    colours.activated.emit(colours.currentIndex())
    assert {(of.statistic, layer.colormap.name) for of, layer in layers.items()} == {
        ("mean", "viridis"),
        ("variance", "turbo"),
    }
    own = {of: tuple(layer.contrast_limits) for of, layer in layers.items()}
    assert len(set(own.values())) == 4
    contrast = panel.findChild(QComboBox, "contrast")

    def share(sharing):
        contrast.setCurrentIndex(contrast.findData(sharing))
        contrast.activated.emit(contrast.currentIndex())
        settle(panel, qtbot)
        return {of: tuple(layer.contrast_limits) for of, layer in layers.items()}

    shared = share("statistic")
    for statistic in ("mean", "variance"):
        limits = [own[of] for of in own if of.statistic == statistic]
        expected = (min(low for low, _ in limits), max(high for _, high in limits))
        assert all(shared[of] == pytest.approx(expected) for of in shared if of.statistic == statistic)
    assert share("own") == own


def test_a_map_that_is_shown_later_shares_limits_too(viewer, panel, clips, qtbot):
    viewer.open([str(clips.run("obscuration").path)], plugin="napari-sam2-probe")
    settle(panel, qtbot)
    contrast = panel.findChild(QComboBox, "contrast")
    contrast.setCurrentIndex(contrast.findData("statistic"))
    contrast.activated.emit(contrast.currentIndex())
    click(panel, qtbot, "memory_features", "mean")
    shown = [layer for layer in map_layers(viewer, state_of(viewer).current_run.path).values() if layer.visible]
    assert len(shown) == 2
    assert len({tuple(layer.contrast_limits) for layer in shown}) == 1


def test_a_map_that_the_user_hid_stays_hidden(viewer, panel, run, qtbot):
    click(panel, qtbot, "memory_attention", "mean")
    (layer,) = map_layers(viewer, run.path).values()
    layer.visible = False
    panel.refresh()
    settle(panel, qtbot)
    assert not layer.visible
    assert checked(panel) == set()


def test_maps_that_a_run_does_not_hold_are_not_offered(viewer, panel, clips, qtbot):
    entry = clips.run("clean")
    shutil.rmtree(entry.path / "probe.zarr" / "maps" / "memory_attention")
    state_of(viewer).add_run(entry)
    settle(panel, qtbot)
    note = panel.findChild(QLabel, "no_maps")
    assert note.isHidden()
    assert {key for (key, _), b in panel.maps.boxes.items() if not (b.isHidden() or b.isEnabled())} == {
        "memory_attention"
    }
    other = clips.run("obscuration")
    shutil.rmtree(other.path / "probe.zarr" / "maps")
    state_of(viewer).add_run(other)
    settle(panel, qtbot)
    assert not note.isHidden()
    assert not any(box.isEnabled() for box in panel.maps.boxes.values())


def test_sharing_limits():
    maps = [
        MapOf("memory_features", "mean", 1),
        MapOf("memory_features_raw", "mean", 2),
        MapOf("image_embedding", "mean", 1),
    ]
    own = [(0.0, 1.0), (-1.0, 0.5), (5.0, 6.0)]
    assert share_limits(maps, own, "own") == own
    assert share_limits(maps, own, "position") == [(-1.0, 1.0), (-1.0, 1.0), (5.0, 6.0)]
    assert share_limits(maps, own, "statistic") == [(-1.0, 6.0)] * 3


def test_another_object_takes_over_what_is_shown(viewer, panel, run, qtbot):
    click(panel, qtbot, "memory_attention", "mean")
    objects = panel.findChild(QComboBox, "object")
    assert [objects.itemText(k) for k in range(objects.count())] == ["Object 1", "Object 2"]
    objects.setCurrentIndex(1)
    objects.activated.emit(1)
    settle(panel, qtbot)
    layers = map_layers(viewer, run.path)
    assert {of: layer.visible for of, layer in layers.items()} == {
        MapOf("memory_attention", "mean", 1): False,
        MapOf("memory_attention", "mean", 2): True,
    }
    assert checked(panel) == {("memory_attention", "mean")}
    assert state_of(viewer).obj_id == 2


def test_the_grid_is_ordered_as_in_the_paper(viewer, panel, clips, qtbot):
    entry = clips.run("obscuration")
    viewer.open([str(entry.path)], plugin="napari-sam2-probe")
    settle(panel, qtbot)
    assert checked(panel) == {("memory_attention", "mean")}
    for key, statistic in (
        ("image_embedding", "variance"),
        ("memory_attention", "variance"),
        ("image_embedding", "mean"),
    ):
        click(panel, qtbot, key, statistic)
    before = list(viewer.layers)
    by_hand = next(layer for layer in before if layer.name.startswith("masks"))
    by_hand.name_overlay.visible = True
    button = panel.findChild(QPushButton, "grid")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert viewer.canvas.grid.enabled
    assert viewer.canvas.grid.shape == (2, 3)
    cells = {
        viewer.canvas.grid.position(k, viewer.layers): layer for k, layer in enumerate(viewer.layers) if layer.visible
    }
    starts = {cell: layer.name.split(" · ")[0] for cell, layer in cells.items()}
    assert starts == {
        (0, 0): "video",
        (0, 1): "1 mean of image embedding",
        (0, 2): "2 mean of memory attention",
        (1, 0): "masks",
        (1, 1): "1 variance of image embedding",
        (1, 2): "2 variance of memory attention",
    }
    assert all(layer.name_overlay.visible for layer in cells.values())
    click(panel, qtbot, "prompt_attention", "mean")
    assert len(viewer.layers) == len(before)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert list(viewer.layers) == before
    assert not viewer.canvas.grid.enabled
    assert [layer for layer in before if layer.name_overlay.visible] == [by_hand]
    assert {layer.opacity for layer in map_layers(viewer, entry.path).values()} == {0.6}


@pytest.mark.parametrize("closed", [False, True], ids=["panel open", "panel closed"])
def test_napari_s_own_button_ends_the_grid_too(viewer, panel, run, qtbot, closed):
    click(panel, qtbot, "memory_attention", "variance")
    click(panel, qtbot, "image_embedding", "mean")
    twin = viewer.add_image(np.zeros((HEIGHT, WIDTH)), translate=(0, 2 * WIDTH), name="elsewhere")
    viewer.layers.move(len(viewer.layers) - 1, 0)
    before = list(viewer.layers)
    qtbot.mouseClick(panel.findChild(QPushButton, "grid"), Qt.MouseButton.LeftButton)
    assert not twin.visible
    assert list(viewer.layers) != before
    if closed:
        viewer.window.remove_dock_widget(panel.parent())
        qtbot.wait(50)
    qtbot.mouseClick(viewer.window._qt_viewer.viewerButtons.gridViewButton, Qt.MouseButton.LeftButton)
    assert list(viewer.layers) == before
    assert twin.visible
    assert {layer.opacity for layer in map_layers(viewer, run.path).values()} == {0.6}


def test_grid_arrangement_without_pairs():
    maps = [MapOf("prompt_attention", "mean", 1), "masks", MapOf("image_embedding", "mean", 1), None, "video"]
    order, shape = grid_arrangement(maps)
    assert order == [4, 2, 0, 1, 3]
    assert shape == (2, 3)
    assert grid_arrangement([]) == ([], (1, 1))


def test_a_run_that_grows_fills_its_layers(viewer, panel, clips, qtbot):
    state = state_of(viewer)
    video = read_video(clips.video("clean-00000"))
    add_video(viewer, video)
    writer = clips.begin("clean")
    live = RunEntry(writer.path, "live", live=True)
    state.add_run(live)
    settle(panel, qtbot)
    click(panel, qtbot, "memory_attention", "mean")
    assert map_layers(viewer, live.path) == {}
    assert box(panel, "memory_attention", "mean").isChecked()

    viewer.dims.set_current_step(0, 1)
    write_frame(writer, "clean", (1,), 0)
    state.run_progressed.emit(live, 0)
    qtbot.waitUntil(lambda: len(map_layers(viewer, live.path)) == 1, timeout=20_000)
    (layer,) = map_layers(viewer, live.path).values()
    assert np.isnan(shown(layer)).all()
    refreshed = []
    layer.events.set_data.connect(lambda _: refreshed.append(1))
    write_frame(writer, "clean", (1,), 2)
    state.run_progressed.emit(live, 2)
    qtbot.wait(400)
    assert refreshed == []
    write_frame(writer, "clean", (1,), 1)
    state.run_progressed.emit(live, 1)
    state.run_progressed.emit(live, 1)
    qtbot.waitUntil(lambda: bool(refreshed), timeout=5000)
    np.testing.assert_array_equal(shown(layer), map_values("memory_attention", 1, 1)[0])
    assert len(refreshed) == 1
    writer.finish()
    state.run_finished.emit(live)
    settle(panel, qtbot)
    low, high = layer.contrast_limits
    values = np.stack([map_values("memory_attention", 1, t)[0] for t in (1, 2)])
    assert values.min() < low < high < values.max()
    assert high - low > 0.9 * np.ptp(values)


def shown(layer) -> np.ndarray:
    return np.asarray(layer._slice.image.view)


def test_limits_that_the_user_set_stay(viewer, panel, run, qtbot):
    click(panel, qtbot, "memory_attention", "mean")
    (layer,) = map_layers(viewer, run.path).values()
    layer.contrast_limits = (11.5, 11.75)
    state_of(viewer).run_finished.emit(run)
    settle(panel, qtbot)
    assert tuple(layer.contrast_limits) == (11.5, 11.75)


def test_the_composite_of_the_current_frame(viewer, panel, run, qtbot, tmp_path):
    viewer.dims.set_current_step(0, 4)
    qtbot.mouseClick(panel.findChild(QPushButton, "composite"), Qt.MouseButton.LeftButton)
    window = panel.findChild(FigureWindow)
    assert "4" in window.windowTitle()
    qtbot.waitUntil(lambda: window.figure is not None, timeout=30_000)
    assert [axes.get_title().split("\n")[0] for axes in window.figure.axes[:5]] == [
        f"Position {number}" for number in (0, 1, 2, 3, 5)
    ]
    frame = np.asarray(window.figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(frame, state_of(viewer).video.video.read(4))
    window.save(tmp_path / "composite.pdf")
    window.save(tmp_path / "composite.png")
    window.close()
    settle(panel, qtbot)
    assert (tmp_path / "composite.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "composite.png") as picture:
        assert picture.size[0] > 1500


def test_the_panel_fits(viewer, panel, run, qtbot):
    viewer.window._qt_window.resize(1280, 800)
    assert panel.minimumSizeHint().width() <= 320
    kinds = (QCheckBox, QPushButton, QComboBox, QSlider)
    for child in [child for kind in kinds for child in panel.findChildren(kind)]:
        assert child.toolTip(), child.objectName()
