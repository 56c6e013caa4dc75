"""Functions from a run to a layer: called by themselves, as in a notebook, and from napari's menus."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QCheckBox, QComboBox

from helpers.clip_runs import HEIGHT, MAP_SHAPE, NUM_FRAMES, WIDTH, box, map_values
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.contrib.functions import pointer_distance, position_map
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import add_video, read_video

PLUGIN, MAP, DISTANCE = "napari-sam2-probe", "Map of a position for this frame", "Pointer distance between two runs"


def test_a_map_lies_exactly_over_the_video(clips):
    run = clips.run("clean", object_ids=(1, 2)).path
    array, arguments, kind = position_map(run, position="5", statistic="variance", object_id=2, frame=7)
    assert kind == "image"
    np.testing.assert_array_equal(array, map_values("memory_features", 2, 7)[1])
    layer = ViewerModel().add_image(array, **arguments)
    assert layer.name == "5 variance of memory features · frame 7 · object 2"
    corners = [layer.data_to_world(at) for at in ((-0.5, -0.5), np.array(MAP_SHAPE) - 0.5)]
    np.testing.assert_allclose(corners, [(-0.5, -0.5), (HEIGHT - 0.5, WIDTH - 0.5)])
    low, high = layer.contrast_limits
    assert array.min() <= low < high <= array.max()


def test_what_a_run_lacks_is_said(clips):
    run = clips.run("clean").path
    for wrong, said in (
        ({"position": "4"}, "it has those of 1, 2, 3, 5, 5r"),
        ({"frame": NUM_FRAMES}, "from 0 to 11"),
        ({"object_id": 3}, "it has 1"),
    ):
        with pytest.raises(InputError, match=said):
            position_map(run, **wrong)
    with pytest.raises(InputError, match="no object 2"):
        pointer_distance(run, run, object_id=2)


def test_distances_stand_on_the_object(clips):
    obscured, clean = clips.run("obscuration"), clips.run("clean")
    for ungated in (False, True):
        array, arguments, kind = pointer_distance(obscured.path, clean.path, ungated=ungated)
        assert kind == "points"
        runs = [entry.open() for entry in (obscured, clean)]
        pointers = [(run.object_pointers_raw if ungated else run.object_pointers)[0] for run in runs]
        expected = np.linalg.norm(pointers[0].astype(float) - pointers[1], axis=1)
        layer = ViewerModel().add_points(array, **arguments)
        np.testing.assert_allclose(layer.features["distance"], expected)
        assert layer.features["frame"].tolist() == list(range(NUM_FRAMES))
        rows, columns = box(1, 4)
        assert layer.data[4].tolist() == [4, (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2]
        assert layer.text.values[9] == f"{expected[9]:.1f}"


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def test_both_are_in_the_menus_of_layers(viewer):
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    for menu, title in (("visualize", MAP), ("measure", DISTANCE)):
        entries = [item.command for item in menus.get_menu(f"napari/layers/{menu}") if hasattr(item, "command")]
        assert [title in entry.title for entry in entries].count(True) == 1


def test_the_form_adds_the_map_of_the_shown_frame(viewer, clips, qtbot):
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, MAP)
    assert form.run.choices == ()
    entry = clips.run("clean")
    add_video(viewer, read_video(clips.video("clean-00000")))
    state_of(viewer).add_run(entry)
    assert form.run.choices == (entry.path,)
    form.position.value = "3"
    viewer.dims.set_current_step(0, 4)
    qtbot.mouseClick(form.call_button.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: viewer.layers[-1].name.startswith("3 mean of prompt attention · frame 4"))
    np.testing.assert_array_equal(viewer.layers[-1].data, map_values("prompt_attention", 1, 4)[0])


def test_the_form_adds_distances(viewer, clips, qtbot):
    state = state_of(viewer)
    entries = [state.add_run(clips.run(kind)) for kind in ("obscuration", "clean")]
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, DISTANCE)
    form.run.value, form.twin.value = (entry.path for entry in entries)
    qtbot.mouseClick(form.call_button.native, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any(isinstance(layer, napari.layers.Points) for layer in viewer.layers))
    assert len(viewer.layers[-1].data) == NUM_FRAMES


@pytest.mark.parametrize("name", [MAP, DISTANCE])
def test_every_field_explains_itself(viewer, qtbot, name):
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    qtbot.waitUntil(form.native.isVisible)
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QCheckBox)
    fields = {field for kind in kinds for field in form.native.findChildren(kind) if field.isVisible()}
    assert len(fields) >= 4
    assert [field for field in fields if not field.toolTip()] == []
