"""Frames as SAM 2 wants them, decoded a little ahead, and their image features up to a budget."""

from __future__ import annotations

import functools
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.video.source import FrameSource

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and standard deviation of the channels, of intensities from 0 to 1."""

IMAGENET: Normalisation = (IMAGE_MEAN, IMAGE_STD)
"""That of SAM 2."""


def prepare_frame(rgb: NDArray[np.uint8], image_size: int, normalisation: Normalisation = IMAGENET) -> Tensor:
    """Resize, scale and normalise a frame just as the stock loader does.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    image_size
        Side of the square model input in pixels.
    normalisation
        Mean and standard deviation that the model wants.

    Returns
    -------
    Tensor
        (3, image_size, image_size) float32 on the CPU.
    """
    return normalised(torch.from_numpy(square_frame(rgb, image_size))[None], normalisation)[0]


def square_frame(rgb: NDArray[np.uint8], image_size: int) -> NDArray[np.uint8]:
    """Resize a frame (H, W, 3) to a square (image_size, image_size, 3) with Pillow's default filter."""
    # A copy: torch warns of arrays that can't be written to, as those of Pillow.
    return np.array(Image.fromarray(rgb).resize((image_size, image_size)))


def normalised(squares: Tensor, normalisation: Normalisation = IMAGENET) -> Tensor:
    """Scale and normalise square frames, on whatever device they are.

    The stock loader divides by 255 in float64, rounds to float32 and then normalises (``sam2.utils.misc``). Divided in
    float32 all 256 values are the same.

    Parameters
    ----------
    squares
        (B, S, S, 3) uint8.
    normalisation
        Mean and standard deviation that the model wants.

    Returns
    -------
    Tensor
        (B, 3, S, S) float32.
    """
    white, mean, std = _constants(squares.device, normalisation)
    images = squares.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return images.div_(white).sub_(mean).div_(std)


@functools.cache
def _constants(device: torch.device, normalisation: Normalisation) -> tuple[Tensor, Tensor, Tensor]:
    # On the device, and once: a copy to a GPU waits for all that it has to do, and a division by a plain number
    # becomes a multiplication with its reciprocal there.
    white, mean, std = (torch.tensor(values, device=device) for values in ((255.0,), *normalisation))
    return white, mean[:, None, None], std[:, None, None]


class FrameReader:
    """Prepared frames of a source, the next few of the running direction decoded in a thread.

    Parameters
    ----------
    source
        The video.
    image_size
        Side of the square model input.
    depth
        How many frames to decode ahead.
    normalisation
        Mean and standard deviation that the model wants.
    """

    def __init__(
        self, source: FrameSource, image_size: int, depth: int = 2, *, normalisation: Normalisation = IMAGENET
    ) -> None:
        self._normalisation = normalisation
        self._source = source
        self._image_size = image_size
        self._depth = depth
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sam2-probe-frames")
        self._ahead: OrderedDict[int, Future[Tensor]] = OrderedDict()

    def read(self, frame_idx: int, step: int = 0) -> Tensor:
        """Return prepared frame `frame_idx`, and decode the next ones in direction `step` (-1, 0, 1) meanwhile."""
        future = self._ahead.pop(frame_idx, None) or self._submit(frame_idx)
        if step:
            wanted = [frame_idx + step * k for k in range(1, self._depth + 1)]
            wanted = [k for k in wanted if 0 <= k < self._source.num_frames]
            for stale in self._ahead.keys() - set(wanted):
                self._ahead.pop(stale).cancel()
            for ahead in wanted:
                if ahead not in self._ahead:
                    self._ahead[ahead] = self._submit(ahead)
        return future.result()

    def close(self) -> None:
        """Stop the thread."""
        self._ahead.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, frame_idx: int) -> Future[Tensor]:
        return self._pool.submit(
            lambda: prepare_frame(self._source.read(frame_idx), self._image_size, self._normalisation)
        )


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """The image encoder's feature maps of one frame, finest first, each (1, C, h, w)."""

    maps: tuple[Tensor, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes held by the maps."""
        return sum(m.numel() * m.element_size() for m in self.maps)


class FeatureCache:
    """The most recently used image features, up to `budget_bytes` (at least the last frame's)."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._items: OrderedDict[int, ImageFeatures] = OrderedDict()

    def get(self, frame_idx: int) -> ImageFeatures | None:
        """Return the features of a frame if they are still there."""
        if frame_idx in self._items:
            self._items.move_to_end(frame_idx)
        return self._items.get(frame_idx)

    def put(self, frame_idx: int, features: ImageFeatures) -> None:
        """Keep the features of a frame, and let the least recently used go."""
        self._items[frame_idx] = features
        self._items.move_to_end(frame_idx)
        while len(self._items) > 1 and sum(f.num_bytes for f in self._items.values()) > self._budget:
            self._items.popitem(last=False)

    def clear(self) -> None:
        """Let all go."""
        self._items.clear()
