"""Photographs that ship inside installed packages, and what Felzenszwalb segmentation finds in them."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# (package, path inside it). The held-out photographs appear in no training clip.
TRAINING = (
    ("skimage.data", "astronaut.png"),
    ("skimage.data", "brick.png"),
    ("skimage.data", "camera.png"),
    ("skimage.data", "cell.png"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
    ("skimage.data", "coins.png"),
    ("skimage.data", "grass.png"),
    ("skimage.data", "gravel.png"),
    ("skimage.data", "hubble_deep_field.jpg"),
    ("skimage.data", "moon.png"),
    ("skimage.data", "motorcycle_left.png"),
    ("skimage.data", "motorcycle_right.png"),
    ("skimage.data", "retina.jpg"),
    ("skimage.data", "rocket.jpg"),
    ("sklearn.datasets", "images/china.jpg"),
)
HELD_OUT = (
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("skimage.data", "ihc.png"),
    ("sklearn.datasets", "images/flower.jpg"),
)
_LARGEST_SIDE = 640


def load(package: str, path: str) -> NDArray[np.uint8]:
    """Read a photograph as RGB, its larger side at most 640 pixels."""
    with as_file(files(package) / path) as file, Image.open(file) as image:
        rgb = image.convert("RGB")
        factor = min(1.0, _LARGEST_SIDE / max(rgb.size))
        size = (round(rgb.width * factor), round(rgb.height * factor))
        return np.asarray(rgb.resize(size, Image.Resampling.BOX))


def regions(photograph: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Label maps of a photograph, from fine to coarse."""
    from skimage.segmentation import felzenszwalb

    return [
        felzenszwalb(photograph, scale=scale, sigma=0.8, min_size=size).astype(np.int32)
        for scale, size in ((60, 150), (200, 300), (600, 600))
    ]
