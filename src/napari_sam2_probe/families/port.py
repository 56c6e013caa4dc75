"""SAM 2 as ``transformers`` computes it, behind the methods that a session drives.

Every network (image encoder, memory attention, prompt encoder, mask decoder, memory encoder, pointer projection) is the
port's own module. What lies between them, such as which memories are read and how a pointer is mixed with that of no
object, is ``sam2``'s, so banks, interventions, policies and attention are what they are everywhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from napari_sam2_probe.families.sam2 import ObservedSAM2
from napari_sam2_probe.tracking.looking import AttentionPlaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_sam2_probe.models.config import ModelFlags
    from napari_sam2_probe.tracking.observer import Tap


_LEVELS = 3
_WRAPPED = ("image_encoder", "memory_attention", "memory_encoder", "sam_prompt_encoder", "sam_mask_decoder")


class PortedSAM2(ObservedSAM2):
    """A ``Sam2VideoModel`` with the taps, changes and banks of `ObservedSAM2`.

    Parameters
    ----------
    port
        The model of ``transformers``; its modules and parameters are used as they are, not copied.
    flags
        How it is driven.
    """

    def __init__(self, port: Any, flags: ModelFlags) -> None:
        config = port.config
        encoded = config.enable_temporal_pos_encoding_for_object_pointers
        super().__init__(
            image_encoder=_ImageEncoder(port),
            memory_attention=self._memory_attention(port),
            memory_encoder=_MemoryEncoder(port),
            num_maskmem=config.num_maskmem,
            image_size=config.image_size,
            backbone_stride=config.prompt_encoder_config.patch_size,
            sigmoid_scale_for_mem_enc=config.sigmoid_scale_for_mem_enc,
            sigmoid_bias_for_mem_enc=config.sigmoid_bias_for_mem_enc,
            binarize_mask_from_pts_for_mem_enc=flags.apply_postprocessing,
            use_mask_input_as_output_without_sam=True,
            max_cond_frames_in_attn=config.max_cond_frame_num,
            directly_add_no_mem_embed=True,
            use_high_res_features_in_sam=True,
            multimask_output_in_sam=config.multimask_output_in_sam,
            multimask_min_pt_num=config.multimask_min_pt_num,
            multimask_max_pt_num=config.multimask_max_pt_num,
            multimask_output_for_tracking=config.multimask_output_for_tracking,
            use_multimask_token_for_obj_ptr=True,
            iou_prediction_use_sigmoid=True,
            use_obj_ptrs_in_encoder=True,
            max_obj_ptrs_in_encoder=config.max_object_pointers_in_encoder,
            add_tpos_enc_to_obj_ptrs=encoded,
            proj_tpos_enc_in_obj_ptrs=encoded,
            use_signed_tpos_enc_to_obj_ptrs=encoded,
            only_obj_ptrs_in_the_past_for_eval=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            fixed_no_obj_ptr=True,
            use_mlp_for_obj_ptr_proj=True,
            no_obj_embed_spatial=port.occlusion_spatial_embedding_parameter is not None,
        )
        self.sam_prompt_encoder = _PromptEncoder(port)
        self.sam_mask_decoder = _MaskDecoder(port, dynamic=flags.apply_postprocessing)
        self.mask_downsample = port.mask_downsample
        self.obj_ptr_proj = port.object_pointer_proj
        self.obj_ptr_tpos_proj = port.temporal_positional_encoding_projection_layer
        self.maskmem_tpos_enc = port.memory_temporal_positional_encoding
        self.no_mem_embed = port.no_memory_embedding
        self.no_mem_pos_enc = port.no_memory_positional_encoding
        self.no_obj_ptr = port.no_object_pointer
        self.no_obj_embed_spatial = port.occlusion_spatial_embedding_parameter

    def _memory_attention(self, port: Any) -> MemoryAttention:
        return MemoryAttention(port)

    def _attention_layer(self, layer: nn.Module) -> PortAttention:
        return PortAttention(layer)

    def _module(self, key: str, place: Tap) -> nn.Module:
        # Places are named as in sam2, whose parts are wrapped here.
        part, _, inner = place.module.partition(".")
        wrapped = f"{part}.network.{inner}"
        is_wrapped = inner and part in _WRAPPED and not _has_module(self, place.module) and _has_module(self, wrapped)
        return super()._module(key, replace(place, module=wrapped) if is_wrapped else place)

    def _as_of_sam2(self, module: str, output: Any) -> Any:
        # The port has an axis more there, for several prompts of one image.
        if module != "sam_mask_decoder.transformer":
            return output
        return tuple(part.flatten(0, 1) for part in output[:2])

    def _build_sam_heads(self) -> None:
        # The port's are put in afterwards.
        self.sam_prompt_embed_dim = self.hidden_dim
        self.sam_image_embedding_size = self.image_size // self.backbone_stride

    def attention_places(self) -> AttentionPlaces:
        """Return the attention layers that look at memories and at the image, and what the decoder's tokens are."""
        two_way = cast("Any", self.sam_mask_decoder.transformer)
        tokens = ["object score", "IoU", *(f"mask {k}" for k in range(self.sam_mask_decoder.num_mask_tokens))]
        layers = [*(layer.cross_attn_token_to_image for layer in two_way.layers), two_way.final_attn_token_to_image]
        memory = [self._attention_layer(layer.cross_attn_image) for layer in self.memory_attention.network.layers]
        return AttentionPlaces(
            memory=cast("Any", tuple(memory)),
            decoder=cast("Any", tuple(map(PortAttention, layers))),
            decoder_names=(*(str(k + 1) for k in range(len(two_way.layers))), "final"),
            tokens=tuple(tokens),
        )


def _has_module(model: nn.Module, name: str) -> bool:
    try:
        model.get_submodule(name)
    except AttributeError:
        return False
    return True


class _ImageEncoder(nn.Module):
    """The port's image encoder, with the answer of ``sam2``'s."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.network = port.vision_encoder
        self.neck = _Width(port.hidden_dim)

    def forward(self, images: Tensor) -> dict[str, Any]:
        out = self.network(images, return_dict=True)
        # SAM 3's neck makes a coarser level too, which its tracker doesn't use.
        maps, encodings = list(out.fpn_hidden_states)[:_LEVELS], list(out.fpn_position_encoding)[:_LEVELS]
        return {"vision_features": maps[-1], "vision_pos_enc": encodings, "backbone_fpn": maps}


class _Width(nn.Module):
    """What ``sam2`` asks of a neck before it builds the rest."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.d_model = d_model


class MemoryAttention(nn.Module):
    """The port's memory attention, called as ``sam2``'s."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.network = port.memory_attention

    def forward(
        self,
        curr: Tensor | list[Tensor],
        memory: Tensor,
        curr_pos: Tensor | list[Tensor],
        memory_pos: Tensor,
        num_obj_ptr_tokens: int = 0,
    ) -> Tensor:
        """Return image features (h*w, B, C) after attention to memory."""
        features = curr[0] if isinstance(curr, list) else curr
        encoding = curr_pos[0] if isinstance(curr_pos, list) else curr_pos
        out: Tensor = self.network(
            current_vision_features=features,
            current_vision_position_embeddings=encoding,
            memory=memory,
            memory_posision_embeddings=memory_pos,
            num_object_pointer_tokens=num_obj_ptr_tokens,
            **self._further(len(memory) - num_obj_ptr_tokens),
        )
        # (1, B, h*w, C), back to what came in: (h*w, B, C).
        return out[0].transpose(0, 1)

    def _further(self, num_memory_tokens: int) -> dict[str, int]:
        """Return what else the network wants to know."""
        return {}


class _MemoryEncoder(nn.Module):
    """The port's memory encoder, called as ``sam2``'s."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.network = port.memory_encoder

    @property
    def out_proj(self) -> nn.Module:
        """Where ``sam2`` looks for the width of a memory."""
        projection: nn.Module = self.network.projection
        return projection

    def forward(self, pix_feat: Tensor, masks: Tensor, skip_mask_sigmoid: bool = False) -> dict[str, Any]:
        features, encoding = self.network(pix_feat, masks if skip_mask_sigmoid else masks.sigmoid())
        return {"vision_features": features, "vision_pos_enc": [encoding]}


class _PromptEncoder(nn.Module):
    """The port's prompt encoder, called as ``sam2``'s."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.network = port.prompt_encoder
        self.shared_embedding = port.shared_image_embedding
        self._dense = port.get_image_wide_positional_embeddings

    @property
    def mask_input_size(self) -> tuple[int, int]:
        """Height and width of mask prompts."""
        size: tuple[int, int] = self.network.mask_input_size
        return size

    def get_dense_pe(self) -> Tensor:
        """Return the positional encoding of the image (1, C, h, w)."""
        encoding: Tensor = self._dense()
        return encoding

    def forward(self, points: tuple[Tensor, Tensor], boxes: None, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        coordinates, labels = points
        sparse, dense = self.network(
            input_points=coordinates.unsqueeze(1),
            input_labels=labels.unsqueeze(1),
            input_boxes=boxes,
            input_masks=masks,
        )
        return sparse.squeeze(1), dense


class _MaskDecoder(nn.Module):
    """The port's mask decoder, called as ``sam2``'s."""

    def __init__(self, port: Any, *, dynamic: bool) -> None:
        super().__init__()
        self.network = port.mask_decoder
        self.network.dynamic_multimask_via_stability = dynamic
        self.pred_obj_scores = True

    @property
    def transformer(self) -> nn.Module:
        """The two-way transformer."""
        return cast("nn.Module", self.network.transformer)

    @property
    def num_mask_tokens(self) -> int:
        """How many masks are decoded."""
        return int(self.network.num_mask_tokens)

    def conv_s0(self, features: Tensor) -> Tensor:
        """Return stride-4 features as the decoder takes them."""
        return cast("Tensor", self.network.conv_s0(features))

    def conv_s1(self, features: Tensor) -> Tensor:
        """Return stride-8 features as the decoder takes them."""
        return cast("Tensor", self.network.conv_s1(features))

    def forward(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool,
        repeat_image: bool,
        high_res_features: list[Tensor],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        assert not repeat_image
        out = self.network(
            image_embeddings=image_embeddings,
            image_positional_embeddings=image_pe.repeat(len(image_embeddings), 1, 1, 1),
            sparse_prompt_embeddings=sparse_prompt_embeddings.unsqueeze(1),
            dense_prompt_embeddings=dense_prompt_embeddings,
            multimask_output=multimask_output,
            high_resolution_features=high_res_features,
        )
        masks, ious, tokens, scores = (tensor.squeeze(1) for tensor in out)
        return masks, ious, tokens, scores


class PortAttention:
    """One attention layer of the port, as those who look at queries and keys see it."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer
        self.call: dict[str, Any] = {}
        self.q_proj, self.k_proj = layer.q_proj, layer.k_proj
        self.num_heads = int(cast("Any", layer).num_attention_heads)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Note how the layer is called while the block runs: its rotation comes with the call."""
        handle = self._layer.register_forward_pre_hook(partial(_note, self.call), with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _separate_heads(self, projected: Tensor, num_heads: int) -> Tensor:
        """Turn (B, 1, N, C) into (B, heads, N, C / heads)."""
        flat = projected.flatten(0, -3)
        return flat.reshape(len(flat), flat.shape[1], num_heads, -1).transpose(1, 2)

    def rotated(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys as the layer rotated them, if it does."""
        if "position_embeddings" not in self.call:
            return queries, keys
        from transformers.models.sam2_video.modeling_sam2_video import apply_rotary_pos_emb_2d

        cos, sin = self.call["position_embeddings"]
        turned: tuple[Tensor, Tensor] = apply_rotary_pos_emb_2d(
            queries,
            keys,
            cos,
            sin,
            repeat_freqs_k=self._layer.rope_k_repeat,
            num_k_exclude_rope=self.call.get("num_k_exclude_rope", 0),
        )
        return turned


_NOTED = ("position_embeddings", "position_embeddings_k", "num_k_exclude_rope", "rope_k_repeat")


def _note(call: dict[str, Any], _module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
    call.update({name: kwargs[name] for name in _NOTED if name in kwargs})
