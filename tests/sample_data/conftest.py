import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # tools/ is not installed
    sys.path.insert(0, str(REPOSITORY))


class Videos:
    """The committed data set, decoded when asked for."""

    root = REPOSITORY / "sample_data"

    def __init__(self):
        self.names = (self.root / "ImageSets/2017/val.txt").read_text().split()
        self._masks = {}

    def masks(self, name):
        if name not in self._masks:
            paths = sorted((self.root / "Annotations/480p" / name).glob("*.png"))
            self._masks[name] = np.stack([np.asarray(Image.open(p)) for p in paths])
        return self._masks[name]

    def frame(self, name, frame_idx):
        with Image.open(self.root / f"JPEGImages/480p/{name}/{frame_idx:05d}.jpg") as image:
            return np.asarray(image)

    def objects(self):
        return [(name, k) for name in self.names for k in range(1, int(self.masks(name)[0].max()) + 1)]


@pytest.fixture(scope="session")
def videos():
    return Videos()
