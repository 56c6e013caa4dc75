"""Positions that another package registers stand in the panels like all others."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_sam2_probe.gui.layers import run_to_layers
from napari_sam2_probe.probe.positions import MAP, TABLE, VECTOR, Position, register_position
from napari_sam2_probe.probe.recorder import FrameRecord
from napari_sam2_probe.probe.status import PassKind
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.tracking.observer import Tap

TOKEN = Position(
    "3s", "score_token", "Object score token", VECTOR, tap=Tap("sam_mask_decoder", lambda out: out[2][:, 0])
)
MASK = Position("5m", "mask_map", "Downsampled mask", MAP, "memory encoder", tap=Tap("memory_encoder", lambda out: out))


@pytest.fixture(autouse=True)
def registered():
    for position in (TOKEN, MASK):
        register_position(position)
    yield
    for position in (TOKEN, MASK):
        TABLE.remove(position.key)


def test_panels_offer_them(make_napari_viewer):
    viewer = make_napari_viewer()
    _, positions = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Positions")
    assert positions.findChild(QCheckBox, "mask_map_mean") is not None
    assert positions.findChild(QCheckBox, "score_token_mean") is None
    _, features = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Features over time")
    offered = {a.data(): a.text() for a in features.findChild(QPushButton, "positions").menu().actions()}
    assert (offered["3s"], offered["5m"]) == ("3s: Object score token", "5m: Downsampled mask")
    assert features.positions == ("1", "2", "3", "4", "5", "3s", "5m")


@pytest.mark.filterwarnings("ignore:The run .* is shown without its video")
def test_their_maps_are_layers(tmp_path):
    writer = RunWriter(tmp_path / "run", (1,), (2, 8, 16), 4, {"video": {"path": None}})
    maps = {"mask_map": np.stack([np.full((4, 4), k, np.float32) for k in (1, 2)])}
    writer.write_records([FrameRecord(0, 1, PassKind.TRACKED, maps, {"score_token": np.arange(3, dtype=np.float32)})])
    writer.finish()
    run = open_run(tmp_path / "run")
    names = [keywords["name"] for _, keywords, _ in run_to_layers(run)]
    assert [name for name in names if "downsampled mask" in name] == [
        "5m mean of downsampled mask · object 1 · run",
        "5m variance of downsampled mask · object 1 · run",
    ]
    np.testing.assert_array_equal(run.vectors("score_token")[0, 0], [0, 1, 2])
