"""Pointer tracks whose pointers know where the box is."""

from __future__ import annotations

import numpy as np

from napari_sam2_probe.decoder.tracks import PointerTrack

CHANNELS = 24


def boxes_along(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Boxes (N, 4) of constant size that move on a straight line."""
    size, start, step = rng.uniform(0.1, 0.3, 2), rng.uniform(0.1, 0.4, 2), rng.uniform(-0.01, 0.01, 2)
    corner = start + np.arange(num_frames)[:, None] * step
    return np.concatenate([corner, corner + size], axis=1)


def pointers_of(boxes: np.ndarray, rng: np.random.Generator, noise: float = 0.02) -> np.ndarray:
    """Bent functions of the box, and noise: (N, C) float32."""
    mixing = np.random.default_rng(1).normal(0, 2, (4, CHANNELS))
    return (np.tanh(boxes @ mixing - 0.5) + rng.normal(0, noise, (len(boxes), CHANNELS))).astype(np.float32)


def made_tracks(num_sequences: int = 12, num_frames: int = 30, seed: int = 0) -> list[PointerTrack]:
    rng = np.random.default_rng(seed)
    tracks = []
    for index in range(num_sequences):
        boxes = boxes_along(num_frames, rng)
        tracks.append(
            PointerTrack(
                sequence=f"sequence-{index:02d}",
                object_id=1,
                height=480,
                width=854,
                frames=np.arange(1, num_frames + 1),
                pointers=pointers_of(boxes, rng),
                boxes=boxes,
                object_scores=np.where(np.arange(num_frames) == 3, -1, 5).astype(np.float32),
            )
        )
    return tracks
