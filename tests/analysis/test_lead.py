"""The lead of decoded centres: made ones are found, shrinking and looks are not taken for one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_sam2_probe.analysis.bootstrap import Estimate, group_weights
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderOptions, DecoderReport
from napari_sam2_probe.decoder.lead import LeadOptions, centres, measure_lead, velocities
from napari_sam2_probe.decoder.lead_file import load_lead, save_lead
from napari_sam2_probe.decoder.tracks import PointerTrack

HEIGHT, WIDTH = 300, 400
DIAGONAL = 500
N = 40

# Pointers are the boxes themselves, so that the tests say what is decoded.
READER = BoxDecoder(
    "made", None, np.zeros(4), np.ones(4), (np.eye(4),), (np.zeros(4),), np.zeros(4), np.ones(4), None, DecoderOptions()
)


def track(name, decoded, truth, object_id=1):
    """Of centres in pixels, (N, 2), with a box of 40 x 40 pixels."""
    size = np.array([WIDTH, HEIGHT])

    def boxes(middle):
        return np.concatenate([(middle - 20) / size, (middle + 20) / size], axis=1)

    frames = np.arange(len(truth))
    return PointerTrack(
        name, object_id, HEIGHT, WIDTH, frames, boxes(decoded), boxes(truth), np.ones(len(frames), np.float32)
    )


def paths(number=12, seed=0, speed=3.0):
    """Straight ways across the frame, in pixels."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        angle = rng.uniform(0, 2 * np.pi)
        step = speed * np.array([np.cos(angle), np.sin(angle)])
        start = np.array([200, 150]) - step * N / 2 + rng.normal(0, 10, 2)
        yield f"video-{index:02d}", start + np.arange(N)[:, None] * step, step / speed


def both_ways(decoded_of, **how):
    """Tracks forward and backward; `decoded_of(truth, direction of motion, direction of the looks)` gives centres."""
    rng = np.random.default_rng(9)
    forward, backward = [], []
    for name, truth, direction in paths(**how):
        noise = rng.normal(0, 0.5, (2, N, 2))
        forward.append(track(name, decoded_of(truth, direction, direction) + noise[0], truth))
        backward.append(track(name, decoded_of(truth[::-1], -direction, direction) + noise[1], truth[::-1]))
    return forward, backward


def test_a_lead_is_found_both_ways():
    result = measure_lead(*both_ways(lambda truth, motion, looks: truth + 5 * motion), READER)
    assert len(result.sequences) == 12
    for estimate in (result.forward_mean, result.backward_mean, result.motion):
        assert estimate.value == pytest.approx(5 / DIAGONAL, abs=0.002)
        assert estimate.low <= estimate.value <= estimate.high
    assert result.motion.low > 0
    assert result.looks.value == pytest.approx(0, abs=0.001)
    np.testing.assert_array_equal(result.num_frames, N - 2)
    np.testing.assert_allclose(result.speed, 3 / DIAGONAL)
    assert result.table().shape == (12, 6)


def test_looks_are_no_lead():
    """A box that is drawn to the head goes before the object only as long as the object goes head first."""
    result = measure_lead(*both_ways(lambda truth, motion, looks: truth + 5 * looks), READER)
    assert result.forward_mean.low > 0
    assert result.backward_mean.high < 0
    assert result.looks.value == pytest.approx(5 / DIAGONAL, abs=0.002)
    assert result.motion.low <= 0.0005
    assert result.motion.value == pytest.approx(0, abs=0.001)


def test_shrinking_towards_the_mean_is_no_lead():
    """Objects that come from the edge and stop in the middle: shrunken boxes are always ahead of them."""
    forward, backward = [], []
    for name, truth, direction in paths():
        inwards = truth[: N // 2]
        shrunk = 0.6 * inwards + 0.4 * np.array([200, 150])
        assert ((shrunk - inwards) @ direction).mean() > 5
        forward.append(track(name, shrunk, inwards))
        backward.append(track(name, shrunk[::-1], inwards[::-1]))
    result = measure_lead(forward, backward, READER)
    assert result.forward_mean.value == pytest.approx(0, abs=1e-9)
    assert result.backward_mean.value == pytest.approx(0, abs=1e-9)


def test_bootstrap_equals_resamples_written_out():
    forward, backward = both_ways(lambda truth, motion, looks: truth + 2 * motion + 0.1 * (200 - truth), number=6)
    options = LeadOptions(num_resamples=40, seed=4)
    result = measure_lead(forward, backward, READER, options)
    means = []
    for times in group_weights(6, 40, 4).astype(int):
        drawn = [t for t, n in zip(forward, times, strict=True) for _ in range(n)]
        truth = np.concatenate([centres(t.boxes, HEIGHT, WIDTH) for t in drawn])
        error = np.concatenate([centres(t.pointers, HEIGHT, WIDTH) for t in drawn]) - truth
        inputs = np.c_[np.ones(len(truth)), truth]
        rest = error - inputs @ np.linalg.lstsq(inputs, error, rcond=None)[0]
        velocity = np.concatenate([velocities(centres(t.boxes, HEIGHT, WIDTH), t.frames) for t in drawn])
        direction = velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
        # All sequences are equally long, so that the mean over frames is that over sequences.
        means.append(np.nanmean((rest * direction).sum(axis=1)))
    low, high = np.quantile(means, [0.025, 0.975])
    np.testing.assert_allclose([result.forward_mean.low, result.forward_mean.high], [low, high], rtol=1e-6)


def test_still_objects_and_gaps_are_left_out():
    forward, backward = both_ways(lambda truth, motion, looks: truth + 5 * motion, number=3)
    still = np.tile([[100.0, 100.0]], (N, 1))
    result = measure_lead([*forward, track("still", still, still)], [*backward, track("still", still, still)], READER)
    assert "still" not in result.sequences
    sparse = [
        replace(
            t, frames=t.frames[::2], pointers=t.pointers[::2], boxes=t.boxes[::2], object_scores=t.object_scores[::2]
        )
        for t in forward
    ]
    nothing = measure_lead(sparse, backward, READER)
    assert nothing.sequences == ()
    assert np.isnan(nothing.motion.value)
    assert "no object moves" in str(nothing)
    assert nothing.table().empty


def test_one_sequence_has_no_interval():
    forward, backward = both_ways(lambda truth, motion, looks: truth + 5 * motion, number=1)
    result = measure_lead(forward, backward, READER)
    assert np.isnan(result.motion.low)
    assert "only one sequence" in str(result)


def test_sequences_that_the_decoder_knows_are_left_out():
    tracks = both_ways(lambda truth, motion, looks: truth + 5 * motion, number=5)
    none = Estimate.missing("not measured")
    report = DecoderReport(none, none, none, (0,) * 4, (0,) * 4, 1, 1, 0, ("video-01", "video-03"), ("video-00",))
    result = measure_lead(*tracks, replace(READER, report=report))
    assert result.sequences == ("video-00", "video-02", "video-04")
    assert not result.decoder_knows.any()
    everything = replace(report, fitted_sequences=tuple(f"video-{n:02d}" for n in range(5)))
    result = measure_lead(*tracks, replace(READER, report=everything))
    assert len(result.sequences) == 5
    assert result.decoder_knows.all()
    assert "that the decoder was fitted to" in str(result)


def test_objects_of_a_sequence_count_together():
    forward, backward = both_ways(lambda truth, motion, looks: truth + 5 * motion, number=4)
    again = [replace(t, object_id=2) for t in forward], [replace(t, object_id=2) for t in backward]
    once, twice = measure_lead(forward, backward, READER), measure_lead(forward + again[0], backward + again[1], READER)
    np.testing.assert_allclose(twice.forward, once.forward)
    np.testing.assert_array_equal(twice.num_frames, 2 * once.num_frames)
    assert twice.motion.num_groups == 4


class TestFiles:
    @pytest.mark.parametrize("number", [0, 1, 5])
    def test_read_back(self, tmp_path, number):
        result = measure_lead(*both_ways(lambda truth, motion, looks: truth + motion, number=number), READER)
        save_lead(result, tmp_path / "lead.json")
        read = load_lead(tmp_path / "lead.json")
        assert str(read) == str(result)
        assert (read.sequences, read.options, read.checkpoint, read.sha256) == (
            result.sequences,
            result.options,
            "made",
            None,
        )
        for name in ("forward", "backward", "num_frames", "speed", "decoder_knows"):
            np.testing.assert_array_equal(getattr(read, name), getattr(result, name))
            assert getattr(read, name).dtype == getattr(result, name).dtype

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda c: c.update(format="other"), "no measured lead"),
            (lambda c: c.update(version=2), "no measured lead"),
            (lambda c: c.pop("motion"), "damaged"),
            (lambda c: c["speed"].pop(), "equally long"),
            (lambda c: c["looks"].update(surprise=1), "damaged"),
            (lambda c: c["options"].update(surprise=1), "damaged"),
        ],
    )
    def test_what_is_damaged(self, tmp_path, change, words):
        path = tmp_path / "lead.json"
        save_lead(measure_lead(*both_ways(lambda truth, motion, looks: truth + motion, number=3), READER), path)
        content = json.loads(path.read_text())
        # As an earlier version wrote it: the checksum would tell before anything else does.
        del content["checksum"]
        change(content)
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=words):
            load_lead(path)

    def test_what_is_none(self, tmp_path):
        with pytest.raises(InputError, match="can't be read"):
            load_lead(tmp_path / "nowhere.json")
        (tmp_path / "text.json").write_text("text")
        with pytest.raises(InputError, match="no measured lead"):
            load_lead(tmp_path / "text.json")


def test_velocity_needs_both_neighbours():
    positions = np.array([[0.0, 0], [1, 0], [3, 0], [10, 1], [11, 3], [13, 3]])
    found = velocities(positions, np.array([0, 1, 2, 5, 6, 7]))
    np.testing.assert_array_equal(found[[1, 4]], [[1.5, 0], [1.5, 1]])
    assert np.isnan(found[[0, 2, 3, 5]]).all()
    assert np.isnan(velocities(positions[:2], np.arange(2))).all()
