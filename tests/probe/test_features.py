"""Features are those of the plain definition, or NaN and stale; never anything else."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.captured import reference_features
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.features import FeatureSeries

T = 14
KEYS = ("a", "b")
OPTIONS = FeatureOptions(epsilon=1e-2)


class Video:
    """What a session would do: embeddings that change, passes over parts of the video, references shown again."""

    def __init__(self, seed: int, presence: float = 0.75) -> None:
        self.series = FeatureSeries(T, KEYS, OPTIONS)
        self.current: dict[int, np.ndarray] = {}
        self.present: dict[int, bool] = {}
        self._rng = np.random.default_rng(seed)
        self._presence = presence

    def forward(self, start=0, end=T - 1, *, fresh=True, showable=lambda t: True):
        """Pass in time order; `fresh` gives every frame new values, else only those without any get some."""
        for t in self.series.rewind(start):
            if showable(t):
                self.series.add_reference(t, self._embeddings(t))
        for t in range(start, end + 1):
            self._renew(t, fresh)
            self.series.pass_in_order(t, self._embeddings(t), is_reference=self.present[t])

    def backward(self, start, end=0, *, fresh=True):
        for t in range(start, end - 1, -1):
            self._renew(t, fresh)
            self.series.pass_out_of_order(t, is_reference=self.present[t])

    def sweep(self, until=T - 1):
        """Show what there is in time order, without changing anything."""
        frames = [t for t in sorted(self.current) if t <= until]
        if frames:
            self.forward_over(frames)

    def forward_over(self, frames):
        for t in self.series.rewind(frames[0]):
            self.series.add_reference(t, self._embeddings(t))
        for t in frames:
            self.series.pass_in_order(t, self._embeddings(t), is_reference=self.present[t])

    def _renew(self, t, fresh):
        if fresh or t not in self.current:
            self.current[t] = self._rng.normal(size=(len(KEYS), 7)).astype(np.float32)
            self.present[t] = bool(self._rng.random() < self._presence)
            self.series.changed(t)

    def _embeddings(self, t):
        return {key: torch.from_numpy(self.current[t][k]) for k, key in enumerate(KEYS)}

    def plain(self) -> np.ndarray:
        """The plain definition on the current values, in the shape of `FeatureSeries.values`."""
        expected = np.full((len(KEYS), T, 3), np.nan)
        frames = sorted(self.current)
        for k in range(len(KEYS)):
            embeddings = {t: self.current[t][k].astype(np.float64) for t in frames}
            for t, row in reference_features(embeddings, self.present, frames, epsilon=OPTIONS.epsilon).items():
                expected[k, t] = row
        return expected

    def check(self):
        """No wrong number; whatever is missing is marked."""
        self.series.settle()
        expected, actual = self.plain(), self.series.values
        known = np.isfinite(actual)
        np.testing.assert_allclose(actual[known], expected[known], rtol=2e-3)
        missing = (np.isfinite(expected) & ~known).any(axis=(0, 2))
        assert (missing <= self.series.stale).all(), (missing, self.series.stale)
        assert not self.series.stale[[t for t in range(T) if t not in self.current]].any()

    def check_all_known(self):
        self.check()
        assert not self.series.stale.any()
        np.testing.assert_allclose(self.series.values, self.plain(), rtol=2e-3)


def test_in_order_all_is_known():
    video = Video(0)
    video.forward()
    video.check_all_known()
    assert np.isfinite(video.series.values).sum() > 50


def test_out_of_order_nothing_is_known():
    video = Video(0)
    video.backward(T - 1)
    video.check()
    assert video.series.stale.all()
    assert np.isnan(video.series.values).all()


def test_a_sweep_makes_it_known():
    video = Video(0)
    video.backward(T - 1)
    video.sweep()
    video.check_all_known()


def test_a_pass_from_the_middle_looks_back_at_references_shown_again():
    video = Video(1)
    video.forward()
    video.forward(start=6)
    video.check_all_known()


def test_references_that_cannot_be_shown_leave_a_gap_that_closes():
    video = Video(2, presence=1)
    video.forward()
    video.forward(start=5, showable=lambda t: False)
    video.check()
    assert video.series.stale[5]
    assert np.isnan(video.series.values[:, 5]).all()
    assert list(np.flatnonzero(video.series.stale)) == [5, 6, 7, 8, 9, 10]
    assert np.isfinite(video.series.values[:, 10, :2]).all()
    assert np.isfinite(video.series.values[:, 11:]).all()


def test_a_change_reaches_five_references_far():
    video = Video(3)
    video.forward()
    video.series.settle()
    before = video.series.values.copy()
    video.backward(4, 4)
    stale = np.flatnonzero(video.series.stale)
    video.check()
    later = [t for t in range(5, T) if video.present[t]]
    assert list(stale) == list(range(4, later[4] + 1))
    untouched = np.arange(T) > later[4]
    np.testing.assert_array_equal(video.series.values[:, untouched], before[:, untouched])


def test_a_pass_that_stops_early_leaves_no_old_number_behind():
    """Distances of the earlier pass that were still on the device must not come in afterwards."""
    video = Video(4)
    video.forward()
    video.forward(start=0, end=3)
    video.check()
    assert video.series.stale[4]


def test_references_skipped_by_a_pass_are_noticed():
    video = Video(5, presence=1)
    video.forward()
    frames = [t for t in range(T) if t != 4]
    video.forward_over(frames)
    video.check()
    assert video.series.stale[5]


def test_more_frames_than_are_settled_together():
    series = FeatureSeries(200, ("a",), OPTIONS)
    values = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    series.rewind(0)
    for t in range(200):
        series.pass_in_order(t, {"a": torch.from_numpy(values[t])}, is_reference=True)
    series.settle()
    frames = list(range(200))
    expected = reference_features(
        dict(enumerate(values.astype(np.float64))), dict.fromkeys(frames, True), frames, epsilon=OPTIONS.epsilon
    )
    np.testing.assert_allclose(series.values[0], [expected[t] for t in frames], rtol=2e-3)


def test_a_position_without_an_embedding_on_a_reference_has_no_distance_to_it():
    series = FeatureSeries(4, ("a", "b"), OPTIONS)
    series.rewind(0)
    ones = torch.ones(3)
    for t, keys in enumerate([("a", "b"), ("a",), ("a", "b"), ("a", "b")]):
        series.pass_in_order(t, dict.fromkeys(keys, ones * t), is_reference=True)
    series.settle()
    short = series.values[:, :, 0]
    root = 3**0.5
    np.testing.assert_allclose(short[0], [np.nan, root, root, root], rtol=1e-6)
    np.testing.assert_allclose(short[1], [np.nan, np.nan, np.nan, root], rtol=1e-6)
    assert not series.stale.any()


frames_of_video = st.integers(0, T - 1)
actions = st.one_of(
    st.tuples(st.just("forward"), frames_of_video, frames_of_video, st.booleans()),
    st.tuples(st.just("unshowable"), frames_of_video, frames_of_video, st.booleans()),
    st.tuples(st.just("backward"), frames_of_video, frames_of_video, st.booleans()),
    st.tuples(st.just("sweep"), frames_of_video, frames_of_video, st.booleans()),
    st.tuples(st.just("without rewind"), frames_of_video, frames_of_video, st.booleans()),
)


@settings(deadline=None, max_examples=120)
@given(seed=st.integers(0, 1000), steps=st.lists(actions, max_size=7), settle=st.booleans())
def test_never_a_wrong_number_whatever_the_order(seed, steps, settle):
    video = Video(seed)
    for what, a, b, fresh in steps:
        low, high = min(a, b), max(a, b)
        if what == "forward":
            video.forward(low, high, fresh=fresh)
        elif what == "unshowable":
            video.forward(low, high, fresh=fresh, showable=lambda t: t % 2 == 0)
        elif what == "backward":
            video.backward(high, low, fresh=fresh)
        elif what == "sweep":
            video.sweep(until=high)
        else:
            for t in (high, low):
                video._renew(t, fresh)
                video.series.pass_in_order(t, video._embeddings(t), is_reference=video.present[t])
        if settle:
            video.check()
    video.check()
    video.forward(fresh=False)
    video.check_all_known()
