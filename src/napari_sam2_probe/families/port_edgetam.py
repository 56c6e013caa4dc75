"""EdgeTAM as ``transformers`` computes it: SAM 2's tracker with a perceiver between memory encoder and memory bank."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from napari_sam2_probe.families.port import MemoryAttention, PortAttention, PortedSAM2

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_sam2_probe.models.config import ModelFlags
    from napari_sam2_probe.tracking.looking import AttentionPlaces


class PortedEdgeTam(PortedSAM2):
    """An ``EdgeTamVideoModel`` with the taps, changes and banks of `ObservedSAM2`.

    Its memories are tokens (B, N, C): the first ones have no place in the image, the others stand for a grid of
    windows. Position 5 shows the tokens, ``5p`` the map that the perceiver reads; both are of the same step.

    Parameters
    ----------
    port
        The model of ``transformers``.
    flags
        How it is driven.
    """

    further_positions = frozenset({"memory_features_dense"})
    token_positions = frozenset({"memory_features"})
    # The port doesn't round them.
    memory_dtype = torch.float32

    def __init__(self, port: Any, flags: ModelFlags) -> None:
        super().__init__(port, flags)
        self.spatial_perceiver = port.spatial_perceiver

    def to_store(self, features: Tensor, pos_enc: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return the perceiver's tokens (B, N, C) for a memory map, which is shown as position 5p."""
        self.show("memory_features_dense", features)
        encodings = pos_enc[-1].to(features.dtype)
        # One by one: the port's perceiver takes no batch.
        pairs = [self.spatial_perceiver(features[k : k + 1], encodings[k : k + 1]) for k in range(len(features))]
        tokens, token_encodings = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return tokens, [token_encodings]

    def _memory_attention(self, port: Any) -> MemoryAttention:
        return _MemoryAttention(port)

    def _attention_layer(self, layer: nn.Module) -> PortAttention:
        return _MemoryLayer(layer)

    def attention_places(self) -> AttentionPlaces:
        """Return the attention layers that look at memories and at the image, and what the decoder's tokens are."""
        return replace(super().attention_places(), placeless=self.spatial_perceiver.num_latents_1d)


class _MemoryAttention(MemoryAttention):
    """EdgeTAM's, which rotates the placed tokens of each memory."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        perceiver = port.spatial_perceiver
        self._tokens_of_each = perceiver.num_latents_1d + perceiver.num_latents_2d

    def _further(self, num_memory_tokens: int) -> dict[str, int]:
        return {"num_spatial_memory_tokens": num_memory_tokens // self._tokens_of_each}


class _MemoryLayer(PortAttention):
    """A layer of EdgeTAM's memory attention, whose keys have a grid of their own."""

    def rotated(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys as the layer rotated them."""
        from transformers.models.edgetam_video.modeling_edgetam_video import apply_rotary_pos_emb_2d_cross_attn

        (cos, sin), (cos_k, sin_k) = self.call["position_embeddings"], self.call["position_embeddings_k"]
        turned: tuple[Tensor, Tensor] = apply_rotary_pos_emb_2d_cross_attn(
            queries,
            keys,
            cos=cos,
            sin=sin,
            cos_k=cos_k,
            sin_k=sin_k,
            num_k_exclude_rope=self.call.get("num_k_exclude_rope", 0),
            repeat_freqs_k=self.call.get("rope_k_repeat", 0),
        )
        return turned
