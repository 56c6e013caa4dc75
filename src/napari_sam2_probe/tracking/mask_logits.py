"""Masks on their way into SAM 2 and out of it: one place for how they are scaled, filled and kept apart."""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def mask_input(mask: NDArray[np.bool_], image_size: int, device: torch.device) -> Tensor:
    """Turn a mask of the video's size into the ``mask_inputs`` of ``track_step``, as the stock predictor does.

    Parameters
    ----------
    mask
        (H, W) bool.
    image_size
        Side of the square model input in pixels.
    device
        Where the model is.

    Returns
    -------
    Tensor
        (1, 1, image_size, image_size) float32 of 0 and 1.
    """
    size = (image_size, image_size)
    inputs = torch.from_numpy(mask)[None, None].to(device).float()
    if inputs.shape[-2:] != size:
        inputs = interpolate(inputs, size=size, mode="bilinear", align_corners=False, antialias=True)
        inputs = (inputs >= 0.5).float()
    return inputs


def scaled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale logits (B, 1, h, w) to (B, 1, *size), as SAM 2 does wherever it makes masks larger."""
    if logits.shape[-2:] == size:
        return logits
    return interpolate(logits, size=size, mode="bilinear", align_corners=False)


def filled(logits: Tensor, fill_hole_area: int) -> Tensor:
    """Fill holes of up to `fill_hole_area` pixels in low-resolution logits (B, 1, h, w); 0 fills none."""
    if fill_hole_area <= 0 or not can_fill_holes():
        return logits
    from sam2.utils.misc import fill_holes_in_mask_scores

    result: Tensor = fill_holes_in_mask_scores(logits, fill_hole_area)
    return result


@functools.cache
def can_fill_holes() -> bool:
    """Return whether ``sam2`` has the extension that fills holes; without it SAM 2 leaves masks as they are."""
    return importlib.util.find_spec("sam2._C") is not None
