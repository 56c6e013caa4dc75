"""A tiny data set in DAVIS layout: textured blobs that move over textured backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.transforms.dataset import measure
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.masks import write_mask

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH, FRAMES = 72, 128, 34


def write_sequence(root: Path, name: str, seed: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    """Write a sequence with two objects: a large ellipse that stays inside, and a small one."""
    rng = np.random.default_rng(seed)
    height, width = shape
    background = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    texture = rng.integers(0, 256, (height // 2, width // 2, 3), np.uint8)
    scene = np.asarray(Image.fromarray(background).resize((width, height)))
    skin = np.asarray(Image.fromarray(texture).resize((width, height)))
    rows, columns = np.mgrid[:height, :width]
    images, masks = root / "JPEGImages" / "480p" / name, root / "Annotations" / "480p" / name
    images.mkdir(parents=True)
    for t in range(FRAMES):
        labels = np.zeros(shape, np.uint8)
        across = 0.3 * width + (0.25 * width * t / FRAMES) * (1 if seed % 2 else 1.4)
        large = ((columns - across) / (0.14 * width)) ** 2 + ((rows - 0.5 * height) / (0.2 * height)) ** 2 < 1
        small = (columns - 0.8 * width) ** 2 + (rows - 0.25 * height) ** 2 < (0.08 * height) ** 2
        labels[small] = 2
        labels[large] = 1
        frame = np.where(labels[..., None] > 0, skin, scene)
        Image.fromarray(frame).save(images / f"{t:05d}.jpg", quality=95)
        write_mask(masks / f"{t:05d}.png", labels)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny-davis")
    for seed, name in enumerate(["cat-run", "cats-sleep", "train", "bird-fly"]):
        write_sequence(root, name, seed)
    # One of another size: what comes from it has to be fitted.
    write_sequence(root, "whale", 9, (60, 80))
    return root


@pytest.fixture(scope="session")
def tiny(tiny_root: Path) -> DavisDataset:
    return DavisDataset(tiny_root)


@pytest.fixture(scope="session")
def footage(tiny: DavisDataset) -> Footage:
    return Footage(tiny)


@pytest.fixture(scope="session")
def catalogue(tiny: DavisDataset):
    return measure(tiny)


@pytest.fixture(scope="session")
def davis_mini(davis_root) -> DavisDataset:
    return DavisDataset(davis_root)
