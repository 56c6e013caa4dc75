"""What the manifest offers, through npe2 and napari as a user gets it."""

from __future__ import annotations

import importlib
import shutil

import av
import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.contrib.readers import get_reader, read_dataset, read_videos
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.panels.video import VideoPanel
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import watch_videos
from napari_sam2_probe.models.checkpoints import sample_checkpoint
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video.file import VIDEO_SUFFIXES, VideoFileSource

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


def test_a_dropped_video_file_is_not_decoded_and_becomes_the_active_video(make_napari_viewer, tmp_path, monkeypatch):
    frames = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    write_mp4(tmp_path / "film.MP4", frames)
    read = []
    monkeypatch.setattr(VideoFileSource, "read", lambda self, k: read.append(k) or frames[k])
    assert get_reader(str(tmp_path / "film.MP4")) is read_videos
    ((stack, keywords, kind),) = read_videos(str(tmp_path / "film.MP4"))
    assert (stack.shape, keywords["rgb"], kind) == (frames.shape, True, "image")
    assert read == []
    viewer = make_napari_viewer()
    watch_videos(viewer)
    viewer.open(str(tmp_path / "film.MP4"), plugin=PLUGIN)
    assert state_of(viewer).video.layer is viewer.layers[0]
    # What is looked at, and no more.
    assert len(set(read)) < len(frames)


def test_every_kind_of_video_file_is_offered_to_napari(plugins):
    (reader,) = PluginManifest.from_distribution(PLUGIN).contributions.readers
    assert {pattern.lstrip("*") for pattern in reader.filename_patterns} == {"run.json", *VIDEO_SUFFIXES}


def test_a_folder_of_frames_is_ours_where_its_masks_are(tmp_path):
    root = sample_data_folder()
    sequence = root / "JPEGImages" / "480p" / SEQUENCES[0]
    assert get_reader([str(sequence)]) is read_videos
    assert [kind for _, _, kind in read_videos([str(sequence)])] == ["image", "labels"]
    assert get_reader(str(root)) is read_dataset
    shutil.copytree(sequence, tmp_path / "pictures")
    assert get_reader(str(tmp_path / "pictures")) is None


def test_a_dropped_data_set_is_listed(make_napari_viewer, qtbot, tmp_path):
    for kind in ("JPEGImages", "Annotations"):
        shutil.copytree(sample_data_folder() / kind / "480p" / "cat", tmp_path / kind / "480p" / "tom")
    viewer = make_napari_viewer()
    assert viewer.open(str(tmp_path), plugin=PLUGIN) == []
    panel = viewer.window._qt_window.findChild(VideoPanel)
    qtbot.waitUntil(lambda: list(panel.sequences.dataset or ()) == ["tom"])


def write_mp4(path, frames):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


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
