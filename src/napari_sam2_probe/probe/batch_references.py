"""Embeddings of the references of many clips at once, at one position.

Which frames are references is known beforehand, from the clips' recipes. So all that differs from clip to clip is
worked out on the CPU, and the device is given the whole batch, or a few groups of clips alike, at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.common.feature_names import LONG_WINDOW
from napari_sam2_probe.probe.distance import FeatureOptions, normalised_distance, plain_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.probe.references import References


class BatchRing:
    """The last few reference embeddings of every clip at one position, kept where they arose.

    Distances are those of `ReferenceRing`, clip by clip.
    """

    def __init__(self, references: References, options: FeatureOptions) -> None:
        # Read on every frame, so worked out once.
        self._is_reference = references.is_reference
        self._before = references.before
        self._window = references.window()
        self._options = options
        self._slots: list[Tensor] = []

    def push(self, frame_idx: int, embedding: Tensor | None) -> None:
        """Take a frame (B, N) as a reference of the clips where it is one; None where there is no embedding."""
        if embedding is not None and not self._slots:
            unknown = torch.full_like(embedding, float("nan"), dtype=torch.float32)
            self._slots = [unknown, *(unknown.clone() for _ in range(LONG_WINDOW - 1))]
        if not self._slots:
            return
        is_reference = self._is_reference[:, frame_idx]
        slots = np.where(is_reference, self._before[:, frame_idx] % LONG_WINDOW, -1)
        for slot, clips in _groups(slots):
            if embedding is None:
                _put(self._slots[slot], clips, torch.full_like(_some(self._slots[slot], clips), float("nan")))
            else:
                _put(self._slots[slot], clips, _some(embedding, clips).float())

    def short_term(self, frame_idx: int, embedding: Tensor) -> Tensor:
        """Return ``d_1`` of every clip (B,), NaN where there is no reference."""
        before = self._before[:, frame_idx]
        distances = torch.full(embedding.shape[:1], float("nan"), device=embedding.device)
        if self._slots:
            for slot, clips in _groups(np.where(before > 0, (before - 1) % LONG_WINDOW, -1)):
                _put(distances, clips, plain_distance(_some(embedding, clips), _some(self._slots[slot], clips)))
        return distances

    def long_term(self, frame_idx: int, embedding: Tensor) -> Tensor:
        """Return ``d_5`` of every clip (B,), NaN with fewer than two references."""
        window = self._window[:, frame_idx]
        distances = torch.full(embedding.shape[:1], float("nan"), device=embedding.device)
        if self._slots:
            for count, clips in _groups(np.where(window >= 2, window, -1)):
                references = [_some(slot, clips) for slot in self._slots[:count]]
                distance = normalised_distance(_some(embedding, clips), references, self._options)
                _put(distances, clips, distance)
        return distances


def _groups(values: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
    """Give each value that isn't negative with the clips that have it; None for all clips."""
    for value in np.unique(values[values >= 0]):
        clips = np.flatnonzero(values == value)
        yield int(value), None if len(clips) == len(values) else clips


def _some(tensor: Tensor, clips: NDArray[np.int64] | None) -> Tensor:
    return tensor if clips is None else tensor[_on_device(clips, tensor.device)]


def _put(target: Tensor, clips: NDArray[np.int64] | None, values: Tensor) -> None:
    if clips is None:
        target.copy_(values)
    else:
        target[_on_device(clips, target.device)] = values


def _on_device(clips: NDArray[np.int64], device: torch.device) -> Tensor:
    index = torch.from_numpy(clips)
    # Only a copy from page-locked memory doesn't wait for all that a GPU has to do.
    return index.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else index.to(device)
