"""How many clips go through a model together, by the memory that is free: a GPU wants as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.device import free_memory
from napari_sam2_probe.video.array import ArraySource

if TYPE_CHECKING:
    from napari_sam2_probe.experiment.config import ExperimentConfig
    from napari_sam2_probe.tracking.loaded import LoadedModel

ON_CPU = 4
"""There a batch saves little, and small ones lose less to a stop."""

_MOST = 64
"""Beyond, a GPU is full and gains nothing."""

_SHARE = 0.7
"""Of the free memory: what is allocated in pieces never fills all of it."""

_SHAPE = (480, 854)
"""Of DAVIS; what a clip needs depends on it but little."""

# So many frames that memory attention reads as much as it ever will.
_FRAMES = 17


def suggest_batch_size(loaded: LoadedModel | None, config: ExperimentConfig) -> int:
    """Return how many clips to track together.

    Parameters
    ----------
    loaded
        The model, None where nothing is tracked.
    config
        The experiment.

    Notes
    -----
    On a CUDA device the peak of memory is measured with one clip and with three; the rest is a straight line.
    """
    if loaded is None or loaded.device.type != "cuda":
        return min(ON_CPU, config.samples)
    try:
        one, three = (_peak(loaded, config, count) for count in (1, 3))
    except ResourceError:
        return 1
    free = free_memory(loaded.device)
    assert free is not None
    return batch_size_for(one, three, free, config.samples)


def batch_size_for(one: int, three: int, free: int, samples: int) -> int:
    """Return the number of clips that fit.

    Parameters
    ----------
    one, three
        Bytes that one clip and three clips need at most, the model left out.
    free
        Bytes that are free.
    samples
        Clips of a kind: a batch is never larger, and kinds are divided evenly.
    """
    each = max(1, (three - one) // 2)
    fitting = 1 + max(0, int(_SHARE * free) - one) // each
    size = min(fitting, _MOST, samples)
    # Not 64 and 1 of 65 clips, but 33 and 32.
    batches = -(-samples // size)
    return -(-samples // batches)


def _peak(loaded: LoadedModel, config: ExperimentConfig, count: int) -> int:
    """Return the bytes that `count` clips of noise need at most beyond those of the model."""
    import torch

    num_frames = min(_FRAMES, config.num_frames)
    noise = np.random.default_rng(0).integers(0, 255, (1, *_SHAPE, 3), np.uint8)
    clip = np.broadcast_to(noise, (num_frames, *noise.shape[1:]))
    mask = np.zeros(_SHAPE, bool)
    mask[100:300, 100:300] = True
    before = torch.cuda.memory_allocated(loaded.device)
    torch.cuda.reset_peak_memory_stats(loaded.device)
    recorder = BatchRecorder(num_frames, np.ones((count, num_frames), bool), keep_maps=config.keep_maps)
    sources = [ArraySource(clip) for _ in range(count)]
    with BatchTracker(loaded.model, sources, [mask] * count, loaded.session_options(), recorder) as tracker:
        for frame in tracker.track():
            frame.masks()
            recorder.take_maps()
    return int(torch.cuda.max_memory_allocated(loaded.device) - before)
