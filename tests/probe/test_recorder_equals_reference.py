"""Maps, pointers and features equal float64 NumPy on tensors that other code took out of the stock predictor."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from helpers.captured import Captured, reference_features
from helpers.scenarios import SCENARIOS, moving_video, run_session, run_stock, write_video
from helpers.twins import make_twins
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.positions import BY_KEY, POSITIONS
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

T = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "moving", moving_video(T))


@pytest.fixture(scope="module")
def captured_of(folder):
    """``captured_of(scenario, gate)`` -> what the stock predictor computes; the same for all options of a recorder."""
    known = {}

    def capture(scenario, gate):
        if (scenario, gate) not in known:
            # Not the twin that is shared: the capture wraps methods.
            stock, _, _ = make_twins(gate)
            known[scenario, gate] = Captured(stock)
            run_stock(stock, folder, SCENARIOS[scenario])
        return known[scenario, gate]

    return capture


@pytest.fixture
def run_both(folder, twins, captured_of):
    return partial(_run_both, folder, twins, captured_of)


def _run_both(folder, twins, captured_of, scenario, *, gate, sweep=False, **recorder_arguments):
    captured, steps = captured_of(scenario, gate), SCENARIOS[scenario]
    _, ours, flags = twins(gate)
    recorder = ProbeRecorder(T, **recorder_arguments)
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags), recorder) as session:
        run_session(session, steps)
        if sweep:
            list(session.sweep())
        scores = {
            (o.obj_id, t): float((o.conditioning.get(t) or o.tracked[t]).object_score_logits)
            for o in session._objects.values()
            for t in o.visited
        }
    return captured, recorder, scores


def check(captured, recorder, scores, *, present=None, options=None):
    options = options or FeatureOptions()
    records = {(r.obj_id, r.frame_idx): r for r in recorder.take()}
    assert records.keys() == scores.keys()
    for (obj_id, t), record in records.items():
        for key, maps in record.maps.items():
            tensor = captured.tensors[obj_id, t, BY_KEY[key].number]
            np.testing.assert_allclose(maps[0], tensor.mean(axis=0), rtol=1e-4, atol=1e-5, err_msg=f"{key} {t}")
            np.testing.assert_allclose(maps[1], tensor.var(axis=0), rtol=1e-4, atol=1e-6, err_msg=f"{key} {t}")
        for key, pointer in record.vectors.items():
            np.testing.assert_array_equal(pointer, captured.tensors[obj_id, t, BY_KEY[key].number])
        assert record.maps.keys() | record.vectors.keys() == {p.key for p in POSITIONS}
    table = recorder.features_table().set_index(["object_id", "position", "frame"])
    compared = 0
    for obj_id in {o for o, _ in scores}:
        frames = sorted(t for o, t in scores if o == obj_id)
        if present is None:
            is_reference = {t: scores[obj_id, t] > 0 for t in frames}
        else:
            is_reference = {t: bool(present[t]) for t in frames}
        if not options.prompted_references:
            is_reference[0] = False
        for position in POSITIONS:
            embeddings = {t: captured.tensors[obj_id, t, position.number] for t in frames}
            power = 1.0 if options.denominator == "variance" else 0.5
            expected = reference_features(embeddings, is_reference, frames, power=power, epsilon=options.epsilon)
            for t in frames:
                actual = table.loc[(obj_id, position.number, t)].to_numpy(float)
                np.testing.assert_allclose(
                    actual[[0, 2]], np.array(expected[t])[[0, 2]], rtol=1e-4, err_msg=f"{position.key} {t}"
                )
                np.testing.assert_allclose(actual[1], expected[t][1], rtol=2e-3, err_msg=f"{position.key} {t}")
                compared += int(np.isfinite(actual).sum())
    return compared


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario", ["mask", "two objects", "correction by clicks", "correction by mask, from there on"]
)
@pytest.mark.parametrize("gate", ["open", "changing"])
def test_equal(scenario, gate, run_both):
    captured, recorder, scores = run_both(scenario, gate=gate)
    assert check(captured, recorder, scores) > 100


@pytest.mark.slow
def test_absent_frames_and_the_ratio_over_the_gap(run_both):
    present = np.ones(T, bool)
    present[4:7] = False
    captured, recorder, scores = run_both("box", gate="open", object_present={1: present})
    assert check(captured, recorder, scores, present=present) > 100
    ratio = recorder.features(1).values[0, :, 2]
    assert np.isfinite(ratio[[4, 5, 6, 7]]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        FeatureOptions(denominator="standard deviation"),
        FeatureOptions(epsilon=1e-3),
        FeatureOptions(prompted_references=False),
    ],
    ids=["standard deviation", "epsilon", "no prompted references"],
)
def test_options(options, run_both):
    captured, recorder, scores = run_both("mask", gate="open", options=options)
    assert check(captured, recorder, scores, options=options) > 100


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["both directions", "correction while going back"])
def test_a_sweep_knows_what_a_backward_pass_left_open(scenario, folder, twins, run_both):
    steps = SCENARIOS[scenario]
    _, ours, flags = twins("open")
    recorder = ProbeRecorder(T)
    with VideoSession(ours, FolderSource(folder), SessionOptions(flags=flags), recorder) as session:
        run_session(session, [*steps[:1], ("track", {"reverse": True, "start": 4})])
        series = recorder.features(1)
        assert series.stale[:5].any()
        assert np.isnan(series.values[:, :5]).all()
        list(session.sweep())
        series = recorder.features(1)
        assert not series.stale.any()
        assert np.isfinite(series.values[:, 2:4, :2]).all()
    if scenario == "both directions":
        captured, recorder, scores = run_both(scenario, gate="open", sweep=True)
        assert check(captured, recorder, scores) > 100
