"""The observer that keeps object pointers and nothing else, for whoever needs no maps and no distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.probe.positions import OBJECT_POINTER
from napari_sam2_probe.tracking.observer import PROMPTED_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.tracking.observer import FramePass


class PointerObserver:
    """Keeps the pointer and object score of every tracked frame and object; an `Observer`.

    Frames with a prompt are left out: their pointers arise in another way.
    """

    def __init__(self) -> None:
        self._pointers: dict[int, dict[int, Tensor]] = {}
        self._scores: dict[int, dict[int, float]] = {}

    def observe(self, at: FramePass, key: str, tensor: Tensor) -> None:
        """Take a tensor; see `Observer.observe`."""
        if key == OBJECT_POINTER.key and at.kind not in PROMPTED_KINDS:
            self._pointers.setdefault(at.obj_id, {})[at.frame_idx] = tensor.reshape(-1).float()

    def frame_committed(self, at: FramePass, object_score: float, *, reverse: bool) -> None:
        """Take the object score; see `Observer.frame_committed`."""
        self._scores.setdefault(at.obj_id, {})[at.frame_idx] = object_score

    def pass_copied(self, source: FramePass, target: FramePass) -> None:
        """Do nothing: both are prompted."""

    def required_references(self, obj_id: int, start: int) -> Iterable[int]:
        """Want none."""
        return ()

    def reference_replayed(self, at: FramePass) -> None:
        """Do nothing: none was wanted."""

    def removed(self, obj_id: int) -> None:
        """Forget an object; see `Observer.removed`."""
        self._pointers.pop(obj_id, None)
        self._scores.pop(obj_id, None)

    def track(self, obj_id: int) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Return what was seen of an object on its N tracked frames.

        Returns
        -------
        frames
            (N,) int64, rising.
        pointers
            (N, C) float32; (0, 0) if there are none.
        object_scores
            (N,) float32 logits.
        """
        pointers, scores = self._pointers.get(obj_id, {}), self._scores.get(obj_id, {})
        frames = sorted(set(pointers) & set(scores))
        stacked = torch.stack([pointers[t] for t in frames]).cpu().numpy() if frames else np.empty((0, 0), np.float32)
        return np.array(frames, np.int64), stacked, np.array([scores[t] for t in frames], np.float32)
