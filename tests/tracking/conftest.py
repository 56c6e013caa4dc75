"""Models for the tests of `tracking`: the stock predictor and ours with the same weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from twins import make_twins


@pytest.fixture(scope="session", autouse=True)
def _one_number_of_threads():
    # The number of threads moves float32 results, so whatever is compared must have the same.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def twins():
    """``twins(gate="open" | "closed" | "changing", **flags)`` -> the stock predictor, ours, predictor flags."""
    made = {}

    def make(gate="open", **flags):
        key = (gate, *sorted(flags.items()))
        if key not in made:
            made[key] = make_twins(gate, **flags)
        return made[key]

    return make
