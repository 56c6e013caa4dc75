"""Hashes that tell one video from another without reading all of it.

A fingerprint doesn't depend on where a video lies: the folder of a copied sequence may have any path.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import IntensityScaling

_CHUNK = 1 << 20


def fingerprint_files(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a video of one file a frame.

    Hashed are the number of files, each file's name and size, and the bytes of the first, middle and last file.
    """
    digest = hashlib.sha256(f"files {len(files)}\n".encode())
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\n".encode())
    for index in _first_middle_last(len(files)):
        digest.update(files[index].read_bytes())
    return digest.hexdigest()


def fingerprint_file(file: Path) -> str:
    """Return the SHA-256 of a video file's size and of its first, middle and last mebibyte."""
    size = file.stat().st_size
    digest = hashlib.sha256(f"file {size}\n".encode())
    with file.open("rb") as stream:
        for start in sorted({0, max(0, (size - _CHUNK) // 2), max(0, size - _CHUNK)}):
            stream.seek(start)
            digest.update(stream.read(_CHUNK))
    return digest.hexdigest()


def fingerprint_frames(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    scaling: IntensityScaling | None,
    read: Callable[[int], NDArray[Any]],
) -> str:
    """Return the SHA-256 of an array's shape, dtype, scaling and of its first, middle and last frame.

    The scaling belongs to it because it changes what the model is shown.
    """
    digest = hashlib.sha256(f"array {shape} {dtype.str} {scaling}\n".encode())
    for index in _first_middle_last(shape[0]):
        digest.update(np.ascontiguousarray(read(index)).tobytes())
    return digest.hexdigest()


def _first_middle_last(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1})
