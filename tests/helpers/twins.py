"""The stock predictor and our model with the same seeded weights."""

from __future__ import annotations

from dataclasses import asdict

import torch
from hydra.utils import instantiate

from napari_sam2_probe.families.loaded import Model
from napari_sam2_probe.models.checkpoints import CheckpointFile
from napari_sam2_probe.models.config import SMALL_CONFIG, ModelFlags, model_config


def stock_class():
    """The stock class, with the method that its own call misnames (facebookresearch/sam2 issue 571)."""
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    class Stock(SAM2VideoPredictor):
        def _clear_obj_non_cond_mem_around_input(self, inference_state, frame_idx, obj_idx):
            reach = self.memory_temporal_stride_for_eval * self.num_maskmem
            outputs = inference_state["output_dict_per_obj"][obj_idx]["non_cond_frame_outputs"]
            for t in range(frame_idx - reach, frame_idx + reach + 1):
                outputs.pop(t, None)

    return Stock


def seed_weights(model, gate: str) -> None:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
            elif "pos_embed" in name or "no_obj" in name or "tpos" in name:
                parameter.normal_(0, 0.3, generator=generator)
            else:
                torch.nn.init.trunc_normal_(
                    parameter, 0, 1.2 / max(parameter[0].numel(), 1) ** 0.5, generator=generator
                )
        last = model.sam_mask_decoder.pred_obj_score_head.layers[-1]
        last.weight.mul_({"open": 0.1, "closed": 0.1, "changing": 30.0}[gate])
        last.bias.fill_({"open": 10.0, "closed": -10.0, "changing": 24.0}[gate])


def as_model(network) -> Model:
    """Return a network with seeded weights as what is loaded elsewhere."""
    checkpoint = CheckpointFile("seeded", None, SMALL_CONFIG)
    return Model(network, checkpoint, "small.yaml", torch.device("cpu"), torch.float32, ModelFlags())


def make_twins(gate: str, **flags):
    from napari_sam2_probe.families.sam2 import ObservedSAM2

    network, predictor = model_config(SMALL_CONFIG, ModelFlags(**flags))
    stock_network = {k: v for k, v in network.items() if k != "_target_"}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        stock = stock_class()(**instantiate(stock_network), **asdict(predictor)).eval()
    ours = ObservedSAM2(**instantiate(stock_network)).eval()
    seed_weights(stock, gate)
    ours.load_state_dict(stock.state_dict())
    return stock, ours, predictor
