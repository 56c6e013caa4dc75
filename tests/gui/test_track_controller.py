"""The controller of the Track panel on napari's model of a viewer: no window is opened."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.tracking.controller import TrackController
from napari_sam2_probe.gui.tracking.runner import Phase
from napari_sam2_probe.gui.videos import use_video, video_from_layer
from napari_sam2_probe.runs import find_runs, open_run

T, H, W = 5, 40, 60
WAIT = 60_000


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def controller(viewer, qtbot, tmp_path):
    controller = TrackController(viewer)
    controller.use_runs_folder(tmp_path)
    controller.choose_model(ModelChoice("sample", device="cpu"))
    yield controller
    controller.shut_down()


def add_video(viewer):
    data = np.random.default_rng(7).integers(0, 255, (T, H, W, 3), np.uint8)
    layer = viewer.add_image(data, name="noise", rgb=True)
    viewer.dims.set_current_step(0, 0)
    use_video(viewer, video_from_layer(layer))
    return layer


def test_two_prompts_are_tracked_and_the_run_is_kept(viewer, controller, qtbot, tmp_path):
    add_video(viewer)
    scored = []
    controller.scores_changed.connect(lambda: scored.append(True))
    controller.prompts.add_point((0, 10, 20))
    controller.add_object()
    controller.prompts.add_point((0, 30, 40))
    assert set(controller.prompts.states) == {(0, 1), (0, 2)}
    controller.propagate("forward")
    qtbot.waitUntil(lambda: controller.runner.phase is Phase.IDLE and len(find_runs(tmp_path)) == 1, timeout=WAIT)
    run = open_run(find_runs(tmp_path)[0])
    assert run.object_ids.tolist() == [1, 2]
    assert run.tracked.all()
    assert run.prompted.tolist() == [[True] + [False] * (T - 1)] * 2
    assert scored


def test_undo_takes_back_what_was_said_last(viewer, controller):
    add_video(viewer)
    controller.prompts.add_point((0, 10, 20))
    controller.prompts.add_point((0, 12, 22))
    assert [len(state.points) for state in controller.prompts.states.values()] == [2]
    controller.prompts.undo()
    assert [len(state.points) for state in controller.prompts.states.values()] == [1]
    assert controller.prompts.can_redo
    controller.prompts.undo()
    assert not controller.prompts.states
    assert not controller.prompts.can_undo


def test_without_a_prompt_or_a_model_nothing_is_tracked_and_it_is_said(viewer, controller):
    said, refused = [], []
    controller.told.connect(said.append)
    controller.refused.connect(refused.append)
    controller.propagate("forward")
    assert not said, "without a video there is nothing to say"
    add_video(viewer)
    controller.propagate("forward")
    assert said == ["Add a prompt first: click, box or paint the object."]
    controller.choose_model(None)
    controller.prompts.add_point((0, 10, 20))
    assert refused == ["The chosen model is not on this machine: download it, or choose another one."]
    assert controller.runner.phase is Phase.IDLE


def test_prompts_come_back_with_their_video_and_go_with_its_layer(viewer, controller):
    first = add_video(viewer)
    controller.choose_model(None)
    controller.prompts.add_point((0, 10, 20))
    second = add_video(viewer)
    assert not controller.prompts.states
    use_video(viewer, video_from_layer(first))
    assert set(controller.prompts.states) == {(0, 1)}
    viewer.layers.remove(first)
    assert controller.video is None
    assert state_of(viewer).video is None
    use_video(viewer, video_from_layer(second))
    assert not controller.prompts.states
