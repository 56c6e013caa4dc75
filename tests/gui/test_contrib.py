"""What the manifest offers, through npe2 and napari as a user gets it."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.models.checkpoints import sample_checkpoint
from napari_sam2_probe.runs import open_run

PLUGIN = "napari-sam2-probe"
SEQUENCES = sorted(folder.name for folder in (sample_data_folder() / "JPEGImages" / "480p").iterdir())


@pytest.fixture
def plugins():
    manager = PluginManager()
    manager.register(PluginManifest.from_distribution(PLUGIN))
    manager.activate(PLUGIN)
    return manager


@pytest.fixture
def samples(plugins):
    return {sample.key: sample for _, group in plugins.iter_sample_data() for sample in group}


def test_every_command_of_the_manifest_is_there():
    for command in PluginManifest.from_distribution(PLUGIN).contributions.commands:
        module, _, function = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("entry", [".", "run.json"])
def test_a_run_folder_or_its_file_is_read(maker, plugins, entry):
    from npe2.io_utils import _read

    run = maker.run(video=maker.video())
    layers = _read([str(run / entry)], plugin_name=PLUGIN, stack=False, _pm=plugins)
    assert layers[-1][2] == "labels"
    assert {keywords["metadata"][METADATA_KEY]["run"] for _, keywords, _ in layers} == {str(run)}


def test_other_folders_and_files_are_left_to_others(tmp_path, plugins, maker):
    from napari_sam2_probe.gui.contrib.readers import get_reader

    (tmp_path / "run.json").write_text("{}")
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "run.json")) is None
    assert get_reader([str(maker.run()), str(tmp_path)]) is None
    assert list(plugins.iter_compatible_readers(str(tmp_path / "picture.png"))) == []
    assert list(plugins.iter_compatible_readers(str(tmp_path / "other.json"))) == []


def test_dropping_a_run_on_the_viewer_opens_it(maker, make_napari_viewer):
    viewer = make_napari_viewer()
    run = maker.run(video=maker.video())
    viewer.open(str(run), plugin=PLUGIN)
    assert viewer.layers[0].name == "video · run"
    assert viewer.layers[-1].name == "masks · run"
    viewer.layers.clear()
    # Nobody else reads run.json, so napari has nothing to ask.
    viewer.open(str(run / "run.json"), plugin=None)
    assert viewer.layers[-1].name == "masks · run"


def test_there_is_a_sample_for_every_sequence(samples):
    assert sorted(samples) == sorted([*SEQUENCES, "run"])
    assert len(SEQUENCES) >= 6


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sample_is_a_video_with_masks(name, plugins, samples):
    (video, video_keywords, kind), (masks, _, mask_kind) = plugins.commands.execute(samples[name].command)
    assert (kind, mask_kind) == ("image", "labels")
    assert video_keywords["rgb"]
    assert video.shape == (*masks.shape, 3)
    assert len(masks) == 40
    assert np.asarray(video[7]).std() > 5
    assert masks[:8].max() >= 1


def test_samples_open_in_the_viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.open_sample(PLUGIN, SEQUENCES[0])
    assert [layer.name for layer in viewer.layers] == [SEQUENCES[0], f"ground truth · {SEQUENCES[0]}"]


def test_the_sample_run_is_of_the_sample_model_and_lies_over_its_video(plugins, samples, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    layers = plugins.commands.execute(samples["run"].command)
    about = layers[0][1]["metadata"][METADATA_KEY]
    assert about["content"] == "video"
    assert about["video"].name == "cat"
    run = open_run(about["run"])
    assert run.finished
    assert run.info["model"]["sha256"] == sample_checkpoint().sha256
    assert run.tracked.sum() == np.asarray(layers[-1][0]).any(axis=(1, 2)).sum() > 10
    # Again, from what is unpacked.
    assert len(plugins.commands.execute(samples["run"].command)) == len(layers)
