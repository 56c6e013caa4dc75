"""What embeddings are on the object, on what covers it, on the context and over the frame.

Small enough to keep of every clip, and enough to measure contrasts, fit linear probes and compare positions.

    regions = RegionRecorder(num_frames, object_masks, other_masks)    # each a list of (T, H, W) bool, one a clip
    recorder.on_committed = regions.frame_committed                    # of a `BatchRecorder`
    regions.arrays()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.analysis.regions import GRID, TOKENS, sampled_frames
from napari_sam2_probe.probe.positions import recorded_positions
from napari_sam2_probe.probe.statistics import channel_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.probe.positions import ShowsPositions


class RegionRecorder:
    """Takes what maps are in each region of a frame, for a batch of clips.

    A token belongs to the object, or to what covers it, if at least half of it does; to the context if nothing of it
    belongs to either.

    Parameters
    ----------
    num_frames
        Frames of the clips, T.
    object_masks
        Of each clip, (T, H, W) bool: the visible object.
    other_masks
        Of each clip, (T, H, W) bool: what is laid over it; None where that is not known or there is nothing.
    embeddings
        Whether means over channels, single tokens and grids are kept beside the contrasts.
    model
        What is tracked with, where its positions differ from SAM 2's.
    """

    def __init__(
        self,
        num_frames: int,
        object_masks: Sequence[NDArray[np.bool_]],
        other_masks: Sequence[NDArray[np.bool_] | None],
        *,
        embeddings: bool = True,
        model: ShowsPositions | None = None,
    ) -> None:
        self._num_frames = num_frames
        self._masks = list(zip(object_masks, other_masks, strict=True))
        self._keys = tuple(p.key for p in recorded_positions(model=model) if p.is_map)
        self._embeddings = embeddings
        self._sampled = {int(t): k for k, t in enumerate(sampled_frames(num_frames))}
        self._arrays: dict[str, NDArray[np.float32]] = {}

    def frame_committed(self, frame_idx: int, shown: Mapping[str, Tensor]) -> None:
        """Take the tensors (B, C, h, w) of a frame, by position."""
        members: dict[tuple[int, int], Tensor] = {}
        for key in self._keys:
            if key not in shown:
                continue
            tensor = shown[key].float()
            size = (tensor.shape[-2], tensor.shape[-1])
            if size not in members:
                members[size] = self._members(frame_idx, size).to(tensor.device)
            self._put(f"contrast/{key}", frame_idx, _means(channel_statistics(tensor), members[size]))
            if not self._embeddings:
                continue
            self._put(f"regions/{key}", frame_idx, _means(tensor, members[size]))
            if frame_idx in self._sampled:
                at = self._sampled[frame_idx]
                self._put(f"tokens/{key}", at, _tokens(tensor, members[size][:, :3]), len(self._sampled))
                grid = torch.nn.functional.adaptive_avg_pool2d(tensor, (GRID, GRID)).flatten(2).transpose(1, 2)
                self._put(f"grids/{key}", at, grid, len(self._sampled))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what was taken of B clips, by name; NaN where a region is empty or nothing ran.

        Returns
        -------
        dict
            For each map position ``contrast/<key>`` (B, T, 4, 2): mean over each of the regions of the channel mean and
            of the channel variance. With embeddings also ``regions/<key>`` (B, T, 4, C): the mean embedding of each
            region; and on the N frames of `sampled_frames` ``tokens/<key>`` (B, N, 3, `TOKENS`, C): single embeddings,
            evenly spread over each region but the frame; ``grids/<key>`` (B, N, `GRID` squared, C): means over the
            cells of a grid, row by row.
        """
        return self._arrays

    def _members(self, frame_idx: int, size: tuple[int, int]) -> Tensor:
        """Return which tokens belong to each region, (B, 4, h*w) bool."""
        clips = []
        for object_masks, other_masks in self._masks:
            mask = object_masks[frame_idx]
            other = np.zeros_like(mask) if other_masks is None else other_masks[frame_idx] & ~mask
            shares = torch.nn.functional.adaptive_avg_pool2d(
                torch.from_numpy(np.stack([mask, other])).float()[None], size
            )[0]
            both = shares >= 0.5
            context = shares.sum(dim=0) == 0
            clips.append(torch.stack([both[0], both[1], context, torch.ones_like(context)]).flatten(1))
        return torch.stack(clips)

    def _put(self, name: str, at: int, values: Tensor, length: int | None = None) -> None:
        array = values.cpu().numpy()
        if name not in self._arrays:
            shape = (len(array), self._num_frames if length is None else length, *array.shape[1:])
            self._arrays[name] = np.full(shape, np.nan, np.float32)
        self._arrays[name][:, at] = array


def _means(tensor: Tensor, members: Tensor) -> Tensor:
    """Return the mean (B, R, C) of a map (B, C, h, w) over each region (B, R, h*w)."""
    weights = members.float()
    sums = weights @ tensor.flatten(2).transpose(1, 2)
    # 0 / 0: an empty region has no mean.
    return sums / weights.sum(dim=2, keepdim=True)


def _tokens(tensor: Tensor, members: Tensor) -> Tensor:
    """Return single tokens (B, R, `TOKENS`, C), evenly spread over each region; NaN where it has too few."""
    batch, regions = members.shape[:2]
    flat = tensor.flatten(2).transpose(1, 2)
    taken = torch.full((batch, regions, TOKENS, flat.shape[2]), torch.nan, device=tensor.device)
    for clip in range(batch):
        for region in range(regions):
            own = torch.nonzero(members[clip, region]).flatten()
            if len(own) >= TOKENS:
                # The middles of stretches of equal length.
                index = (2 * torch.arange(TOKENS, device=own.device) + 1) * len(own) // (2 * TOKENS)
                taken[clip, region] = flat[clip, own[index]]
    return taken
