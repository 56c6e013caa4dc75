"""Many clips of one length through SAM 2 at once, each with one object that a mask on its first frame prompts.

The numbers are those of a `VideoSession` with that prompt, clip by clip (up to rounding, which depends on how many
clips are computed on together), but every part of the network and every tensor that is observed holds the whole
batch: a GPU is given as many clips as fill it, and nothing waits for the device until somebody looks at a result.

    with BatchTracker(model, sources, masks, SessionOptions.for_model(loaded), recorder) as tracker:
        for frame in tracker.track():
            frame.masks()            # one (H, W) bool array a clip
            frame.object_scores      # (B,) float32

`sources` may differ in size, not in length. `recorder` is a `BatchObserver`, such as
`napari_sam2_probe.probe.batch.BatchRecorder`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Self

import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models.device import computing
from napari_sam2_probe.tracking.batch_frames import BatchReader
from napari_sam2_probe.tracking.engine import ATTENTION_SHARES, slim_pos_enc
from napari_sam2_probe.tracking.host_copy import HostCopy
from napari_sam2_probe.tracking.mask_logits import filled, mask_input, scaled
from napari_sam2_probe.tracking.memory_view import StoredOutputs
from napari_sam2_probe.tracking.observer import taps_wanted
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.results import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.observer import BatchObserver
    from napari_sam2_probe.video.source import FrameSource


class BatchFrame:
    """One frame of every clip of a batch.

    Results may still be on their way from the device; whoever looks waits for them.

    Attributes
    ----------
    frame_idx
        The frame.
    """

    def __init__(
        self, frame_idx: int, masks: list[Tensor], clips: list[list[int]], scores: Tensor, predicted_iou: Tensor
    ) -> None:
        self.frame_idx = frame_idx
        self._clips = clips
        self._copy = HostCopy([scores, predicted_iou, *masks])

    @property
    def object_scores(self) -> NDArray[np.float32]:
        """(B,) logits; above 0 SAM 2 believes the object present."""
        return self._copy.arrays()[0]

    @property
    def predicted_iou(self) -> NDArray[np.float32]:
        """(B,) SAM 2's own estimate of the masks' IoU; NaN on the prompted frame."""
        return self._copy.arrays()[1]

    def masks(self) -> list[NDArray[np.bool_]]:
        """Return each clip's mask (H, W)."""
        masks: dict[int, NDArray[np.bool_]] = {}
        for clips, group in zip(self._clips, self._copy.arrays()[2:], strict=True):
            masks.update(zip(clips, group, strict=True))
        return [masks[k] for k in range(len(masks))]


class BatchTracker:
    """Tracks one object in each of many clips of one length.

    Use it as a context manager, or call `close`, so that its threads end.

    Parameters
    ----------
    model
        The model, in eval mode on its device.
    sources
        The B clips.
    masks
        Each clip's object on its first frame, (H, W) bool.
    options
        As for a session; budgets don't matter here, since only what memory attention can still read is kept.
    observer
        Somebody who is shown the tensors of all positions.

    Raises
    ------
    InputError
        If there is no clip, lengths differ, a mask doesn't fit its clip, or a memory policy or an
        intervention is asked for.
    """

    def __init__(
        self,
        model: ObservedSAM2,
        sources: Sequence[FrameSource],
        masks: Sequence[NDArray[np.bool_]],
        options: SessionOptions | None = None,
        observer: BatchObserver | None = None,
    ) -> None:
        _check(sources, masks)
        self.options = options or SessionOptions()
        if self.options.policy is not None:
            raise InputError("A batch of clips reads memory as SAM 2 does: track clip by clip to use a memory policy.")
        intervention = self.options.intervention or model.intervention
        if intervention is not None and intervention.edits:
            raise InputError("A batch of clips can't be intervened on: track clip by clip to use an intervention.")
        self.num_frames = sources[0].num_frames
        self._model = model
        self._observer = observer
        self._masks = masks
        self._device = model.device
        self._sizes = _by_size(sources, self._device)
        self._bank = MemoryBank(model, self.num_frames)
        self._stored = StoredOutputs(self._bank.as_output_dict())
        self._reader = BatchReader(sources, model.image_size, self._device, normalisation=model.normalisation)
        self._vision_pos_enc: list[Tensor] | None = None
        self._maskmem_pos_enc: list[Tensor] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def track(self) -> Iterator[BatchFrame]:
        """Track all clips from first to last frame. A tracker runs once.

        Yields
        ------
        BatchFrame
            In time order. On a GPU the next frame is already under way, so that the GPU works while a frame is
            used.

        Raises
        ------
        InputError
            If a frame can't be read.
        ResourceError
            If the device's memory doesn't suffice for so many clips.
        """
        done: deque[BatchFrame] = deque()
        behind = 0 if self._device.type == "cpu" else 1
        for frame_idx in range(self.num_frames):
            running = computing(self._device, self.options.dtype, fewer="clips in a batch")
            with running, self._model.one_object_each(), self._watched(frame_idx):
                done.append(self._frame(frame_idx))
                if self._observer is not None:
                    self._observer.frame_committed(frame_idx)
            if len(done) > behind:
                yield done.popleft()
        yield from done

    def close(self) -> None:
        """Stop reading ahead, and let memories go."""
        self._reader.close()
        self._bank.clear()

    # The steps

    def _frame(self, frame_idx: int) -> BatchFrame:
        features = self._encode_images()
        if frame_idx == 0:
            prompt = torch.cat([mask_input(mask, self._model.image_size, self._device) for mask in self._masks])
            out = self._step(frame_idx, features, prompt)
            iou = torch.full((len(prompt),), float("nan"), device=self._device)
            out |= self._prompted_memory(features, out)
        else:
            out = self._step(frame_idx, features, None)
            iou = out["ious"].float().amax(dim=1)
        self._remember(frame_idx, out)
        scores = out["object_score_logits"].float().flatten()
        return BatchFrame(
            frame_idx, self._at_video_size(out["pred_masks"]), [c for _, c, _ in self._sizes], scores, iou
        )

    def _encode_images(self) -> dict[str, Any]:
        backbone_out = self._model.forward_image(self._reader.read())
        levels = self._model.num_feature_levels
        if self._vision_pos_enc is None:
            # One clip's, which all share: the sums they enter repeat it along the batch.
            self._vision_pos_enc = slim_pos_enc([x[:1] for x in backbone_out["vision_pos_enc"][-levels:]])
        _, vision_feats, vision_pos_embeds, feat_sizes = self._model._prepare_backbone_features(
            {"backbone_fpn": backbone_out["backbone_fpn"][-levels:], "vision_pos_enc": self._vision_pos_enc}
        )
        return {
            "current_vision_feats": vision_feats,
            "current_vision_pos_embeds": vision_pos_embeds,
            "feat_sizes": feat_sizes,
        }

    def _step(self, frame_idx: int, features: dict[str, Any], prompt: Tensor | None) -> dict[str, Any]:
        detail = self.options.attention
        with self._model.attention_seen(detail) as attention:
            out: dict[str, Any] = self._model.track_step(
                frame_idx=frame_idx,
                **features,
                is_init_cond_frame=prompt is not None,
                point_inputs=None,
                mask_inputs=prompt,
                output_dict=self._stored,
                num_frames=self.num_frames,
                run_mem_encoder=prompt is None,
            )
            if attention is not None:
                shares = attention.shares(self._stored.tokens_read, out["pred_masks"], detail)
                self._model.show(ATTENTION_SHARES, shares)
        out["pred_masks"] = filled(out["pred_masks"], self.options.flags.fill_hole_area)
        return out

    def _prompted_memory(self, features: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
        """Encode the first frame's memory as the stock preflight does; see `FrameEngine.encode_prompted_memory`."""
        side = self._model.image_size
        memory, pos_enc = self._model._encode_new_memory(
            current_vision_feats=features["current_vision_feats"],
            feat_sizes=features["feat_sizes"],
            pred_masks_high_res=scaled(out["pred_masks"], (side, side)),
            object_score_logits=out["object_score_logits"],
            is_mask_from_pts=True,
        )
        return {"maskmem_features": memory, "maskmem_pos_enc": pos_enc}

    def _remember(self, frame_idx: int, out: dict[str, Any]) -> None:
        if self._maskmem_pos_enc is None:
            batch = len(out["obj_ptr"])
            self._maskmem_pos_enc = [x[:1].clone().expand(batch, *x.shape[1:]) for x in out["maskmem_pos_enc"]]
        # Rounded to bfloat16, as the stock predictor stores it, but lifted again once and not at each of the readings.
        memory = out["maskmem_features"].to(self._model.memory_dtype).to(out["obj_ptr"].dtype)
        self._bank.add(frame_idx, memory, self._maskmem_pos_enc, out["obj_ptr"])

    def _at_video_size(self, pred_masks: Tensor) -> list[Tensor]:
        """Return the masks (K, H, W) of the clips of each size."""
        whole = len(self._sizes) == 1
        return [(scaled(pred_masks if whole else pred_masks[index], size) > 0)[:, 0] for size, _, index in self._sizes]

    def _watched(self, frame_idx: int) -> AbstractContextManager[None]:
        observer = self._observer
        if observer is None:
            return self._model.tapped(None)
        return self._model.tapped(
            lambda key, tensor: observer.observe(frame_idx, key, tensor),
            unblanked=self.options.observe_unblanked,
            taps=taps_wanted(observer),
        )


class MemoryBank:
    """What memory attention can still read of a batch: the first frame and the last few others.

    Parameters
    ----------
    model
        Says how far back it reads.
    num_frames
        Frames of the clips.
    """

    def __init__(self, model: ObservedSAM2, num_frames: int) -> None:
        # SAM2Base._prepare_memory_conditioned_features: the frame before, and every stride-th of those before it.
        self._memory_reach = max(1, (model.num_maskmem - 2) * model.memory_temporal_stride_for_eval + 1)
        self._pointer_reach = min(num_frames, model.max_obj_ptrs_in_encoder) - 1
        self._conditioning: dict[int, dict[str, Any]] = {}
        self._tracked: dict[int, dict[str, Any]] = {}

    def as_output_dict(self) -> dict[str, Any]:
        """Return the two mappings that ``track_step`` wants."""
        return {"cond_frame_outputs": self._conditioning, "non_cond_frame_outputs": self._tracked}

    def add(self, frame_idx: int, memory: Tensor, pos_enc: list[Tensor], obj_ptr: Tensor) -> None:
        """Keep a frame's memory (B, C_mem, h, w) and pointers (B, C); the first frame's is the conditioning one."""
        entry = {"maskmem_features": memory, "maskmem_pos_enc": pos_enc, "obj_ptr": obj_ptr}
        if not self._conditioning:
            self._conditioning[frame_idx] = entry
            return
        self._tracked[frame_idx] = entry
        for t in list(self._tracked):
            age = frame_idx + 1 - t
            if age > max(self._memory_reach, self._pointer_reach):
                del self._tracked[t]
            elif age > self._memory_reach:
                self._tracked[t]["maskmem_features"] = None

    def clear(self) -> None:
        """Let all go."""
        self._conditioning.clear()
        self._tracked.clear()


def _check(sources: Sequence[FrameSource], masks: Sequence[NDArray[np.bool_]]) -> None:
    if not sources:
        raise InputError("There is no clip in the batch: give at least one.")
    if len(sources) != len(masks):
        raise InputError(f"There are {len(sources)} clips but {len(masks)} masks: give one mask a clip.")
    for source, mask in zip(sources, masks, strict=True):
        if source.num_frames != sources[0].num_frames:
            raise InputError(
                f"{source.name} has {source.num_frames} frames but {sources[0].name} has {sources[0].num_frames}: put "
                "clips of one length into a batch."
            )
        Prompt.from_mask(0, 1, mask).check(source)


def _by_size(sources: Sequence[FrameSource], device: torch.device) -> list[tuple[tuple[int, int], list[int], Tensor]]:
    """Return the (H, W) there are, each with its clips, as a list and as an index on the device."""
    clips: dict[tuple[int, int], list[int]] = {}
    for k, source in enumerate(sources):
        clips.setdefault((source.height, source.width), []).append(k)
    return [(size, members, torch.tensor(members, device=device)) for size, members in clips.items()]
