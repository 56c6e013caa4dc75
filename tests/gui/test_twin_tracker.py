"""*Track clip and twin* on napari's model of a viewer: no window is opened."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam2_probe import make_clip
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.layer_order import video_of
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tracking.controller import TrackController
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.tracking.twin_tracker import TwinTracker
from napari_sam2_probe.gui.videos import use_video, video_from_layer, video_layers


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(scope="module")
def pair():
    return make_clip(sample_data_folder() / "coins", "interjection", lengths=(3, 2, 2), seed=3)


@pytest.fixture
def tracker(viewer, pair, qtbot, tmp_path):
    controller = TrackController(viewer)
    controller.use_runs_folder(tmp_path)
    controller.choose_model(ModelChoice("sample", device="cpu"))
    for number, video in enumerate(pair):
        data, keywords, _ = video_layers(video)[0]
        viewer.add_image(data, **keywords, translate=(0, 0, 500 * number))
    use_video(viewer, video_from_layer(viewer.layers[0]))
    tracker = TwinTracker(controller)
    yield tracker
    tracker.close()
    controller.shut_down()


def done(tracker):
    controller = tracker._controller
    return not tracker.busy and controller.runner.phase is Phase.IDLE and controller.state.jobs.running is None


def test_both_are_tracked_one_after_the_other_and_compared(tracker, viewer, pair, qtbot):
    controller, state = tracker._controller, state_of(viewer)
    told, titles = [], []
    controller.told.connect(told.append)
    state.jobs.changed.connect(lambda: titles.append(getattr(state.jobs.running, "title", "")))
    assert tracker.offered
    y, x = np.argwhere(pair[0].object_mask(0, 1)).mean(axis=0)
    controller.prompts.add_point((0, y, x))
    tracker.start()
    assert tracker.busy
    qtbot.waitUntil(lambda: done(tracker), timeout=100_000)
    clip, twin = (entry.open() for entry in state.compared_runs)
    assert [run.truth.clip for run in (clip, twin)] == [video.truth.clip for video in pair]
    assert clip.finished
    assert twin.finished
    assert clip.tracked.all()
    assert twin.tracked.all()
    assert clip.info["prompts"] == twin.info["prompts"]
    assert state.current_run is state.compared_runs[0]
    assert any(text.startswith("Tracking the twin: ") for text in told)
    assert told[-1].startswith("Clip and twin are tracked")
    ordered = [title for title, before in zip(titles, ["", *titles], strict=False) if title not in ("", before)]
    assert ordered[-1] == f"track {pair[1].name}"
    # The masks of the twin lie over the twin.
    (masks,) = [layer for layer in viewer.layers if layer.name == f"masks · {pair[1].name}"]
    assert video_of(viewer, masks) is viewer.layers[pair[1].name]
    np.testing.assert_array_equal(masks.translate, viewer.layers[pair[1].name].translate)


def test_without_a_prompt_or_on_the_change_it_is_said_why_not(tracker, viewer, qtbot):
    controller, refused = tracker._controller, []
    controller.refused.connect(refused.append)
    tracker.start()
    controller.choose_model(None)
    controller.prompts.add_point((4, 10, 10))
    refused_before = len(refused)
    tracker.start()
    assert "Add a prompt first" in refused[0]
    assert "prompt on a frame before the change" in refused[refused_before]
    assert not tracker.busy


def test_a_clip_that_was_stopped_has_no_twin_tracked(tracker, viewer, pair, qtbot):
    controller, told = tracker._controller, []
    controller.told.connect(told.append)
    controller.prompts.add_point((0, 50, 60))
    tracker.start()
    controller.runner.cancel()
    qtbot.waitUntil(lambda: done(tracker), timeout=100_000)
    assert any("so its twin was not tracked" in text for text in told)
    assert len(state_of(viewer).runs) <= 1


def test_it_is_offered_for_a_clip_whose_twin_is_there(tracker, viewer, pair):
    viewer.layers.remove(pair[1].name)
    assert not tracker.offered
    tracker.start()
    assert not tracker.busy
