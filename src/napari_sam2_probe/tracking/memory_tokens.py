"""Memories and pointers as the tokens that memory attention reads, joined as ``SAM2Base`` joins them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from sam2.modeling.sam2_utils import get_1d_sine_pe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam2.modeling.sam2_base import SAM2Base
    from torch import Tensor

    from napari_sam2_probe.tracking.memory_view import ReadEntry

_MAP_AXES = 4


@dataclass(frozen=True, slots=True)
class JoinedMemory:
    """The keys and values of memory attention.

    Attributes
    ----------
    tokens, positions
        (N, B, C_mem): all entries one after the other, and their encodings.
    num_pointer_tokens
        How many of them, at the end, are of pointers.
    """

    tokens: Tensor
    positions: Tensor
    num_pointer_tokens: int


def join_memory(model: SAM2Base, entries: Sequence[ReadEntry], num_frames: int) -> JoinedMemory:
    """Join what a frame reads, memories before pointers, to the last bit as the stock predictor does.

    Parameters
    ----------
    model
        Whose encodings are added.
    entries
        What is read, at least one.
    num_frames
        Frames of the video, which the encoding of pointers depends on.
    """
    device = entries[0].tensor.device
    tokens, positions = [], []
    for item in entries:
        if item.entry.kind == "memory":
            assert item.pos_enc is not None
            temporal = model.maskmem_tpos_enc[model.num_maskmem - item.entry.temporal_position - 1]
            tokens.append(_as_tokens(item.tensor.to(model.device, non_blocking=True)))
            positions.append(_as_tokens(item.pos_enc.to(model.device)) + temporal)
    pointers = [item for item in entries if item.entry.kind == "pointer"]
    num_pointer_tokens = 0
    if pointers:
        stacked = torch.stack([item.tensor for item in pointers])
        distances = torch.tensor([item.entry.temporal_position for item in pointers]).to(device, non_blocking=True)
        pointer_tokens, encodings = _pointer_tokens(model, stacked, distances, num_frames)
        tokens.append(pointer_tokens)
        positions.append(encodings)
        num_pointer_tokens = len(pointer_tokens)
    return JoinedMemory(torch.cat(tokens), torch.cat(positions), num_pointer_tokens)


def num_tokens(memory: Tensor) -> int:
    """Return how many tokens a memory, a map (B, C, h, w) or tokens (B, N, C), is."""
    return memory.shape[-2] * memory.shape[-1] if memory.ndim == _MAP_AXES else memory.shape[1]


def width(memory: Tensor) -> int:
    """Return the channels of a memory, a map (B, C, h, w) or tokens (B, N, C)."""
    return memory.shape[1] if memory.ndim == _MAP_AXES else memory.shape[-1]


def _as_tokens(memory: Tensor) -> Tensor:
    """Turn (B, C, h, w) into (h*w, B, C), and (B, N, C) into (N, B, C)."""
    return memory.flatten(2).permute(2, 0, 1) if memory.ndim == _MAP_AXES else memory.transpose(0, 1)


def _pointer_tokens(model: SAM2Base, stacked: Tensor, distances: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """Turn pointers (N, B, C) into tokens and their encodings, of several tokens each where memories are narrower."""
    count, batch, channels = stacked.shape
    if model.add_tpos_enc_to_obj_ptrs:
        farthest = min(num_frames, model.max_obj_ptrs_in_encoder) - 1
        size = channels if model.proj_tpos_enc_in_obj_ptrs else model.mem_dim
        encoding = model.obj_ptr_tpos_proj(get_1d_sine_pe(distances / farthest, dim=size))
        encoding = encoding.unsqueeze(1).expand(-1, batch, model.mem_dim)
    else:
        encoding = stacked.new_zeros(count, batch, model.mem_dim)
    if model.mem_dim < channels:
        pieces = channels // model.mem_dim
        stacked = stacked.reshape(-1, batch, pieces, model.mem_dim).permute(0, 2, 1, 3).flatten(0, 1)
        encoding = encoding.repeat_interleave(pieces, dim=0)
    return stacked, encoding
