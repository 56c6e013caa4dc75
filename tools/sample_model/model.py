"""The sample model while it is trained: `SAM2Base` with prompts, corrections and all mask tokens seen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sam2.modeling.sam2_base import SAM2Base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.sample_model.prompts import Prompter

CONFIG = Path(__file__).parents[2] / "sample_data" / "sample_model" / "model.yaml"
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
_FORCED_PROMPTS = 0.8
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@dataclass(frozen=True)
class Prediction:
    """What the mask decoder said once: all four mask tokens, before any choice among them."""

    frame: int
    logits: torch.Tensor
    """``(B, 4, 64, 64)``: the single-mask token, then the three of the ambiguous case."""
    ious: torch.Tensor
    """``(B, 4)``."""
    score: torch.Tensor
    """``(B, 1)``, logit of the object being present."""
    multimask: bool
    """Whether the tracker takes its mask from the last three tokens here."""


def build(target: str, config: Path = CONFIG, **changes: Any) -> Any:
    """Instantiate the model of a configuration file as another class, with fields added or replaced."""
    node = OmegaConf.load(config)["model"]
    node["_target_"] = target
    for name, value in changes.items():
        node[name] = value
    return instantiate(node)


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout_p: float = 0.0) -> torch.Tensor:
    weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return weights.softmax(-1).to(value.dtype) @ value


def _as_autocast(tensor: torch.Tensor) -> torch.Tensor:
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


@contextmanager
def explicit_attention() -> Iterator[None]:
    """Attention by plain matrix products, whose backward pass takes a CPU half the time of the fused one."""
    fused = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        F.scaled_dot_product_attention = fused


def _let_points_find_their_place(model: SAM2Base, gain: float = 2.5) -> None:
    """Start the attention between prompts and image with equal projections of queries and keys.

    The two share a positional encoding, so a point then looks at where it lies from the first step on. With independent
    projections that has to be found by chance, which takes thousands of steps.
    """
    transformer = model.sam_mask_decoder.transformer
    attentions = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    with torch.no_grad():
        for attention in attentions:
            attention.q_proj.weight.mul_(gain)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
            attention.k_proj.bias.copy_(attention.q_proj.bias)
        for embedding in model.sam_prompt_encoder.point_embeddings:
            embedding.weight.mul_(0.3)


class TrainableSAM2(SAM2Base):
    """`SAM2Base` that tracks batches of short clips and keeps every prediction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: list[tuple[torch.Tensor, ...]] = []
        plain = self.sam_mask_decoder.predict_masks

        def predict_masks(*a: Any, **k: Any) -> tuple[torch.Tensor, ...]:
            out = plain(*a, **k)
            self._seen.append(out)
            return out

        self.sam_mask_decoder.predict_masks = predict_masks
        trunk = self.image_encoder.trunk
        encoding = trunk._get_pos_embed
        # One float32 summand would make the whole residual stream of the trunk float32 under autocast.
        trunk._get_pos_embed = lambda size: _as_autocast(encoding(size))
        _let_points_find_their_place(self)
        # Nobody is absent at first: an untrained score would empty every memory.
        torch.nn.init.constant_(self.sam_mask_decoder.pred_obj_score_head.layers[-1].bias, 1.5)

    def forward_image(self, img_batch: torch.Tensor) -> dict[str, Any]:
        """Image features; the two linear maps on each high-resolution level are multiplied into one first."""
        neck, decoder = self.image_encoder.neck, self.sam_mask_decoder
        levels = self.image_encoder.trunk(img_batch)
        maps = []
        for level, last in ((0, decoder.conv_s0), (1, decoder.conv_s1)):
            first = neck.convs[len(neck.convs) - 1 - level].conv
            weight = last.weight[:, :, 0, 0] @ first.weight[:, :, 0, 0]
            bias = last.weight[:, :, 0, 0] @ first.bias + last.bias
            maps.append(F.conv2d(levels[level], weight[:, :, None, None], bias))
        top = neck.convs[0](levels[3])
        top = F.interpolate(top.float(), scale_factor=2.0, mode=neck.fpn_interp_model)
        maps.append(neck.convs[1](levels[2]) + top)
        # Of the two larger levels only the size of the encoding is used.
        positions = [*maps[:2], neck.position_encoding(maps[2]).to(maps[2].dtype)]
        return {"vision_features": maps[-1], "vision_pos_enc": positions, "backbone_fpn": maps}

    def set_resolution(self, size: int) -> None:
        """Take images of another size from now on; all weights fit any size."""
        tokens = size // self.backbone_stride
        self.image_size, self.sam_image_embedding_size = size, tokens
        prompts = self.sam_prompt_encoder
        prompts.input_image_size, prompts.image_embedding_size = (size, size), (tokens, tokens)
        prompts.mask_input_size = (4 * tokens, 4 * tokens)

    def forward(
        self,
        frames: torch.Tensor,
        masks: torch.Tensor,
        prompter: Prompter,
        others: Sequence[Prompter] = (),
        *,
        gap: int = 0,
        teacher_forcing: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[Prediction]:
        """Track the target of each clip from a prompt on its first frame.

        Parameters
        ----------
        frames
            ``(B, T, 3, S, S)``, normalised.
        masks
            ``(B, T, S, S)`` bool.
        prompter
            Gives the prompt and the correction clicks.
        others
            Further users, who see the first frame alone. They give boxes or clicks, and cost no further image features.
        gap
            Frames that seem to lie between the first frame and the rest, as when a long video is tracked.
        teacher_forcing
            Probability that a frame's memory is made of the true mask.
        generator
            Of the choices above.

        Returns
        -------
        list of Prediction
            In order of time, several for a frame with correction clicks.
        """
        count, length = frames.shape[:2]
        features = self.forward_image(frames.transpose(0, 1).flatten(0, 1))
        _, vision, positions, sizes = self._prepare_backbone_features(features)
        memory: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        found: list[Prediction] = []
        for t in range(length):
            index = t + gap if t else 0
            rows = slice(t * count, (t + 1) * count)
            step: dict[str, Any] = {
                "frame_idx": index,
                "is_init_cond_frame": t == 0,
                "current_vision_feats": [x[:, rows] for x in vision],
                "current_vision_pos_embeds": [x[:, rows] for x in positions],
                "feat_sizes": sizes,
                "output_dict": memory,
                "num_frames": 28,
                "track_in_reverse": False,
            }
            truth = masks[:, t, None].float()
            for other in others if t == 0 else ():
                self._frame(step, truth, other, found, t)
            out, high, score = self._frame(step, truth, prompter if t == 0 else None, found, t)
            # Nothing can be learned about tracking from a prompt that was not understood.
            share = max(teacher_forcing, _FORCED_PROMPTS) if t == 0 else teacher_forcing
            forced = torch.rand((), generator=generator) < share
            if forced:
                high = truth * 20 - 10
                score = truth.flatten(1).amax(1, keepdim=True) * 20 - 10
            self._encode_memory_in_output(step["current_vision_feats"], sizes, None, True, high, score, out)
            memory["cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"][index] = out
        return found

    def _frame(
        self, step: dict[str, Any], truth: torch.Tensor, prompter: Prompter | None, found: list[Prediction], t: int
    ) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:
        """One frame, with its corrections; adds to ``found``."""
        points = None
        if prompter is not None:
            points = prompter.first(truth)
        mask = truth if prompter is not None and points is None else None
        previous, clicks = None, 0 if prompter is None or mask is not None else prompter.corrections
        while True:
            self._seen.clear()
            out, heads, _, _ = self._track_step(
                **step, point_inputs=points, mask_inputs=mask, prev_sam_mask_logits=previous
            )
            multimask = self._use_multimask(step["is_init_cond_frame"], points)
            low, high, pointer, score = heads[3:]
            if mask is None:
                logits, ious, _, raw_score = self._seen[-1]
                found.append(Prediction(t, logits.float(), ious.float(), raw_score.float(), multimask))
            if clicks == 0 or points is None or prompter is None:
                break
            clicks -= 1
            points = prompter.correct(points, truth, high.detach())
            previous = low.detach().clamp(-32, 32)
        out["pred_masks"], out["pred_masks_high_res"], out["obj_ptr"] = low, high, pointer
        return out, high, score
