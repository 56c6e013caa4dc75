"""How many clips to track and probe together, from the memory that is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.models.device import free_memory
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.video.array import ArraySource

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.results import SessionOptions

CPU_CLIPS = 4
"""Clips in a batch on a CPU, where they are read and written together but tracked one by one."""

MOST_CLIPS = 64
"""Clips in a batch at most: a GPU is full long before, and what a stopped experiment has begun is lost."""

_SHARE = 0.8
"""Of the free memory, how much is used: some is lost between allocations, and other programs come and go."""


def clips_at_once(device: torch.device, clips: int) -> int:
    """Return how many clips of a batch go through the model together.

    A GPU needs many clips to be busy. A CPU is busy with one, and which of its kernels compute a product depends on
    how many clips there are: alone, a clip gets the numbers of a single run to the last bit.
    """
    return 1 if device.type == "cpu" else clips


def choose_batch_size(
    model: ObservedSAM2, options: SessionOptions, size: tuple[int, int] = (480, 854), *, keep_maps: bool = False
) -> int:
    """Return how many clips to put into a batch.

    On a CUDA device two small batches are tracked and probed, and from their peaks of memory follows what a clip
    takes; this lasts about as long as 50 frames do. Elsewhere the number is fixed, since a device without CUDA doesn't
    say what was allocated at most.

    But for a CPU the number moves the last bits of results: whoever wants them again chooses it once and keeps it.

    Parameters
    ----------
    model
        The model, in eval mode on its device.
    options
        How clips are tracked.
    size
        (H, W) of the largest clips.
    keep_maps
        Whether channel statistics are recorded.

    Raises
    ------
    ResourceError
        If memory doesn't suffice for two clips.
    """
    device = model.device
    if device.type != "cuda":
        return CPU_CLIPS
    free = free_memory(device)
    assert free is not None
    return batch_size_for(free, lambda clips: _peak(model, options, size, clips, keep_maps))


def batch_size_for(free: int, peak: Callable[[int], int]) -> int:
    """Return how many clips fit into `free` bytes, where `peak` tells the bytes that so many clips take."""
    few, more = peak(1), peak(3)
    a_clip = max(1, (more - few) // 2)
    return int(np.clip((_SHARE * free - (few - a_clip)) // a_clip, 1, MOST_CLIPS))


def _peak(model: ObservedSAM2, options: SessionOptions, size: tuple[int, int], clips: int, keep_maps: bool) -> int:
    """Return the bytes that tracking takes at most, beside what was taken before."""
    import torch

    # As many frames as fill the memory bank and the references; noise, so that nothing is left out as empty.
    num_frames = model.num_maskmem + 2
    noise = np.random.default_rng(0).integers(0, 256, (num_frames, *size, 3), dtype=np.uint8)
    mask = np.zeros(size, bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    device = model.device
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    present = np.ones((clips, num_frames), bool)
    # Experiments compare under a second rule too, for a while with references of its own.
    otherwise = present & (np.arange(num_frames) != num_frames // 2)
    recorder = BatchRecorder(num_frames, present, keep_maps=keep_maps, also_present=otherwise, model=model)
    sources = [ArraySource(noise, name="noise") for _ in range(clips)]
    with BatchTracker(model, sources, [mask] * clips, options, recorder) as tracker:
        for frame in tracker.track():
            frame.masks()
    return int(torch.cuda.max_memory_allocated(device) - before)
