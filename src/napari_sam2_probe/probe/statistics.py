"""Channel statistics of a tensor, computed where the tensor is (SPEC 4; the paper, section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def channel_statistics(tensor: Tensor) -> Tensor:
    """Return the mean and the population variance over channels, in float32.

    Parameters
    ----------
    tensor
        (1, C, h, w), of any floating type.

    Returns
    -------
    Tensor
        (2, h, w) float32 on the same device: mean, then variance.
    """
    return batch_statistics(tensor)[0]


def batch_statistics(tensor: Tensor) -> Tensor:
    """Return the same of each clip of a batch (B, C, h, w), as (B, 2, h, w)."""
    # In two passes: on a CPU torch.var_mean over the channels takes ten times as long.
    values = tensor.float()
    mean = values.mean(dim=1)
    return torch.stack([mean, (values - mean[:, None]).square_().mean(dim=1)], dim=1)
