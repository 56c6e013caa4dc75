"""The panel of object pointers, driven as a user drives it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import zarr
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QTabWidget

from helpers.clip_runs import NUM_FRAMES, box, obscured_fraction
from napari_sam2_probe.analysis.pointers import project_pointers
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.panels.pointers import PointersPanel
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import add_video, read_video


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer):
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Pointers")
    assert isinstance(panel, PointersPanel)
    viewer.window._qt_window.resize(1280, 800)
    return panel


@pytest.fixture
def compared(viewer, panel, clips, qtbot):
    """An obscured clip and its clean twin, both with two objects, compared."""
    state = state_of(viewer)
    add_video(viewer, read_video(clips.video("obscuration-00000")))
    entries = tuple(clips.run(kind, object_ids=(1, 2)) for kind in ("obscuration", "clean"))
    for entry in entries:
        state.add_run(entry)
    with qtbot.waitSignal(plot(panel).drawn, timeout=20_000):
        state.compared_runs = entries
    settle(panel, qtbot)
    return entries


def plot(panel, name="paths") -> PlotView:
    return panel.findChild(PlotView, name)


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.background.busy, timeout=20_000)


def show_distances(panel, qtbot):
    tabs = panel.findChild(QTabWidget, "tabs")
    with qtbot.waitSignal(plot(panel, "distances").drawn, timeout=20_000):
        qtbot.mouseClick(tabs.tabBar(), Qt.MouseButton.LeftButton, pos=tabs.tabBar().tabRect(1).center())
    settle(panel, qtbot)


def click_point(panel, qtbot, name, point, off=0):
    view = plot(panel, name)
    x, y = view.areas[0].to_pixels(*point)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(round(x) + off, round(y)))


def test_paths_of_several_runs_with_the_current_frame_marked(viewer, panel, compared, qtbot):
    runs = [entry.open() for entry in compared]
    expected = project_pointers([run.object_pointers[0] for run in runs])
    assert [path.label for path in panel._shown.paths] == ["obscuration", "clean"]
    for path, coordinates in zip(panel._shown.paths, expected.coordinates, strict=True):
        np.testing.assert_allclose(path.coordinates, coordinates)
    drawn = []
    plot(panel).drawn.connect(lambda: drawn.append(1))
    viewer.dims.set_current_step(0, 8)
    rings = [(ring.x, ring.y) for ring in plot(panel).rings]
    np.testing.assert_allclose(rings, [coordinates[8] for coordinates in expected.coordinates])
    assert len({ring.colour for ring in plot(panel).rings}) == 2
    assert drawn == []
    assert not panel.background.busy


def test_a_click_on_a_point_goes_to_its_frame(viewer, panel, compared, qtbot):
    for path, frame in ((0, 9), (1, 5), (0, 10)):
        click_point(panel, qtbot, "paths", panel._shown.paths[path].coordinates[frame])
        assert viewer.dims.current_step[0] == frame
    area = plot(panel).areas[0]
    points = np.concatenate([path.coordinates for path in panel._shown.paths])
    pixels = np.array([area.to_pixels(x, y) for x, y in points])
    corners = [
        (area.left + 3, area.top + 3),
        (area.left + area.width - 3, area.top + 3),
        (area.left + 3, area.top + area.height - 3),
    ]
    empty = next(c for c in corners if np.linalg.norm(pixels - c, axis=1).min() > 14)
    qtbot.mouseClick(plot(panel), Qt.MouseButton.LeftButton, pos=QPoint(*map(round, empty)))
    assert viewer.dims.current_step[0] == 10


def test_all_objects_and_pointers_before_the_gate(panel, compared, qtbot):
    objects = panel.findChild(QComboBox, "object")
    assert [objects.itemText(k) for k in range(objects.count())] == ["Object 1", "Object 2", "All objects"]
    objects.setCurrentIndex(2)
    objects.activated.emit(2)
    settle(panel, qtbot)
    assert [path.label for path in panel._shown.paths] == [
        f"{kind} · object {k}" for kind in ("obscuration", "clean") for k in (1, 2)
    ]
    assert len(plot(panel).rings) == 4
    gated = panel._shown.paths[0].coordinates
    panel.findChild(QCheckBox, "raw").click()
    settle(panel, qtbot)
    runs = [entry.open() for entry in compared]
    expected = project_pointers([run.object_pointers_raw[k] for run in runs for k in (0, 1)])
    np.testing.assert_allclose(panel._shown.paths[0].coordinates, expected.coordinates[0])
    assert not np.allclose(panel._shown.paths[0].coordinates, gated)


def test_distance_to_the_twin_that_the_recipe_names(viewer, panel, compared, qtbot):
    assert [panel.findChild(QComboBox, name).currentText() for name in ("clip", "twin")] == ["obscuration", "clean"]
    show_distances(panel, qtbot)
    response = panel._response
    np.testing.assert_allclose(response.distance, 3 * obscured_fraction("obscuration"), atol=1e-5)
    assert response.pearson.coefficient == pytest.approx(1)
    assert str(response.spearman) in panel.findChild(QLabel, "correlation").text()
    click_point(panel, qtbot, "distances", (100 * obscured_fraction("obscuration")[6], response.distance[6]))
    assert viewer.dims.current_step[0] == 6
    (ring,) = plot(panel, "distances").rings
    assert (ring.x, ring.y) == pytest.approx((50, 1.5))


def test_a_run_that_can_t_be_read_doesn_t_hide_a_pair(panel, viewer, clips, qtbot):
    entries = [clips.run(kind) for kind in ("three-object", "obscuration", "clean")]
    (entries[0].path / "run.json").unlink()
    for entry in entries:
        state_of(viewer).add_run(entry)
    settle(panel, qtbot)
    assert [panel.findChild(QComboBox, name).currentText() for name in ("clip", "twin")] == ["obscuration", "clean"]


def test_a_pair_that_the_user_chooses_stays(panel, compared, clips, viewer, qtbot):
    show_distances(panel, qtbot)
    boxes = [panel.findChild(QComboBox, name) for name in ("clip", "twin")]
    boxes[0].setCurrentIndex(1)
    boxes[0].activated.emit(1)
    settle(panel, qtbot)
    assert panel._response is None
    boxes[1].setCurrentIndex(0)
    boxes[1].activated.emit(0)
    settle(panel, qtbot)
    assert np.isnan(panel._response.pearson.coefficient)
    state_of(viewer).add_run(clips.run("interjection"), make_current=False)
    settle(panel, qtbot)
    assert [b.currentText() for b in boxes] == ["clean", "obscuration"]


def test_what_can_t_be_compared_is_said_instead_of_an_earlier_plot(viewer, panel, compared, clips, qtbot):
    show_distances(panel, qtbot)
    other = clips.run("interjection", name="other model")
    group = zarr.open_group(other.path / "probe.zarr")
    run = other.open()
    for name in ("object_pointers", "object_pointers_raw"):
        group.create_array(name, data=getattr(run, name)[:, :, :4], overwrite=True)
    state_of(viewer).add_run(other, make_current=False)
    settle(panel, qtbot)
    twin = panel.findChild(QComboBox, "twin")
    twin.setCurrentText("other model")
    twin.activated.emit(twin.currentIndex())
    settle(panel, qtbot)
    said = "Object pointers of 4 and 8 numbers can't be compared: choose runs of one model."
    assert panel.findChild(QLabel, "correlation").text() == said
    assert plot(panel, "distances").charts == ()
    state_of(viewer).compared_runs = (compared[0], other)
    settle(panel, qtbot)
    assert panel.findChild(QLabel, "no_paths").text() == said
    assert plot(panel).charts == ()
    state_of(viewer).compared_runs = compared
    settle(panel, qtbot)
    assert panel.findChild(QLabel, "no_paths").isHidden()


def test_true_boxes_lie_around_the_objects(viewer, panel, compared, qtbot):
    button = panel.findChild(QPushButton, "true_boxes")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(panel, qtbot)
    layer = viewer.layers[-1]
    assert layer.metadata[METADATA_KEY]["content"] == "true boxes"
    found = {(int(c[0, 0]), obj): c[:, 1:] for c, obj in zip(layer.data, layer.features["object_id"], strict=True)}
    assert len(found) == 2 * NUM_FRAMES
    rows, columns = box(2, 4)
    corners = found[4, 2]
    assert corners.min(axis=0) == pytest.approx((rows.start - 0.5, columns.start - 0.5))
    assert corners.max(axis=0) == pytest.approx((rows.stop - 0.5, columns.stop - 0.5))


def test_boxes_of_a_run_that_was_opened_lie_over_its_video(viewer, panel, clips, qtbot):
    entry = clips.run("clean")
    viewer.open([str(entry.path)], plugin="napari-sam2-probe")
    video = viewer.layers[0]
    video.scale, video.translate = (1, 2, 3), (0, 5, 7)
    qtbot.mouseClick(panel.findChild(QPushButton, "true_boxes"), Qt.MouseButton.LeftButton)
    settle(panel, qtbot)
    rows, columns = box(1, 0)
    corners = np.array([viewer.layers[-1].data_to_world(corner) for corner in viewer.layers[-1].data[0]])
    assert tuple(corners.min(axis=0)) == video.data_to_world((0, rows.start - 0.5, columns.start - 0.5))


def test_saving_what_is_shown(panel, compared, qtbot, tmp_path):
    panel.save(tmp_path / "paths.csv")
    panel.save(tmp_path / "paths.svg")
    settle(panel, qtbot)
    table = pd.read_csv(tmp_path / "paths.csv")
    assert list(table.columns) == ["run", "frame", "component_1", "component_2", "object_present"]
    clean = table[table["run"] == "clean"]
    np.testing.assert_allclose(clean["component_1"], panel._shown.paths[1].coordinates[:, 0])
    assert "<svg" in (tmp_path / "paths.svg").read_text()
    show_distances(panel, qtbot)
    panel.save(tmp_path / "distances.csv")
    settle(panel, qtbot)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "distances.csv")["distance"], panel._response.distance)


def test_the_panel_fits(panel, compared):
    assert panel.minimumSizeHint().width() <= 320
    for child in [c for kind in (QCheckBox, QPushButton, QComboBox) for c in panel.findChildren(kind)]:
        assert child.toolTip(), child.objectName()
