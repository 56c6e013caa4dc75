"""The whole story in one window, with clicks and keys, and once more from disk in another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton

from helpers.hands import LEFT, click_canvas
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.map_layers import MapOf, map_layers
from napari_sam2_probe.gui.panels.export import TITLES
from napari_sam2_probe.gui.plots.view import PlotView
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.runs import open_run

pytestmark = pytest.mark.slow

PLUGIN = "napari-sam2-probe"
LENGTHS = (12, 4, 12)
T = sum(LENGTHS)


class Person:
    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot = viewer, qtbot
        self.docks = {}

    def panel(self, name):
        if name not in self.docks:
            self.docks[name] = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        dock, panel = self.docks[name]
        dock.raise_()
        self.until(panel.isVisible)
        return panel

    def press(self, panel, name, kind=QPushButton):
        button = panel.findChild(kind, name)
        assert button.isEnabled(), name
        button.setFocus()
        self.qtbot.keyClick(button, Qt.Key.Key_Space)

    def choose(self, panel, name, text):
        """Choose an entry with the arrow keys."""
        combo = panel.findChild(QComboBox, name)
        combo.setFocus()
        self.qtbot.keyClick(combo, Qt.Key.Key_Home)
        for _ in range(combo.count()):
            if combo.currentText().startswith(text):
                return
            self.qtbot.keyClick(combo, Qt.Key.Key_Down)
        pytest.fail(f"{name} has no {text}")

    def type(self, panel, name, text):
        field = panel.findChild(QLineEdit, name)
        field.selectAll()
        self.qtbot.keyClicks(field, text)

    def until(self, condition, timeout=120_000):
        self.qtbot.waitUntil(condition, timeout=timeout)

    def click(self, layer, place):
        click_canvas(self.qtbot, self.viewer, layer, place)


def middle(mask):
    """A pixel well inside a mask."""
    from scipy.ndimage import distance_transform_edt

    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return tuple(int(i) for i in np.unravel_index(inside.argmax(), inside.shape))


@pytest.mark.timeout(600)
@pytest.mark.flaky(reason="a hand has to press Cancel while 28 frames are tracked")
def test_from_a_sample_to_an_export_and_back(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    notification_manager.records.clear()
    viewer = make_napari_viewer(show=True)
    me = Person(viewer, qtbot)

    # Sample.
    viewer.open_sample(PLUGIN, "horse")
    video_panel = me.panel("Video")
    assert [layer.name for layer in viewer.layers] == ["horse", "ground truth · horse"]
    assert video_panel.layer.currentText() == "horse"

    # Transform.
    transform = me.panel("Transform")
    me.until(lambda: transform.object.count() == 1)
    me.choose(transform, "kind", "Interjection")
    me.until(transform.add.isEnabled)
    me.press(transform, "add")
    me.until(lambda: len(viewer.layers) == 6)
    clip, clip_masks = viewer.layers[2], viewer.layers[3]
    known = clip.metadata[METADATA_KEY]["video"].truth
    assert known.object_present.sum() == T - LENGTHS[1]

    # Click.
    track = me.panel("Track")
    controller = track.controller
    assert controller.video.layer is clip
    track.model.choose("sample")
    me.press(track, "points")
    y, x = middle(np.asarray(clip_masks.data[0]) == 1)
    me.click(clip, (0, y, x))
    me.until(lambda: controller.runner.is_idle and bool(controller.prompts.states))
    (masks,) = (layer for layer in viewer.layers if layer.name.startswith("masks"))
    assert masks.data[0][y, x] == 1
    state = state_of(viewer)
    live = state.current_run

    # Propagate, and cancel on the way; what is done stays.
    me.press(track, "forward")
    me.until(lambda: np.isfinite(controller.scores.object_scores(1)).sum() > 4)
    me.press(track, "cancel")
    me.until(lambda: controller.runner.phase is Phase.IDLE)
    done = int(live.open().tracked.sum())
    assert 4 < done < T
    assert not live.open().finished

    # Correct the last of these frames, and go on.
    viewer.dims.set_current_step(0, done - 1)
    before = masks.data[done - 1].copy()
    me.press(track, "points")
    me.press(track, "negative")
    outside = np.argwhere((masks.data[done - 1] == 1) & (np.asarray(clip_masks.data[done - 1]) != 1))
    me.click(clip, (done - 1, *(outside[len(outside) // 2] if len(outside) else (8, 8))))
    me.until(lambda: controller.runner.is_idle and len(controller.prompts.states) == 2)
    assert (masks.data[done - 1] != before).any()
    me.press(track, "forward")
    me.until(lambda: controller.runner.phase is Phase.IDLE and live.open().finished)
    run = live.open()
    assert run.tracked.all()
    assert {(p["frame"], p["object_id"]) for p in run.info["prompts"]} == {(0, 1), (done - 1, 1)}
    # What the recipe knows counts, not SAM 2's own score.
    assert run.info["known"]["recipe"]["kind"] == "interjection"
    np.testing.assert_array_equal(run.object_present[0], known.object_present)

    # Maps.
    positions = me.panel("Positions")
    me.until(lambda: positions.findChild(QCheckBox, "memory_attention_mean").isVisible())
    me.press(positions, "memory_attention_mean", QCheckBox)
    of = MapOf("memory_attention", "mean", 1)
    me.until(lambda: of in map_layers(viewer, live.path))
    map_layer = map_layers(viewer, live.path)[of]
    np.testing.assert_array_equal(np.asarray(map_layer.data[done]), run.maps("memory_attention", "mean")[0, done])
    edges = [layer._extent_augmented.world[:, -2:] for layer in (map_layer, clip)]
    np.testing.assert_allclose(*edges, atol=1e-6)

    # Pointers: a click on the point of a frame goes there.
    pointers = me.panel("Pointers")
    paths = pointers.findChild(PlotView, "paths")
    me.until(lambda: bool(paths.charts) and pointers._shown is not None)
    there = pointers._shown.paths[0].coordinates[0]
    at = paths.areas[0].to_pixels(*there)
    viewer.dims.set_current_step(0, 5)
    qtbot.mouseClick(paths, LEFT, pos=QPointF(*at).toPoint())
    assert viewer.dims.current_step[0] == 0

    # Features: a click moves the time slider; absent frames are known.
    features = me.panel("Features over time")
    plot = features.findChild(PlotView, "plot")
    me.until(lambda: bool(plot.charts) and not features.background.busy)
    area = plot.areas[0]
    qtbot.mouseClick(plot, LEFT, pos=QPointF(area.to_pixels(9, 0)[0], area.top + area.height / 2).toPoint())
    assert viewer.dims.current_step[0] == 9
    shown = features._shown
    np.testing.assert_array_equal(shown.interjection, ~known.object_present)

    # Export.
    export = me.panel("Export")
    me.type(export, "folder", str(tmp_path))
    for what, name in (("masks", "masks.tif"), ("features", "features.csv"), ("run", "copy")):
        me.choose(export, "what", TITLES[what])
        if what == "masks":
            index = [export.format.itemText(k) for k in range(export.format.count())]
            me.choose(export, "format", next(text for text in index if "TIFF" in text))
        me.type(export, "name", name)
        me.press(export, "export")
        me.until(lambda: export.findChild(QLabel, "said").text().startswith("Written"))
        assert (tmp_path / name).exists()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "masks.tif"), run.masks[:])
    assert len(pd.read_csv(tmp_path / "features.csv")) == len(run.features)
    expected = {layer.name: np.asarray(layer.data) for layer in map_layers(viewer, live.path).values()}
    viewer.close()

    # Another window shows the copy, and it is the same.
    second = make_napari_viewer(show=True)
    second.open(str(tmp_path / "copy" / "run.json"), plugin=PLUGIN)
    QApplication.processEvents()
    copy = open_run(tmp_path / "copy")
    np.testing.assert_array_equal(np.asarray(second.layers[-1].data), run.masks[:])
    np.testing.assert_array_equal(
        np.asarray(map_layers(second, tmp_path / "copy")[of].data), next(iter(expected.values()))
    )
    pd.testing.assert_frame_equal(copy.features, run.features)
    for name in ("object_pointers", "object_scores", "predicted_iou", "prompted", "tracked", "object_present"):
        np.testing.assert_array_equal(getattr(copy, name)[:], getattr(run, name)[:])
    assert [str(record.message) for record in notification_manager.records] == []
