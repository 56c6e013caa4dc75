"""Channel statistics of a tensor, computed where the tensor is (SPEC 4; the paper, section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam2_probe.probe.positions import Position


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
