from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

_BESIDE_REPOSITORY = Path(__file__).parents[2].parent / "shared"


@pytest.fixture(scope="session")
def davis_root() -> Path:
    root = Path(os.environ.get("SAM2_PROBE_DAVIS", _BESIDE_REPOSITORY / "davis-mini"))
    if not root.is_dir():
        pytest.skip("no DAVIS sequences here (set SAM2_PROBE_DAVIS)")
    return root


@pytest.fixture(scope="session")
def real_clip() -> Path:
    clip = Path(os.environ.get("SAM2_PROBE_VIDEOS", _BESIDE_REPOSITORY / "videos")) / "01_dog.mp4"
    if not clip.is_file():
        pytest.skip("no test clip here (set SAM2_PROBE_VIDEOS)")
    return clip


@pytest.fixture
def save_frames() -> Callable[..., Path]:
    """Return a function that fills a folder with images, each of its own colours."""

    def save(folder: Path, names: list[str], size: tuple[int, int] = (24, 16)) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            pixels = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
        return folder

    return save
