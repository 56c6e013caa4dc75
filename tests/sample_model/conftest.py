import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # tools/ is not installed
    sys.path.insert(0, str(REPOSITORY))


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Threads that wait for each other on a busy machine make these tests ten times slower."""


@pytest.fixture(scope="session")
def bank():
    """A bank without photographs: textures stand for scenes, blobs for what is seen in them."""
    from tools.sample_model import outlines, textures
    from tools.sample_model.bank import SIZE, Bank

    rng = np.random.default_rng(0)
    pictures = np.stack([textures.draw(rng, SIZE) for _ in range(8)])
    masks = np.stack([np.packbits(outlines.draw(rng, SIZE)) for _ in range(12)])
    labels = np.zeros((1, 12, SIZE, SIZE), np.uint8)
    labels[:, :, 60:140, 80:160] = 1
    labels[:, :, 160:200, 20:90] = 2
    return Bank(
        scenes=pictures[:4],
        regions=masks[:6],
        region_scene=np.arange(6, dtype=np.int32) % 4,
        textures=pictures[4:],
        outlines=masks[6:],
        videos=np.repeat(pictures[None, :1], 12, axis=1),
        video_labels=labels,
    )
