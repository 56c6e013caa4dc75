"""One frame and one object through SAM 2: everything that touches the model's tensors.

Shapes follow ``sam2``: B = 1, ``low`` is a quarter of the model input's side, (H, W) is the video's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from napari_sam2_probe.models.device import computing
from napari_sam2_probe.tracking.frames import FeatureCache, FrameReader, ImageFeatures
from napari_sam2_probe.tracking.mask_logits import filled, mask_input, scaled
from napari_sam2_probe.tracking.observer import taps_wanted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.models.config import PredictorFlags
    from napari_sam2_probe.tracking.attention import AttentionDetail
    from napari_sam2_probe.tracking.bank import Reading
    from napari_sam2_probe.tracking.memory_view import MemoryView
    from napari_sam2_probe.tracking.observer import FramePass, Observer
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.source import FrameSource

NO_OBJ_SCORE = -1024.0
"""The logit that SAM 2 puts where there is no object."""

ATTENTION_SHARES = "attention_shares"
"""The key under which observers are shown the shares of memory attention: (B, layers, groups, entries)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The masks that SAM 2 considered for an ambiguous prompt.

    Attributes
    ----------
    low_res_masks
        (M, low, low) float32 logits.
    predicted_iou
        (M,) float32.
    sam_tokens
        (M, C) the mask tokens, from which pointers are made; (1, C) where the model keeps one token for all.
    """

    low_res_masks: Tensor
    predicted_iou: Tensor
    sam_tokens: Tensor


class FrameEngine:
    """Runs SAM 2 on single frames of one video.

    Parameters
    ----------
    model
        The model, in eval mode on its device.
    source
        The video.
    dtype
        The type of automatic mixed precision; float32 for none.
    flags
        What is done to mask logits afterwards.
    feature_budget
        Bytes of image features kept for frames that are visited again.
    attention
        Whether those who watch are shown where memory attention looks.
    """

    def __init__(
        self,
        model: ObservedSAM2,
        source: FrameSource,
        *,
        dtype: torch.dtype,
        flags: PredictorFlags,
        feature_budget: int,
        attention: AttentionDetail = "none",
    ) -> None:
        self.model = model
        self.source = source
        self.device = model.device
        self.dtype = dtype
        self._flags = flags
        self._attention: AttentionDetail = attention
        self._reader = FrameReader(source, model.image_size, normalisation=model.normalisation)
        self._features = FeatureCache(feature_budget)
        self._vision_pos_enc: list[Tensor] | None = None
        self.maskmem_pos_enc: list[Tensor] = []
        self._plain_masks: dict[tuple[int, int], Tensor] = {}

    def running(self) -> AbstractContextManager[None]:
        """Inference mode and mixed precision, for one step; both belong to a thread and must not outlive it."""
        return computing(self.device, self.dtype)

    def watched(self, at: FramePass, observer: Observer | None, *, unblanked: bool) -> AbstractContextManager[None]:
        """Show an observer, if there is one, what arises while the block runs as tensors of the pass `at`."""
        if observer is None:
            return self.model.tapped(None)
        return self.model.tapped(
            lambda key, tensor: observer.observe(at, key, tensor), unblanked=unblanked, taps=taps_wanted(observer)
        )

    def prompted(
        self,
        prompt_inputs: dict[str, Any],
        frame_idx: int,
        memories: MemoryView,
        *,
        is_initial: bool,
        reverse: bool,
        previous_logits: Tensor | None,
    ) -> dict[str, Any]:
        """Run a prompted frame without encoding its memory; see ``SAM2Base.track_step`` for what comes back."""
        if previous_logits is not None:
            # The stock predictor clamps "to avoid rare numerical issues".
            previous_logits = previous_logits.to(self.device).clamp(-32.0, 32.0)
        return self._step(
            frame_idx,
            memories,
            is_init_cond_frame=is_initial,
            track_in_reverse=reverse,
            run_mem_encoder=False,
            prev_sam_mask_logits=previous_logits,
            **prompt_inputs,
        )

    def tracked(self, frame_idx: int, memories: MemoryView, *, reverse: bool) -> dict[str, Any]:
        """Track a frame from memory and encode its own."""
        return self._step(
            frame_idx,
            memories,
            is_init_cond_frame=False,
            point_inputs=None,
            mask_inputs=None,
            track_in_reverse=reverse,
            run_mem_encoder=True,
        )

    def repeated(self, frame_idx: int, memories: MemoryView, *, reverse: bool) -> dict[str, Any]:
        """Track a frame from memory without encoding its own."""
        return self._step(
            frame_idx,
            memories,
            is_init_cond_frame=False,
            point_inputs=None,
            mask_inputs=None,
            track_in_reverse=reverse,
            run_mem_encoder=False,
        )

    def attempted(self, reading: Reading, memories: MemoryView) -> NDArray[np.bool_]:
        """Return the mask (H, W) that a frame would get from other memories, in the middle of its own step."""
        with self.model.by_another():
            out = self.repeated(reading.frame_idx, memories, reverse=reading.reverse)
        mask: NDArray[np.bool_] = (self.at_video_size(out["pred_masks"])[0, 0] > 0).cpu().numpy()
        return mask

    def encode_prompted_memory(
        self, frame_idx: int, memories: MemoryView, pred_masks: Tensor, object_score_logits: Tensor
    ) -> Tensor:
        """Encode the memory of a prompted frame from its low-resolution logits, as the stock preflight does."""
        maps = self.image_maps(frame_idx)
        edits = memories.position_edits(frame_idx)
        if edits is not None:
            # Where the prompt was given, the mask without the edits was kept.
            edits = edits.with_mask(self._plain_masks.get((frame_idx, memories.obj_id), pred_masks > 0))
            maps = edits.image_features(maps)
        vision_feats, _, feat_sizes = self._prepared(maps)
        size = self.model.image_size
        high_res = scaled(pred_masks.to(self.device), (size, size))
        with self.model.changed(None if edits is None else edits.tensor):
            features, pos_enc = self.model._encode_new_memory(
                current_vision_feats=vision_feats,
                feat_sizes=feat_sizes,
                pred_masks_high_res=high_res,
                object_score_logits=object_score_logits,
                is_mask_from_pts=True,
            )
        self._keep_pos_enc(pos_enc)
        stored: Tensor = features.to(self.model.memory_dtype)
        return stored

    def filled(self, pred_masks: Tensor) -> Tensor:
        """Fill small holes in low-resolution logits where the options ask for it."""
        return filled(pred_masks, self._flags.fill_hole_area)

    def at_video_size(self, pred_masks: Tensor) -> Tensor:
        """Scale logits (O, 1, h, w) to the video (O, 1, H, W)."""
        return scaled(pred_masks.to(self.device), (self.source.height, self.source.width))

    def without_overlap(self, masks: Tensor) -> Tensor:
        """Let each pixel of (O, 1, H, W) logits belong to one object, where the options ask for it."""
        if self._flags.non_overlap_masks and len(masks) > 1:
            masks = self.model._apply_non_overlapping_constraints(masks)
        return masks

    def prompt_inputs(self, prompt: Prompt) -> dict[str, Any]:
        """Turn a prompt into the ``point_inputs`` and ``mask_inputs`` of ``track_step``."""
        if prompt.mask is not None:
            return {"point_inputs": None, "mask_inputs": mask_input(prompt.mask, self.model.image_size, self.device)}
        points, labels = torch.from_numpy(prompt.points), torch.from_numpy(prompt.labels)
        if prompt.box is not None:
            # A box is two points with labels 2 and 3, before all others, as in training.
            points = torch.cat([torch.from_numpy(prompt.box).reshape(2, 2), points])
            labels = torch.cat([torch.tensor([2, 3], dtype=torch.int32), labels])
        points = points[None] / torch.tensor([self.source.width, self.source.height]) * self.model.image_size
        return {
            "point_inputs": {
                "point_coords": points.to(self.device),
                "point_labels": labels[None].to(self.device),
            },
            "mask_inputs": None,
        }

    def close(self) -> None:
        """Stop reading ahead and let features go."""
        self._reader.close()
        self._features.clear()

    def _step(self, frame_idx: int, memories: MemoryView, **inputs: Any) -> dict[str, Any]:
        step = 0
        if inputs["run_mem_encoder"]:
            step = -1 if inputs["track_in_reverse"] else 1
        maps = self.image_maps(frame_idx, step)
        edits = memories.position_edits(frame_idx)
        if edits is not None:
            if edits.need_mask:
                with self.model.unobserved():
                    plain = self._track_step(frame_idx, memories, maps, {**inputs, "run_mem_encoder": False})
                mask = plain["pred_masks"] > 0
                self._plain_masks[frame_idx, memories.obj_id] = mask
                edits = edits.with_mask(mask)
            maps = edits.image_features(maps)
        change = None if edits is None else edits.tensor
        with self.model.changed(change), self.model.attention_seen(self._attention) as attention:
            out = self._track_step(frame_idx, memories, maps, inputs)
            if attention is not None:
                shares = attention.shares(memories.tokens_read, out["pred_masks"], self._attention)
                self.model.show(ATTENTION_SHARES, shares)
        if out["maskmem_features"] is not None:
            out["maskmem_features"] = out["maskmem_features"].to(self.model.memory_dtype)
            self._keep_pos_enc(out["maskmem_pos_enc"])
        out["pred_masks"] = self.filled(out["pred_masks"])
        return out

    def _track_step(
        self, frame_idx: int, memories: MemoryView, maps: tuple[Tensor, ...], inputs: dict[str, Any]
    ) -> dict[str, Any]:
        vision_feats, vision_pos_embeds, feat_sizes = self._prepared(maps)
        out: dict[str, Any] = self.model.track_step(
            frame_idx=frame_idx,
            current_vision_feats=vision_feats,
            current_vision_pos_embeds=vision_pos_embeds,
            feat_sizes=feat_sizes,
            output_dict=memories,
            num_frames=self.source.num_frames,
            **inputs,
        )
        return out

    def image_maps(self, frame_idx: int, step: int = 0) -> tuple[Tensor, ...]:
        """Return the image features of a frame, finest first, each (1, C, h, w); see `FrameReader.read` for `step`."""
        features = self._features.get(frame_idx)
        if features is None:
            image = self._reader.read(frame_idx, step).to(self.device).unsqueeze(0)
            backbone_out = self.model.forward_image(image)
            levels = self.model.num_feature_levels
            features = ImageFeatures(tuple(backbone_out["backbone_fpn"][-levels:]))
            if self._vision_pos_enc is None:
                self._vision_pos_enc = slim_pos_enc(backbone_out["vision_pos_enc"][-levels:])
            self._features.put(frame_idx, features)
        return features.maps

    def _prepared(self, maps: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor], list[tuple[int, int]]]:
        _, vision_feats, vision_pos_embeds, feat_sizes = self.model._prepare_backbone_features(
            {"backbone_fpn": list(maps), "vision_pos_enc": self._vision_pos_enc}
        )
        return vision_feats, vision_pos_embeds, feat_sizes

    def _keep_pos_enc(self, pos_enc: list[Tensor]) -> None:
        if not self.maskmem_pos_enc:
            self.maskmem_pos_enc.extend(x[0:1].clone() for x in pos_enc)


def slim_pos_enc(pos_enc: list[Tensor]) -> list[Tensor]:
    """Keep the coarsest encoding and, of the finer ones, whose values SAM 2 never reads, only the shape.

    Encodings are the same for every frame, and the finer ones four times as large as the features themselves.
    """
    return [x[:, :1].clone() for x in pos_enc[:-1]] + [pos_enc[-1].clone()]
