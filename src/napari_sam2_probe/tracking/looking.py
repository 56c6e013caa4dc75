"""Where one frame looks, pixel by pixel: in each memory, from each memory, and in the image from the decoder's tokens.

A frame is repeated with just what it read; its queries and keys are kept, and maps are computed from them when they
are asked for. Which module is which, the model's family says (`AttentionPlaces`).
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.attention import AttentionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from sam2.modeling.sam.transformer import Attention
    from torch import Tensor

    from napari_sam2_probe.tracking.attention import LayerAttention
    from napari_sam2_probe.tracking.bank import Bank, BankEntry

_CHUNK = 256

PADDING = "padding"
"""How tokens of the decoder are called that stand for no prompt."""


@dataclass(frozen=True)
class AttentionPlaces:
    """The attention layers of a model that look at memories and at the image.

    Attributes
    ----------
    memory
        Cross-attention of each layer of memory attention.
    decoder
        From tokens to image, of each layer of the mask decoder's two-way transformer.
    decoder_names
        What these are called.
    tokens
        The decoder's own tokens, in order; those of prompts follow.
    placeless
        How many tokens of a memory, its first ones, have no place in the image.
    """

    memory: tuple[Attention, ...]
    decoder: tuple[Attention, ...]
    decoder_names: tuple[str, ...]
    tokens: tuple[str, ...]
    placeless: int = 0


@dataclass(frozen=True)
class FrameAttention:
    """The queries and keys of one frame and object, and what follows from them.

    Maps are float32, means over heads; their grid covers the model's square input and so, stretched, exactly the video.

    Attributes
    ----------
    frame_idx, obj_id
        The frame and object.
    entries
        What the frame read, in order; nothing on an initial prompt, where memory attention doesn't run.
    entry_tokens
        How many tokens each of them became.
    memory_layers
        Queries and keys of each layer of memory attention.
    decoder_layers
        Queries and keys of each layer of the decoder, whose queries are `tokens` and whose keys are the image.
    decoder_names, tokens
        What the decoder's layers and tokens are called.
    placeless
        How many tokens of a memory, its first ones, have no place in the image and so none in maps.
    """

    frame_idx: int
    obj_id: int
    entries: tuple[BankEntry, ...]
    entry_tokens: tuple[int, ...]
    memory_layers: tuple[LayerAttention, ...]
    decoder_layers: tuple[LayerAttention, ...]
    decoder_names: tuple[str, ...]
    tokens: tuple[str, ...]
    placeless: int = 0

    @property
    def memory_side(self) -> int:
        """How many tokens of a memory stand side by side; as `side` but where a model stores memories in fewer."""
        kinds = [entry.kind for entry in self.entries]
        if "memory" not in kinds:
            return self.side
        return math.isqrt(self.entry_tokens[kinds.index("memory")] - self.placeless)

    @property
    def side(self) -> int:
        """How many queries, and tokens of a memory, stand side by side: 64 at an input of 1024 pixels."""
        return math.isqrt(self.decoder_layers[0].keys.shape[-2])

    @property
    def memory_frames(self) -> list[int]:
        """The frames whose memories were read, in order."""
        return [entry.frame for entry in self.entries if entry.kind == "memory"]

    def token_at(self, x: float, y: float, video_size: tuple[int, int]) -> int:
        """Return the query that covers a pixel of the video; the centre of the first pixel is at 0.

        Parameters
        ----------
        x, y
            The pixel.
        video_size
            (H, W) of the video.

        Raises
        ------
        InputError
            If the pixel is not in the frame.
        """
        height, width = video_size
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise InputError(f"The pixel {x:g}, {y:g} is not in the frame of {width} x {height} pixels.")
        column, row = int((x + 0.5) * self.side / width), int((y + 0.5) * self.side / height)
        return row * self.side + column

    def tokens_in(self, region: NDArray[np.bool_], side: int | None = None) -> NDArray[np.bool_]:
        """Return which tokens (side*side,) a mask (H, W) of the video covers by half or more, one at least.

        Parameters
        ----------
        region
            The mask.
        side
            Of the grid: that of the queries if None.

        Raises
        ------
        InputError
            If the mask is empty.
        """
        if not region.any():
            raise InputError("The region is empty: mark at least one pixel.")
        mask = torch.from_numpy(np.ascontiguousarray(region)).float()[None, None]
        share = torch.nn.functional.adaptive_avg_pool2d(mask, (side or self.side,) * 2).flatten()
        inside = share >= 0.5
        if not inside.any():
            inside[share.argmax()] = True
        found: NDArray[np.bool_] = inside.numpy()
        return found

    def from_token(self, token: int) -> list[NDArray[np.float32]]:
        """Return where one query looks: of each entry its share of attention, over all of which it sums to 1.

        Returns
        -------
        list of ndarray
            For each entry of `entries`: (layers, memory_side, memory_side) for a memory, without its placeless tokens,
            and (layers,) for a pointer.

        Raises
        ------
        InputError
            If the frame read no memory.
        """
        self._check_reads()
        weights = torch.stack([_weights(layer, torch.tensor([token]))[0] for layer in self.memory_layers]).cpu()
        parts = torch.split(weights, list(self.entry_tokens), dim=-1)
        grid = (len(weights), self.memory_side, self.memory_side)
        return [
            (part[:, self.placeless :].reshape(grid) if entry.kind == "memory" else part.sum(dim=-1)).numpy()
            for entry, part in zip(self.entries, parts, strict=True)
        ]

    def readers(self, memory_frame: int, tokens: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Return which queries read a part of a memory.

        Parameters
        ----------
        memory_frame
            The frame whose memory it is.
        tokens
            (memory_side*memory_side,) bool: the part, all of it by default.

        Returns
        -------
        ndarray
            (layers, side, side): the share of each query's attention that the part receives.

        Raises
        ------
        InputError
            If the frame read no such memory.
        """
        self._check_reads()
        kinds = [(entry.kind, entry.frame) for entry in self.entries]
        if ("memory", memory_frame) not in kinds:
            there = ", ".join(map(str, self.memory_frames)) or "none"
            raise InputError(
                f"Frame {self.frame_idx} read no memory of frame {memory_frame} (memories of frames: {there})."
            )
        index = kinds.index(("memory", memory_frame))
        start, length = sum(self.entry_tokens[:index]), self.entry_tokens[index]
        part = torch.arange(length) if tokens is None else torch.from_numpy(np.flatnonzero(tokens)) + self.placeless
        maps = []
        for layer in self.memory_layers:
            queries = torch.arange(layer.queries.shape[-2])
            chunks = [
                _weights(layer, chunk)[:, (start + part).to(layer.keys.device)].sum(dim=-1)
                for chunk in torch.split(queries, _CHUNK)
            ]
            maps.append(torch.cat(chunks).reshape(self.side, self.side).cpu().numpy())
        result: NDArray[np.float32] = np.stack(maps)
        return result

    def decoder_maps(self) -> NDArray[np.float32]:
        """Return where each token of the decoder looks: (layers, tokens, side, side), each map summing to 1."""
        maps = []
        for layer in self.decoder_layers:
            weights = _weights(layer, torch.arange(layer.queries.shape[-2]))
            maps.append(weights.reshape(len(weights), self.side, self.side).cpu().numpy())
        result: NDArray[np.float32] = np.stack(maps)
        return result

    def _check_reads(self) -> None:
        if not self.memory_layers:
            raise InputError(f"Frame {self.frame_idx} read no memory: choose a frame that was tracked.")


class FrameLook:
    """Keeps the queries and keys of the pass that runs while it looks.

    Parameters
    ----------
    places
        Where to look.
    """

    def __init__(self, places: AttentionPlaces) -> None:
        self._places = places
        self._memory = AttentionRecord(places.memory)
        self._decoder = AttentionRecord(places.decoder)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs, which holds one pass."""
        with ExitStack() as stack:
            stack.enter_context(self._memory.looking())
            stack.enter_context(self._decoder.looking())
            yield

    def result(self, obj_id: int, bank: Bank, entry_tokens: Sequence[int], num_prompts: int) -> FrameAttention:
        """Return what was seen.

        Parameters
        ----------
        obj_id
            The object.
        bank
            What the frame read.
        entry_tokens
            How many tokens each entry became.
        num_prompts
            How many tokens the prompts of the frame became; further ones are padding.
        """
        decoder = tuple(self._decoder.layers())
        tokens = [*self._places.tokens, *(f"prompt {k + 1}" for k in range(num_prompts))]
        tokens += [PADDING] * (decoder[0].queries.shape[-2] - len(tokens))
        return FrameAttention(
            frame_idx=bank.frame_idx,
            obj_id=obj_id,
            entries=bank.entries,
            entry_tokens=tuple(entry_tokens),
            memory_layers=tuple(self._memory.layers()),
            decoder_layers=decoder,
            decoder_names=self._places.decoder_names,
            tokens=tuple(tokens),
            placeless=self._places.placeless,
        )


def _weights(layer: LayerAttention, queries: Tensor) -> Tensor:
    """Return the attention of some queries to every key, mean over heads: (queries, N) float32."""
    keys = layer.keys[0].float()
    # Mixed precision would multiply in fewer bits again.
    with torch.inference_mode(), torch.autocast(keys.device.type, enabled=False):
        chosen = layer.queries[0][:, queries.to(keys.device)].float() * keys.shape[-1] ** -0.5
        weights: Tensor = (chosen @ keys.transpose(-1, -2)).softmax(dim=-1).mean(dim=0)
        return weights
