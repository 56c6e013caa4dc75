"""From a configuration of ``sam2`` to that of ``transformers``' ``Sam2VideoModel``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models.config import ModelFlags, model_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

_NEEDED = {
    "use_mask_input_as_output_without_sam": True,
    "directly_add_no_mem_embed": True,
    "use_high_res_features_in_sam": True,
    "use_obj_ptrs_in_encoder": True,
    "pred_obj_scores": True,
    "pred_obj_scores_mlp": True,
    "fixed_no_obj_ptr": True,
    "use_multimask_token_for_obj_ptr": True,
    "use_mlp_for_obj_ptr_proj": True,
}
"""What the port has no switch for."""


def port_config(config: str | Path, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the settings of a ``Sam2VideoConfig`` for a configuration of ``sam2``.

    Parameters
    ----------
    config
        An official name, or a YAML file.
    weights
        Of the model, in the format of ``transformers``; sizes that the configuration leaves open are theirs.

    Raises
    ------
    InputError
        If the configuration asks for what ``transformers`` has no switch for.
    """
    model, _ = model_config(config, ModelFlags(apply_postprocessing=False))
    for name, value in _NEEDED.items():
        if bool(model.get(name, False)) is not value:
            raise InputError(
                f"{config}: with {name}={model.get(name, False)} the model can't run through transformers, which "
                "knows only models as Meta trained them: use the family sam2."
            )
    size, stride = model["image_size"], model.get("backbone_stride", 16)
    trunk, neck = model["image_encoder"]["trunk"], model["image_encoder"]["neck"]
    attention, encoder = model["memory_attention"], model["memory_encoder"]
    side = size // stride
    stages = list(trunk.get("stages", (2, 3, 16, 3)))
    widths = [trunk["embed_dim"] * 2**k for k in range(4)]
    layer = attention["layer"]
    rope = layer["self_attention"]
    return {
        "image_size": size,
        "num_maskmem": model.get("num_maskmem", 7),
        "sigmoid_scale_for_mem_enc": float(model.get("sigmoid_scale_for_mem_enc", 1.0)),
        "sigmoid_bias_for_mem_enc": float(model.get("sigmoid_bias_for_mem_enc", 0.0)),
        "enable_occlusion_spatial_embedding": bool(model.get("no_obj_embed_spatial", False)),
        "enable_temporal_pos_encoding_for_object_pointers": bool(model.get("proj_tpos_enc_in_obj_ptrs", False)),
        "multimask_output_in_sam": model.get("multimask_output_in_sam", False),
        "multimask_min_pt_num": model.get("multimask_min_pt_num", 1),
        "multimask_max_pt_num": model.get("multimask_max_pt_num", 1),
        "multimask_output_for_tracking": model.get("multimask_output_for_tracking", False),
        "max_object_pointers_in_encoder": model.get("max_obj_ptrs_in_encoder", 16),
        "max_cond_frame_num": model.get("max_cond_frames_in_attn", -1),
        "memory_attention_num_layers": attention["num_layers"],
        "memory_attention_feed_forward_hidden_size": layer["dim_feedforward"],
        "memory_attention_num_attention_heads": rope["num_heads"],
        "memory_attention_downsample_rate": rope["downsample_rate"],
        "memory_attention_rope_feat_sizes": [side, side],
        "memory_fuser_num_layers": encoder["fuser"]["num_layers"],
        "memory_encoder_output_channels": encoder["out_dim"],
        "memory_fuser_intermediate_dim": len(weights["memory_encoder.memory_fuser.layers.0.pointwise_conv1.bias"]),
        "vision_config": {
            "backbone_channel_list": list(neck["backbone_channel_list"]),
            "backbone_feature_sizes": [[side * 4, side * 4], [side * 2, side * 2], [side, side]],
            "fpn_top_down_levels": list(neck.get("fpn_top_down_levels") or [0, 1, 2, 3]),
            "fpn_hidden_size": neck["d_model"],
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": trunk["embed_dim"],
                "num_attention_heads": trunk["num_heads"],
                "image_size": [size, size],
                "blocks_per_stage": stages,
                "embed_dim_per_stage": widths,
                "num_attention_heads_per_stage": [trunk["num_heads"] * 2**k for k in range(4)],
                "window_size_per_stage": list(trunk.get("window_spec", (8, 4, 14, 7))),
                "global_attention_blocks": list(trunk.get("global_att_blocks", (12, 16, 20))),
                "window_positional_embedding_background_size": list(
                    trunk.get("window_pos_embed_bkg_spatial_size", (14, 14))
                ),
            },
        },
        "prompt_encoder_config": {"image_size": size, "patch_size": stride},
        "mask_decoder_config": {"iou_head_depth": 3},
    }
