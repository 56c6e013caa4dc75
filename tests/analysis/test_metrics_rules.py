"""What holds for J, F and their summaries whatever the masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.evaluation.metrics import (
    SequenceEvaluator,
    boundary_accuracy,
    region_similarity,
    score_clip,
    score_masks,
    summarize,
)
from napari_sam2_probe.evaluation.metrics.bitmap import dilate, pack, rectangle

MASK_PAIRS = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)), radius=st.integers(0, 9))
def test_dilation_is_by_a_disk(mask, radius):
    offsets = np.arange(-radius, radius + 1)
    disk = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2
    expected = ndimage.binary_dilation(mask, disk)
    stride = mask.shape[1] + radius
    inside = rectangle(*mask.shape, stride)
    assert inside == pack(np.ones_like(mask), stride)
    assert dilate(pack(mask, stride), radius, stride) & inside == pack(expected, stride)


@given(MASK_PAIRS)
def test_scores_are_fractions_and_symmetric(masks):
    first, second = masks
    scores = score_masks(first, second)
    assert scores == score_masks(second, first)
    assert all(0 <= score <= 1 for score in scores)
    assert score_masks(first, first) == (1.0, 1.0)
    assert scores == (region_similarity(first, second), boundary_accuracy(first, second))


@given(MASK_PAIRS, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=50)
def test_where_the_masks_are_in_a_large_image_does_not_matter(masks, dy, dx):
    def placed(mask, y, x):
        large = np.zeros((60, 60), bool)
        large[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        return large

    first, second = masks
    here = score_masks(placed(first, 3, 3), placed(second, 3, 3))
    assert score_masks(placed(first, 3 + dy, 3 + dx), placed(second, 3 + dy, 3 + dx)) == here


def test_decay_of_a_long_sequence():
    """More than 256 frames, where 8-bit bin borders would wrap around."""
    values = np.linspace(1, 0, 1001)
    summary = summarize(values)
    assert summary.mean == pytest.approx(0.5)
    assert summary.recall == pytest.approx(500 / 1001)
    assert summary.decay == pytest.approx(values[:251].mean() - values[750:].mean())
    assert summary.decay == pytest.approx(0.75)


def test_one_frame_has_no_decay():
    assert summarize(np.array([0.25])).decay == 0


def test_frames_that_differ_in_size_are_refused():
    with pytest.raises(InputError, match="ground truth"):
        SequenceEvaluator([1]).add_frame(np.zeros((4, 5)), np.zeros((5, 4)))


class TestClips:
    lengths = (4, 2, 4)
    present = np.array([True] * 4 + [False] * 2 + [True] * 4)

    def masks(self):
        truth = np.zeros((10, 40, 60), np.uint8)
        truth[self.present, 10:30, 10:40] = 1
        truth[4:6, 0:5, 0:5] = 2
        return truth

    def test_a_perfect_prediction(self):
        truth = self.masks()
        scores = score_clip(truth, truth, self.present, lengths=self.lengths)
        assert (scores.prefix_jf, scores.suffix_jf, scores.reidentification) == (1, 1, 0)
        assert scores.false_positive_rate == 0
        unscored = np.isnan(scores.region_per_frame)
        assert np.flatnonzero(unscored).tolist() == [0, 4, 5]

    def test_lost_for_ever_and_seen_where_it_is_not(self):
        truth = self.masks()
        predicted = truth.copy()
        predicted[6:] = 0
        predicted[5, 20, 20] = 1
        scores = score_clip(truth, predicted, self.present, lengths=self.lengths)
        assert (scores.prefix_jf, scores.suffix_jf, scores.reidentification) == (1, 0, -1)
        assert np.flatnonzero(scores.false_positive).tolist() == [5]
        assert scores.false_positive_rate == 0.5

    def test_the_prompted_frame_is_not_scored(self):
        truth = self.masks()
        predicted = truth.copy()
        predicted[0] = 0
        assert score_clip(truth, predicted, self.present, lengths=self.lengths).prefix_jf == 1

    def test_a_fully_hidden_object_is_rightly_predicted_as_nothing(self):
        truth = self.masks()
        truth[7] = 0
        wrong = truth.copy()
        wrong[7, 3:6, 3:6] = 1
        assert score_clip(truth, truth, self.present, lengths=self.lengths).suffix_jf == 1
        assert score_clip(truth, wrong, self.present, lengths=self.lengths).suffix_jf == 0.75

    def test_a_clip_without_absent_frames_has_no_false_positive_rate(self):
        truth = self.masks()
        always = np.ones(10, bool)
        assert np.isnan(score_clip(truth, truth, always, lengths=self.lengths).false_positive_rate)

    def test_lengths_that_do_not_fit(self):
        truth = self.masks()
        with pytest.raises(ValueError, match="28 frames"):
            score_clip(truth, truth, self.present)
