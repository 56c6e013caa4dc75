"""The figure of leads: what is drawn is what was measured, and nothing is cut off."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.decoder.lead import LeadOptions, LeadResult
from napari_sam2_probe.figures.lead import make_lead


@pytest.fixture
def result(rng):
    def make(number):
        forward, backward = rng.normal(0.01, 0.01, (2, number))
        estimates = [
            Estimate(float(v.mean()), float(v.mean() - 0.004), float(v.mean() + 0.004), number)
            for v in (forward, backward, (forward + backward) / 2, (forward - backward) / 2)
        ]
        names = tuple(f"sequence-{k:02d}" for k in range(number))
        frames, known = np.full(number, 30), np.zeros(number, bool)
        return LeadResult(
            names, forward, backward, frames, np.full(number, 0.01), *estimates, known, "made", None, LeadOptions()
        )

    return make


@pytest.mark.parametrize("number", [1, 9, 40, 90])
def test_nothing_is_cut_off(result, number):
    assert_well_laid_out(make_lead(result(number)))


def test_what_is_drawn(result):
    measured = result(9)
    figure = make_lead(measured)
    left, right = figure.axes
    ahead, behind = (line for line in left.lines if line.get_label().startswith("video"))
    order = np.argsort(measured.forward + measured.backward)
    np.testing.assert_allclose(ahead.get_xdata(), 100 * measured.forward[order])
    np.testing.assert_allclose(behind.get_xdata(), 100 * measured.backward[order])
    assert [t.get_text() for t in left.get_yticklabels()] == [measured.sequences[k] for k in order]
    means = [line.get_xdata()[0] for line in right.lines if line.get_marker() != "None"]
    estimates = (measured.forward_mean, measured.backward_mean, measured.motion, measured.looks)
    np.testing.assert_allclose(means, [100 * e.value for e in estimates])
    segments = [c.get_segments()[0][:, 0] for c in right.collections]
    np.testing.assert_allclose(segments, [[100 * e.low, 100 * e.high] for e in estimates])
    assert "with the motion" in sentences(figure)


def test_many_sequences_are_counted_instead_of_named(result):
    assert "90 sequences" in sentences(make_lead(result(90)))
