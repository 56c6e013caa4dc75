"""Channel statistics of a tensor, computed where the tensor is (the paper, section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam2_probe.probe.positions import Position


def candidate_disagreement(logits: Tensor) -> Tensor:
    """Return how much the masks that SAM 2 chose among disagree: 1 less the mean IoU of their pairs.

    Parameters
    ----------
    logits
        (B, M, h, w): a pixel belongs to a mask where its logit is above 0.

    Returns
    -------
    Tensor
        (B,) float32 in [0, 1] on the same device; NaN where there is no pair of masks. Two empty masks agree.
    """
    batch, count = logits.shape[:2]
    if count < 2:
        return torch.full((batch,), torch.nan, device=logits.device)
    masks = (logits > 0).flatten(2).float()
    both = masks @ masks.transpose(1, 2)
    areas = masks.sum(dim=2)
    either = areas[:, :, None] + areas[:, None, :] - both
    iou = torch.where(either > 0, both / either.clamp(min=1), 1.0)
    first, second = torch.triu_indices(count, count, 1, device=logits.device)
    return 1 - iou[:, first, second].mean(dim=1)


def check_shape(position: Position, tensor: Tensor) -> None:
    """Make sure that a tensor (B, ...) has the axes that the table of positions says.

    Raises
    ------
    InputError
        If it hasn't.
    """
    if tensor.ndim != 1 + len(position.dimensions):
        axes = ", ".join(("batch", *position.dimensions))
        raise InputError(
            f"Position {position.key!r} is registered with the axes ({axes}), but its tap gives a tensor of shape "
            f"{tuple(tensor.shape)}: let the tap pick a tensor with these axes."
        )


def channel_statistics(tensor: Tensor) -> Tensor:
    """Return the mean and the population variance over channels, in float32.

    Parameters
    ----------
    tensor
        (B, C, h, w), of any floating type.

    Returns
    -------
    Tensor
        (B, 2, h, w) float32 on the same device: mean, then variance.
    """
    # In two passes: on a CPU torch.var_mean over the channels takes ten times as long.
    values = tensor.float()
    mean = values.mean(dim=1)
    return torch.stack([mean, (values - mean[:, None]).square_().mean(dim=1)], dim=1)
