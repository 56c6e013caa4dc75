"""The loss of SAM 2's training on every prediction: mask, dice, predicted IoU and object score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from tools.sample_model.model import Prediction

WEIGHTS = {"mask": 2.0, "dice": 1.0, "iou": 0.5, "score": 2.0}
_OTHER_TOKENS = 0.1


def _area(mask: torch.Tensor, size: int) -> torch.Tensor:
    return F.adaptive_avg_pool2d(mask.float(), size)


def losses(predictions: list[Prediction], masks: torch.Tensor, present: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean losses over predictions.

    Masks are compared at the resolution of the logits, with the covered part of each cell as the target. The
    single-mask token is always trained; of the three ambiguous ones the best, and the others a little, so that none
    dies. Where the target is absent only the object score is trained.

    Parameters
    ----------
    predictions
        Of one batch.
    masks, present
        The truth, ``(B, T, S, S)`` and ``(B, T)`` bool.

    Returns
    -------
    dict
        ``mask``, ``dice``, ``iou``, ``score``, their weighted sum ``total``, and the mean IoU of the single-mask token
        on present frames, ``miou``.
    """
    size = predictions[0].logits.shape[-1]
    frames = torch.tensor([p.frame for p in predictions])
    truth = _area(masks, size)[:, frames].transpose(0, 1).flatten(0, 1)[:, None]
    there = present[:, frames].transpose(0, 1).flatten().float()
    logits = torch.cat([p.logits for p in predictions])
    ious = torch.cat([p.ious for p in predictions])
    score = torch.cat([p.score for p in predictions])[:, 0]

    wide = truth.expand_as(logits)
    # Unweighted, an empty mask would be a good answer for a small thing, and training starts by staying there.
    area = truth.mean((1, 2, 3), keepdim=True)
    weight = 1 + truth * (((1 - area) / area.clamp_min(1e-3)).sqrt().clamp(1, 8) - 1)
    bce = F.binary_cross_entropy_with_logits(logits, wide, reduction="none") * weight
    bce = bce.flatten(2).sum(-1) / weight.flatten(2).sum(-1)
    probability = logits.sigmoid()
    overlap = (probability * wide).flatten(2).sum(-1)
    dice = 1 - (2 * overlap + 1) / (probability.flatten(2).sum(-1) + wide.flatten(2).sum(-1) + 1)
    with torch.no_grad():
        on, true = logits > 0, wide > 0.5
        real = (on & true).flatten(2).sum(-1) / (on | true).flatten(2).sum(-1).clamp_min(1)
        combined = WEIGHTS["mask"] * bce[:, 1:] + WEIGHTS["dice"] * dice[:, 1:]
        share = torch.full_like(combined, _OTHER_TOKENS / 3)
        share.scatter_(1, combined.argmin(1, keepdim=True), 1.0)
        # Tracking rests on the single-mask token and on the ambiguous ones alike.
        share = torch.cat([torch.ones_like(share[:, :1]), share], 1) * there[:, None]
    total = there.sum().clamp_min(1)
    parts = {
        "mask": (bce * share).sum() / total,
        "dice": (dice * share).sum() / total,
        "iou": ((ious - real).abs().mean(1) * there).sum() / total,
        "score": F.binary_cross_entropy_with_logits(score, there),
    }
    parts["total"] = sum((WEIGHTS[name] * part for name, part in parts.items()), torch.zeros(()))
    parts["miou"] = (real[:, 0] * there).sum() / total
    return parts
