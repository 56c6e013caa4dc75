"""What the sample model is measured with."""

import numpy as np
import pytest

from tools.sample_model import evaluate
from tools.sample_model.render import ClipRenderer


@pytest.fixture
def perfect(monkeypatch):
    """Tracking that is given the truth by the clips that are tracked."""
    clips = {}
    plain = evaluate._clips

    def remembered(*args, **options):
        for frames, truth in plain(*args, **options):
            clips[frames.tobytes()] = truth
            yield frames, truth

    def track(_model, frames, _mask, _ask=None):
        truth = clips[frames.tobytes()]
        return truth, truth.any((1, 2)) - 0.5

    monkeypatch.setattr(evaluate, "_clips", remembered)
    monkeypatch.setattr(evaluate, "track", track)


def test_a_perfect_tracker_gets_full_marks(bank, perfect):
    renderer = ClipRenderer(bank, 64)
    assert evaluate.rendered(None, renderer, 3, "mask")["J interval"] == [1, 1]
    found = evaluate.absence(None, renderer, 3, "removal")
    assert found["AUROC"] == found["prefix J"] == found["suffix J"] == 1
    assert found["suffix minus prefix"] == found["mask on absent frames"] == 0


def test_copying_is_worse_than_perfect_and_better_than_nothing(bank, perfect):
    found = evaluate.rendered(None, ClipRenderer(bank, 64), 4, "mask")
    assert 0 < found["copying"] < 1
    assert found["clips"] == 4


def test_held_out_clips_do_not_change_with_the_mix_of_training(bank, monkeypatch):
    monkeypatch.setattr(evaluate, "build_bank", lambda *args, **options: bank)
    before = next(evaluate._clips(evaluate.held_out_renderer(), 1))
    monkeypatch.setattr("tools.sample_model.render._EVENT_PROBABILITY", (0.0, 0.0, 1.0, 0.0, 0.0))
    after = next(evaluate._clips(evaluate.held_out_renderer(), 1))
    np.testing.assert_array_equal(before[0], after[0])
