"""Frames of many clips of one length as SAM 2 wants them, a whole batch at a time, decoded ahead."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

from napari_sam2_probe.tracking.frames import IMAGENET, Normalisation, normalised, square_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_sam2_probe.video.source import FrameSource

MOST_WORKERS = 16
"""Threads that decode, at most; a GPU that tracks 500 frames a second keeps about this many busy."""


class BatchReader:
    """The prepared frames of several clips, in time order.

    Decoding and resizing leave Python's lock, so threads share the work well, and nothing has to be sent from one
    process to another. Only bytes go to the device, where they are normalised.

    Parameters
    ----------
    sources
        The clips. Each is read by one thread only.
    image_size
        Side of the square model input in pixels.
    device
        Where the frames are wanted.
    depth
        How many frames to decode ahead.
    normalisation
        Mean and standard deviation that the model wants.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        image_size: int,
        device: torch.device,
        depth: int = 2,
        *,
        normalisation: Normalisation = IMAGENET,
    ) -> None:
        self._normalisation = normalisation
        self._sources = sources
        self._image_size = image_size
        self._device = device
        self._depth = depth
        self._num_frames = sources[0].num_frames
        count = min(len(sources), default_workers(device))
        self._pools = [ThreadPoolExecutor(1, thread_name_prefix="sam2-probe-frames") for _ in range(count)]
        self._ahead: deque[tuple[Tensor, list[Future[None]]]] = deque()
        self._next = 0

    def read(self) -> Tensor:
        """Return the next frame of every clip (B, 3, S, S) on the device, and decode those after it meanwhile.

        Raises
        ------
        InputError
            If a frame can't be read.
        """
        while len(self._ahead) <= self._depth and self._next < self._num_frames:
            self._submit(self._next)
            self._next += 1
        squares, futures = self._ahead.popleft()
        for future in futures:
            future.result()
        return normalised(squares.to(self._device, non_blocking=True), self._normalisation)

    def close(self) -> None:
        """Stop the threads."""
        self._ahead.clear()
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._pools:
            pool.shutdown(wait=True)

    def _submit(self, frame_idx: int) -> None:
        side = self._image_size
        # torch keeps page-locked memory for the next frames, but not before the copy out of it is done.
        squares = torch.empty(
            (len(self._sources), side, side, 3), dtype=torch.uint8, pin_memory=self._device.type == "cuda"
        )
        futures = [
            self._pools[k % len(self._pools)].submit(self._decode, frame_idx, k, squares[k])
            for k in range(len(self._sources))
        ]
        self._ahead.append((squares, futures))

    def _decode(self, frame_idx: int, clip: int, out: Tensor) -> None:
        out.numpy()[:] = square_frame(self._sources[clip].read(frame_idx), self._image_size)


def default_workers(device: torch.device) -> int:
    """Return how many threads decode: one where the processor also computes, else as many as there are cores."""
    return 1 if device.type == "cpu" else min(MOST_WORKERS, os.cpu_count() or 1)
