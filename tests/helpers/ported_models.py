"""Small trackers of ``transformers`` with seeded weights, saved as folders the way hubs hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

_SCORE_BIAS = 4.0

SMALL_ATTENTION = {
    "memory_attention_num_layers": 1,
    "memory_fuser_num_layers": 1,
    "memory_fuser_intermediate_dim": 64,
}


def edgetam():
    """256 pixels: RepViT as timm has it, memories of 16 + 16 tokens."""
    from transformers import EdgeTamVideoConfig, EdgeTamVideoModel

    config = EdgeTamVideoConfig(
        **SMALL_ATTENTION,
        image_size=256,
        vision_config={
            "model_type": "edgetam_vision_model",
            "backbone_config": {
                "model_type": "timm_wrapper",
                "architecture": "repvit_m1",
                "num_classes": 2,
                "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
            },
            "backbone_feature_sizes": [[64, 64], [32, 32], [16, 16]],
        },
        prompt_encoder_config={"image_size": 256},
        memory_attention_mlp_hidden_size=64,
        memory_attention_rope_feat_sizes=[16, 16],
        memory_attention_rope_k_sizes=[4, 4],
        perceiver_resampler_num_latents=16,
        perceiver_resampler_num_latents_2d=16,
    )
    return seeded(EdgeTamVideoModel, config)


def sam3_tracker(image_size=140):
    """140 pixels at a stride of 14, so 10 x 10 features: no multiple of 16, as in the real one."""
    from transformers import Sam3TrackerVideoConfig, Sam3TrackerVideoModel

    config = Sam3TrackerVideoConfig(
        **SMALL_ATTENTION,
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "global_attn_indexes": [1],
                "window_size": 5,
                "pretrain_image_size": 70,
            },
        },
        memory_attention_feed_forward_hidden_size=64,
        image_size=image_size,
    )
    return seeded(Sam3TrackerVideoModel, config)


def seeded(cls, config):
    """Weights that differ everywhere, with an object score that says that the object is there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = cls(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1 or not parameter.any():
                    parameter.add_(0.1 * torch.randn(parameter.shape))
            for name, parameter in model.named_parameters():
                if name == "mask_decoder.pred_obj_score_head.proj_out.bias":
                    parameter.add_(_SCORE_BIAS)
    return model


def saved(model, folder: Path) -> Path:
    """Save a model as ``save_pretrained`` does."""
    model.save_pretrained(folder)
    return folder
