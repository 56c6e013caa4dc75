"""Everything that tracks and probes, with a model on a GPU that is only pretended: no tensor is where it shouldn't be.

Numbers are those of the CPU, on which all is computed; only sums over positions are taken in another order there. A
real GPU would refuse the same things.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.pretended_gpu import DEVICE, is_marked, pretended_gpu
from helpers.rounding import IS_INTEL, assert_same_sums
from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.probe.batch_size import MOST_CLIPS, choose_batch_size
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.array import ArraySource

pytestmark = pytest.mark.usefixtures("one_thread")

T = 7


@pytest.fixture
def gpu():
    with pretended_gpu() as mode:
        yield mode


@pytest.fixture
def source():
    return ArraySource(moving_video(T), name="moving")


class TestPretending:
    """What the pretended GPU refuses, so that the tests below can fail."""

    def test_tensors_of_two_devices_are_not_mixed(self, gpu):
        here, there = torch.ones(3), torch.ones(3, device="cuda")
        with pytest.raises(RuntimeError, match="same device"):
            here + there
        with pytest.raises(RuntimeError, match="same device"):
            torch.cat([there * 2, here])
        with pytest.raises(RuntimeError, match="same device"):
            here[torch.tensor([0, 1], device="cuda")]
        assert is_marked(there[torch.tensor([0, 1])] * torch.tensor(2.0))
        assert torch.equal((here.to("cuda") + there).cpu(), torch.full((3,), 2.0))
        layer = torch.nn.Linear(3, 2)
        with pytest.raises(RuntimeError, match="same device"):
            layer(there)
        assert layer.to(DEVICE)(there).device == DEVICE

    def test_numpy_sees_only_the_cpu_and_only_what_has_arrived(self, gpu):
        there = torch.ones(3, device="cuda")
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        with pytest.raises(TypeError, match="numpy"):
            np.asarray(there)
        copy = there.to("cpu", non_blocking=True)
        with pytest.raises(AssertionError, match="before it was there"):
            copy.numpy()
        torch.cuda.synchronize()
        assert copy.numpy().sum() == 3


def everything_a_session_does(device, source):
    loaded = load_model(ModelChoice("sample", device=device))
    recorder = ProbeRecorder(T)
    # So little memory that image features and outputs go to disk and come back.
    options = SessionOptions.for_model(loaded, feature_budget=1, output_budget=1)
    given = []
    with VideoSession(loaded.model, source, options, recorder) as session:
        given.append(session.add_prompt(Prompt.from_mask(0, 1, square_mask(0))))
        given.append(session.add_prompt(Prompt.from_points(2, 2, box=[90, 10, 140, 60])))
        given += session.propagate()
        given.append(session.add_prompt(Prompt.from_points(4, 1, [[60, 50], [10, 10]], [1, 0])))
        given += session.propagate("backward", start=6)
        session.add_prompt(Prompt.from_points(5, 2, [[100, 40]], [1]))
        masks, _ = session.candidates(5, 2)
        given += [session.choose_candidate(5, 2, len(masks) - 1), session.undo(), session.clear_prompt(2, 2)]
        assert all(is_marked(frame.mask_logits) == (device == "cuda") for frame in given)
        records = recorder.take()
        tables = [recorder.features_table()]
        for _ in session.sweep():
            pass
        tables.append(recorder.features_table())
        session.remove_object(2)
        given += session.propagate()
    recorder.close()
    return [frame.masks() for frame in given], [frame.object_scores for frame in given], records, tables


@pytest.mark.slow
def test_a_session_and_its_probe(source):
    here = everything_a_session_does("cpu", source)
    with pretended_gpu() as mode:
        there = everything_a_session_does("cuda", source)
        assert mode.operations > 1000
    for ours, theirs in zip(here[0] + here[1], there[0] + there[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(here[2]) == len(there[2]) > 0
    for ours, theirs in zip(here[3], there[3], strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=False, rtol=1e-4)


@pytest.mark.slow
def test_clips_of_two_sizes_in_a_batch():
    sizes = ((90, 160), (120, 160), (90, 160))
    sources = [ArraySource(moving_video(T, *size, seed=k), name=f"clip {k}") for k, size in enumerate(sizes)]
    masks = [square_mask(0, *size) for size in sizes]

    def track(device):
        loaded = load_model(ModelChoice("sample", device=device))
        recorder = BatchRecorder(T, np.ones((3, T), bool), keep_maps=True)
        with BatchTracker(loaded.model, sources, masks, SessionOptions.for_model(loaded), recorder) as tracker:
            frames = [(frame.masks(), frame.object_scores, frame.predicted_iou) for frame in tracker.track()]
        return frames, recorder.values(), recorder.pointers(raw=True), recorder.take_maps()

    here = track("cpu")
    with pretended_gpu():
        there = track("cuda")
    for ours, theirs in zip(here[0], there[0], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours[0], theirs[0], strict=True))
        assert_same_sums(ours[1:], theirs[1:], rtol=2e-5)
    for k in range(3):
        # The long-term distance, the second, multiplies five of them.
        rtol = 2e-3 if k == 1 and not IS_INTEL else 1e-4
        np.testing.assert_allclose(here[1][..., k], there[1][..., k], rtol=rtol)
    assert_same_sums(here[2], there[2], rtol=1e-4, atol=1e-4)
    for (_, ours), (_, theirs) in zip(here[3], there[3], strict=True):
        for key in ours | theirs:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_batch_size_follows_from_free_memory(gpu):
    loaded = load_model(ModelChoice("sample", device="cuda"))
    assert 1 <= choose_batch_size(loaded.model, SessionOptions.for_model(loaded), (48, 64)) <= MOST_CLIPS


def test_a_run_says_where_it_was_made(gpu, source, tmp_path):
    loaded = load_model(ModelChoice("sample", device="auto"))
    prompts = [Prompt.from_mask(0, 1, square_mask(0))]
    run = record_run(source, prompts, tmp_path / "run", loaded)
    assert run.info["model"]["device_name"] == "Pretended GPU, 86 GB (cuda)"
    assert run.masks.shape == (T, 90, 160)
