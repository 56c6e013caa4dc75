"""Where memory attention looks: the share of each entry of the bank, from the queries and keys that the model makes.

Shares are computed after a step, when its mask is known, from queries drawn evenly from inside the mask, a ring around
it and the rest. Nothing of the model's own computation changes: projections are read, not made again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import torch
from sam2.modeling.sam.transformer import RoPEAttention, apply_rotary_enc
from torch.nn.functional import max_pool2d

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sam2.modeling.sam.transformer import Attention
    from torch import Tensor, nn

AttentionDetail = Literal["none", "sampled", "exact"]
"""Whether shares are computed, and from at most `MOST_QUERIES` queries or from all."""

GROUPS = ("all", "inside", "ring", "rest")
"""Groups of queries: all tokens of the frame, those in the predicted mask, those up to `RING` tokens away, others."""

MOST_QUERIES = 256
"""Queries at most in sampled shares."""

RING = 2
"""Width of the ring around the mask, in tokens."""

_CHUNK = 256


@dataclass(frozen=True, slots=True)
class LayerAttention:
    """The queries and keys of one layer's cross-attention, as the model makes them.

    Attributes
    ----------
    queries
        (B, heads, h*w, C), rotated where the layer rotates.
    keys
        (B, heads, N, C), the same.
    """

    queries: Tensor
    keys: Tensor


@runtime_checkable
class RotatedElsewhere(Protocol):
    """A layer of another family, which rotates queries and keys into new tensors by what it was called with."""

    def looking(self) -> AbstractContextManager[None]:
        """Note how it is called while the block runs."""
        ...

    def rotated(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys as the layer rotated them."""
        ...


class AttentionRecord:
    """Looks at the queries and keys of attention while it runs, and says what they attended to.

    Parameters
    ----------
    layers
        The attention of each layer.

    Attributes
    ----------
    paused
        Whether it looks away, since somebody else uses the model meanwhile.
    """

    def __init__(self, layers: Sequence[Attention]) -> None:
        self.paused = False
        self._layers = list(layers)
        self._seen: list[_Projections] = [_Projections() for _ in self._layers]

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs, which holds one step."""
        for seen in self._seen:
            seen.clear()
        handles = []
        for layer, seen in zip(self._layers, self._seen, strict=True):
            handles.append(layer.q_proj.register_forward_hook(partial(self._take, seen, "queries")))
            handles.append(layer.k_proj.register_forward_hook(partial(self._take, seen, "keys")))
        try:
            with ExitStack() as calls:
                for layer in self._layers:
                    if isinstance(layer, RotatedElsewhere):
                        calls.enter_context(layer.looking())
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _take(self, seen: _Projections, name: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        # Not a copy: the layer rotates its keys in place afterwards, through views of this very tensor.
        if not self.paused:
            setattr(seen, name, output)

    def layers(self) -> list[LayerAttention]:
        """Return each layer's queries and keys of the step that was observed; none if attention did not run."""
        return [
            seen.attention(layer)
            for layer, seen in zip(self._layers, self._seen, strict=True)
            if seen.queries is not None
        ]

    def shares(self, entry_tokens: Sequence[int], mask_logits: Tensor, detail: AttentionDetail) -> Tensor | None:
        """Return the share of attention that each entry received.

        Parameters
        ----------
        entry_tokens
            How many tokens each entry became, in order.
        mask_logits
            (B, 1, H, W): the frame's predicted mask.
        detail
            From how many queries.

        Returns
        -------
        Tensor or None
            (B, layers, groups, entries) float32, groups as in `GROUPS`, NaN where a group is empty; None if memory
            attention did not run. Shares of a group sum to 1.
        """
        layers = self.layers()
        if not layers:
            return None
        side = round(layers[0].queries.shape[-2] ** 0.5)
        parts = []
        for index in range(len(mask_logits)):
            groups = query_groups(mask_logits[index : index + 1], side)
            drawn = draw_queries(groups, MOST_QUERIES if detail == "sampled" else side * side)
            parts.append(torch.stack([_layer_shares(layer, groups, drawn, entry_tokens, index) for layer in layers]))
        result = torch.stack(parts)
        for seen in self._seen:
            seen.clear()
        return result


class _Projections:
    """What one layer's projections gave."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.queries: Tensor | None = None
        self.keys: Tensor | None = None

    def attention(self, layer: Attention) -> LayerAttention:
        assert self.queries is not None
        assert self.keys is not None
        queries = layer._separate_heads(self.queries, layer.num_heads)
        keys = layer._separate_heads(self.keys, layer.num_heads)
        if isinstance(layer, RoPEAttention):
            # Queries it rotates into a new tensor, with what it made for this very size when it ran.
            queries, _ = apply_rotary_enc(queries, queries[:, :, :0], freqs_cis=layer.freqs_cis)
        elif isinstance(layer, RotatedElsewhere):
            queries, keys = layer.rotated(queries, keys)
        return LayerAttention(queries, keys)


def query_groups(mask_logits: Tensor, side: int) -> Tensor:
    """Return which tokens belong to each group but the first: (3, side*side) bool for inside, ring and rest.

    A token is inside if the mask (1, 1, H, W) covers half of it or more.
    """
    share = torch.nn.functional.adaptive_avg_pool2d((mask_logits > 0).float(), (side, side))
    inside = share >= 0.5
    near = max_pool2d(inside.float(), 2 * RING + 1, stride=1, padding=RING) > 0
    return torch.stack([inside, near & ~inside, ~near]).reshape(3, side * side)


def draw_queries(groups: Tensor, most: int) -> list[Tensor]:
    """Return the tokens that stand for each group, at most so many in all, evenly spread over each of them.

    Each group has the same right to queries; what a small one doesn't need goes to the larger ones.
    """
    tokens = [torch.nonzero(group).flatten() for group in groups.cpu()]
    left, quota = most, [0] * len(tokens)
    by_size = sorted(range(len(tokens)), key=lambda k: len(tokens[k]))
    for done, k in enumerate(by_size):
        quota[k] = min(len(tokens[k]), left // (len(tokens) - done))
        left -= quota[k]
    drawn = []
    for own, count in zip(tokens, quota, strict=True):
        # The middles of `count` stretches of equal length.
        index = ((torch.arange(count) * 2 + 1) * len(own)) // (2 * max(count, 1))
        drawn.append(own[index])
    return drawn


def _layer_shares(
    layer: LayerAttention, groups: Tensor, drawn: Sequence[Tensor], entry_tokens: Sequence[int], index: int = 0
) -> Tensor:
    """Return (groups, entries): the mean of each group, and of all tokens as the groups' mean by their sizes."""
    # All groups at once: one product of matrices is cheaper than three.
    by_token = token_shares(layer, torch.cat(list(drawn)).to(groups.device), entry_tokens, index)
    means = [
        part.mean(dim=0) if len(part) else torch.full((len(entry_tokens),), torch.nan, device=groups.device)
        for part in torch.split(by_token, [len(tokens) for tokens in drawn])
    ]
    stacked = torch.stack(means)
    weights = groups.float().mean(dim=1, keepdim=True)
    return torch.cat([(stacked.nan_to_num() * weights).sum(dim=0, keepdim=True), stacked])


def token_shares(layer: LayerAttention, tokens: Tensor, entry_tokens: Sequence[int], index: int = 0) -> Tensor:
    """Return the share of each entry for each query of the batch's `index`, mean over heads: (tokens, entries)."""
    keys = layer.keys[index].float()
    scale = keys.shape[-1] ** -0.5
    parts = []
    # Mixed precision would multiply in fewer bits again.
    with torch.autocast(keys.device.type, enabled=False):
        for chunk in torch.split(tokens, _CHUNK):
            logits = (layer.queries[index][:, chunk].float() * scale) @ keys.transpose(-1, -2)
            # A softmax in place, divided only once summed by entry: half the time of all this goes into memory.
            weights = logits.sub_(logits.amax(dim=-1, keepdim=True)).exp_()
            by_entry = torch.split(weights, list(entry_tokens), dim=-1)
            sums = torch.stack([part.sum(dim=-1) for part in by_entry], dim=-1)
            parts.append((sums / sums.sum(dim=-1, keepdim=True)).mean(dim=0))
    return torch.cat(parts)
