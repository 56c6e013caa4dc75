"""References of many clips at once against one `FeatureSeries` a clip, whatever frames hold the object."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import FEATURES
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.features import FeatureSeries
from napari_sam2_probe.probe.positions import POSITIONS

KEYS = tuple(p.key for p in POSITIONS)


def embeddings_of(rng, clips, num_frames, missing):
    """(frame -> key -> (B, ...)), a few of which are missing, and a still element in each."""
    result = []
    for t in range(num_frames):
        shown = {}
        for p in POSITIONS:
            shape = (clips, 3, 4, 4) if p.is_map else (clips, 7)
            values = rng.normal(size=shape).astype(np.float32)
            values.reshape(clips, -1)[:, 0] = 0.1
            if (t, p.key) not in missing:
                shown[p.key] = torch.from_numpy(values)
        result.append(shown)
    return result


def record(frames, present, options, also_present=None):
    recorder = BatchRecorder(len(frames), present, options, also_present=also_present)
    for t, shown in enumerate(frames):
        for key, tensor in shown.items():
            recorder.observe(t, key, tensor)
        recorder.frame_committed(t)
    return recorder


def series_of(frames, present, options, clip):
    series = FeatureSeries(len(frames), KEYS, options)
    series.rewind(0)
    for t, shown in enumerate(frames):
        is_reference = bool(present[clip, t]) and (options.prompted_references or t > 0)
        series.pass_in_order(t, {k: v[clip] for k, v in shown.items()}, is_reference=is_reference)
    series.settle()
    return series


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(1, 5),
    num_frames=st.integers(1, 16),
    alike=st.booleans(),
    some_missing=st.booleans(),
    options=st.sampled_from(
        [
            FeatureOptions(),
            FeatureOptions(denominator="standard deviation", epsilon=1e-3),
            FeatureOptions(prompted_references=False),
        ]
    ),
)
def test_equal_to_a_series_for_each_clip(seed, clips, num_frames, alike, some_missing, options):
    rng = np.random.default_rng(seed)
    present = rng.random((clips, num_frames)) < rng.uniform(0.2, 1)
    if alike:
        present[:] = present[0]
    missing = {(t, KEYS[0]) for t in range(num_frames) if some_missing and rng.random() < 0.3}
    frames = embeddings_of(rng, clips, num_frames, missing)
    recorder = record(frames, present, options)
    values = recorder.values()
    assert values.shape == (clips, len(POSITIONS), num_frames, len(FEATURES))
    for k in range(clips):
        expected = series_of(frames, present, options, k)
        np.testing.assert_allclose(values[k], expected.values, rtol=1e-5)
        np.testing.assert_array_equal(np.isnan(values[k]), np.isnan(expected.values))


def test_before_anything_is_shown_everything_is_unknown():
    recorder = BatchRecorder(4, np.ones((2, 4), bool))
    assert np.isnan(recorder.values()).all()
    assert recorder.pointers().shape == (2, 4, 0)


def test_pointers_and_maps_of_the_frames_so_far():
    rng = np.random.default_rng(0)
    frames = embeddings_of(rng, 2, 3, set())
    recorder = BatchRecorder(4, np.ones((2, 4), bool), keep_maps=True)
    for t, shown in enumerate(frames):
        for key, tensor in shown.items():
            recorder.observe(t, key, tensor)
        recorder.frame_committed(t)
        if t == 1:
            assert [frame for frame, _ in recorder.take_maps(until=0)] == [0]
    assert [frame for frame, _ in recorder.take_maps(until=1)] == [1]
    [(frame, maps)] = recorder.take_maps()
    assert frame == 2
    assert maps.keys() == {p.key for p in POSITIONS if p.is_map}
    expected = frames[2]["memory_features"].numpy()
    np.testing.assert_allclose(maps["memory_features"][:, 0], expected.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps["memory_features"][:, 1], expected.var(axis=1), rtol=1e-4)
    for raw, key in ((False, "object_pointer"), (True, "object_pointer_raw")):
        pointers = recorder.pointers(raw=raw)
        np.testing.assert_array_equal(pointers[:, :3], np.stack([f[key].numpy() for f in frames], axis=1))
        assert np.isnan(pointers[:, 3]).all()
    assert not recorder.take_maps()


def test_presence_of_another_length_is_refused():
    with pytest.raises(InputError, match="one column a frame"):
        BatchRecorder(5, np.ones((2, 4), bool))


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(1, 3),
    num_frames=st.integers(2, 12),
    stretch=st.booleans(),
    prompted_references=st.booleans(),
)
def test_a_second_answer_gives_the_features_of_that_answer_alone(seed, clips, num_frames, stretch, prompted_references):
    """Both are computed in one pass; each must be what a series under that answer by itself gives."""
    rng = np.random.default_rng(seed)
    present = rng.random((clips, num_frames)) < rng.uniform(0.3, 1)
    also = rng.random((clips, num_frames)) < rng.uniform(0.2, 1)
    if stretch:
        # As experiments ask: the same but for a stretch in which nothing is there.
        begin = int(rng.integers(num_frames))
        also = present.copy()
        also[:, begin : begin + 4] = False
    options = FeatureOptions(prompted_references=prompted_references)
    frames = embeddings_of(rng, clips, num_frames, set())
    recorder = record(frames, present, options, also)
    for other, rule in ((False, present), (True, also)):
        values = recorder.values(other=other)
        for clip in range(clips):
            expected = series_of(frames, rule, options, clip).values
            np.testing.assert_allclose(values[clip], expected, rtol=1e-5)


def test_the_second_schedule_looks_back_over_the_stretch_that_is_not_there():
    """By the definition alone: the last reference of frames 12 to 15, and of 16, is frame 11."""
    rng = np.random.default_rng(0)
    frames = embeddings_of(rng, 1, 20, set())
    present, also = np.ones((2, 1, 20), bool)
    also[0, 12:16] = False
    recorder = record(frames, present, FeatureOptions(), also)
    for index, place in enumerate(POSITIONS):
        flat = np.stack([frame[place.key][0].numpy().ravel() for frame in frames]).astype(np.float64)
        for other in (False, True):
            last = [11 if other and 12 <= t <= 16 else t - 1 for t in range(1, 20)]
            expected = np.linalg.norm(flat[1:] - flat[last], axis=1)
            found = recorder.values(other=other)[0, index, 1:, 0]
            np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_second_answer_must_be_given_to_be_asked_for():
    frames = embeddings_of(np.random.default_rng(0), 1, 3, set())
    with pytest.raises(ValueError, match="no second answer"):
        record(frames, np.ones((1, 3), bool), FeatureOptions()).values(other=True)
