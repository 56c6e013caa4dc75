"""What is set in napari's Preferences is what tracking begins with."""

from __future__ import annotations

import pytest
import yaml
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

from napari_sam2_probe.gui.panels.track_model import ModelChooser
from napari_sam2_probe.gui.preferences import PLUGIN, Preferences, preferences
from napari_sam2_probe.models.device import DEVICES, DTYPES


@pytest.fixture
def tracking():
    settings = get_plugin_settings(PLUGIN).tracking
    before = settings.model_dump()
    yield settings
    for name, value in before.items():
        setattr(settings, name, value)


def test_the_manifest_offers_what_the_engine_knows():
    (found,) = PluginManifest.from_distribution(PLUGIN).contributions.configurations.values()
    properties = yaml.safe_load(found.model_dump_json())["properties"]
    assert set(properties) == set(Preferences.__dataclass_fields__)
    assert set(properties["device"]["enum"]) == set(DEVICES)
    assert set(properties["dtype"]["enum"]) == set(DTYPES)
    assert preferences() == Preferences()


def test_a_new_chooser_begins_with_them(qtbot, tracking):
    tracking.checkpoint, tracking.device, tracking.dtype = "sample", "cpu", "bfloat16"
    assert preferences() == Preferences("sample", "cpu", "bfloat16", "")
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    assert (chooser.choice.checkpoint, chooser.choice.device, chooser.choice.dtype) == ("sample", "cpu", "bfloat16")
    # A file of the user's own is offered beside the others.
    tracking.checkpoint = "/models/mine.pt"
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    assert chooser.choice.checkpoint == "/models/mine.pt"


def test_runs_go_to_the_folder(tracking, tmp_path):
    from napari.components import ViewerModel

    from napari_sam2_probe.gui.tracking.controller import TrackController

    tracking.runs_folder = str(tmp_path)
    controller = TrackController(ViewerModel())
    try:
        assert controller.runs_folder == tmp_path
    finally:
        controller.close()
