"""How a session behaves, and what it gives of each frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from napari_sam2_probe.models.config import ModelFlags, PredictorFlags, predictor_flags

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.tracking.attention import AttentionDetail
    from napari_sam2_probe.tracking.intervening import Intervention
    from napari_sam2_probe.tracking.observer import PassKind
    from napari_sam2_probe.tracking.policies import MemoryPolicy

Direction = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session behaves.

    Attributes
    ----------
    flags
        The flags that the stock predictor is built with.
    dtype
        The type of automatic mixed precision; float32 for none.
    feature_budget, output_budget
        Bytes of image features (for frames that are visited again) and of each object's outputs kept in memory.
    spill_parent
        Where temporary files go; the system's folder for them if None.
    observe_unblanked
        Whether position 5u is shown too.
    policy
        Chooses which memories and pointers a frame reads; None for SAM 2's own choice.
    intervention
        What is changed of what SAM 2 reads, stores and computes; None for what the model's `intervene` says.
    attention
        Whether an observer is shown where memory attention looks, and from how many queries: ``none``, ``sampled``
        (256 at most) or ``exact`` (all).
    """

    flags: PredictorFlags = field(default_factory=lambda: predictor_flags(ModelFlags()))
    dtype: torch.dtype = torch.float32
    feature_budget: int = 256 * 2**20
    output_budget: int = 32 * 2**20
    spill_parent: Path | None = None
    observe_unblanked: bool = False
    policy: MemoryPolicy | None = None
    intervention: Intervention | None = None
    attention: AttentionDetail = "none"

    @classmethod
    def for_model(cls, loaded: Model, **changes: Any) -> SessionOptions:
        """Return the options of a session with this model: its flags and its number format."""
        return cls(flags=predictor_flags(loaded.flags), dtype=loaded.dtype, **changes)


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What is known of one frame after a step.

    Attributes
    ----------
    frame_idx
        The frame.
    obj_ids
        The O objects, in the order of all arrays here.
    mask_logits
        (O, 1, H, W) float32 at the video's size, on the session's device.
    object_scores
        (O,) float32 logits; above 0 SAM 2 believes the object present. NaN for an object without output here.
    predicted_iou
        (O,) float32; NaN on mask prompts.
    kinds
        The kind of pass behind each object's values.
    """

    frame_idx: int
    obj_ids: tuple[int, ...]
    mask_logits: Tensor
    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    kinds: tuple[PassKind, ...]

    def masks(self) -> NDArray[np.bool_]:
        """Return the masks (O, H, W), which may overlap."""
        masks: NDArray[np.bool_] = (self.mask_logits[:, 0] > 0).cpu().numpy()
        return masks

    def labels(self) -> NDArray[np.uint16]:
        """Return one image (H, W) of object ids, a pixel wanted by several going to the highest logit."""
        if not self.obj_ids:
            return np.zeros(self.mask_logits.shape[-2:], np.uint16)
        highest, winner = self.mask_logits[:, 0].max(dim=0)
        ids = torch.tensor(self.obj_ids, device=winner.device)
        labels = torch.where(highest > 0, ids[winner], 0)
        result: NDArray[np.uint16] = labels.cpu().numpy().astype(np.uint16)
        return result


@dataclass(frozen=True, slots=True)
class RepeatedFrame:
    """What one object's frame came to when it was tracked once more.

    Attributes
    ----------
    mask
        (H, W) bool.
    object_score
        In logits; above 0 SAM 2 believes the object present.
    predicted_iou
        SAM 2's own estimate of the mask's IoU.
    pointer
        (C,) float32: the object pointer before the no-object gate.
    attention
        (layers, groups, entries) float32: shares of memory attention (see `tracking.attention`), where the session
        looks at it and the frame read anything.
    """

    mask: NDArray[np.bool_]
    object_score: float
    predicted_iou: float
    pointer: NDArray[np.float32]
    attention: NDArray[np.float32] | None = None


def merge_results(results: Sequence[FrameResult]) -> FrameResult:
    """Put the objects of several sessions side by side, on one frame; their ids must differ."""
    return FrameResult(
        frame_idx=results[0].frame_idx,
        obj_ids=tuple(obj_id for result in results for obj_id in result.obj_ids),
        mask_logits=torch.cat([result.mask_logits for result in results]),
        object_scores=np.concatenate([result.object_scores for result in results]),
        predicted_iou=np.concatenate([result.predicted_iou for result in results]),
        kinds=tuple(kind for result in results for kind in result.kinds),
    )
