from __future__ import annotations

import numpy as np
import pytest

from napari_sam2_probe.figures.composite import Composite, MapPair

NUM_FRAMES = 28


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def absent():
    flags = np.zeros(NUM_FRAMES, dtype=bool)
    flags[12:16] = True
    return flags


@pytest.fixture
def prompted():
    flags = np.zeros(NUM_FRAMES, dtype=bool)
    flags[0] = True
    return flags


@pytest.fixture
def make_table(rng):
    """A features.csv of one object: every value distinct, NaN where the definition says so."""
    import pandas as pd

    def table(num_frames, positions=("1", "2", "3", "4", "4r", "5", "5r")):
        parts = []
        for position in positions:
            values = rng.uniform(1, 1000, (num_frames, 3))
            values[:1, 0] = values[:2, 1] = values[:2, 2] = np.nan
            part = pd.DataFrame(values, columns=["short_term_l2", "long_term_l2", "short_term_ratio"])
            part.insert(0, "frame", range(num_frames))
            part.insert(0, "position", position)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    return table


@pytest.fixture
def make_composite_input(rng):
    def make(positions=("1", "2", "3", "5"), height=48, width=85, **options):
        frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), dtype=bool)
        mask[10:30, 20:50] = True
        maps = tuple(
            MapPair(
                number,
                rng.normal(0, 10.0**-k, (64, 64)).astype(np.float32),
                rng.gamma(2, 10.0**k, (64, 64)).astype(np.float32),
            )
            for k, number in enumerate(positions)
        )
        return Composite(frame, maps, mask=mask, **options)

    return make
