"""Colours, light and camera of rendered clips."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recolour(rng: np.random.Generator, rgb: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """Another colouring of a picture ``(3, H, W)``: channels mixed, saturation, gain and gamma changed."""
    mix = np.eye(3)
    if rng.random() < 0.4 * strength:
        mix = mix[rng.permutation(3)]
    mix = mix + strength * rng.normal(0, 0.12, (3, 3))
    saturation = float(np.clip(rng.normal(0.75, 0.35 * strength), 0, 1.2))
    mix = (saturation * mix + (1 - saturation) / 3) * np.exp(strength * rng.normal(0, 0.2))
    flat = torch.from_numpy(mix.astype(np.float32)) @ rgb.reshape(3, -1)
    flat = (flat + float(strength * rng.normal(0, 0.06))).clamp(0, 1)
    return (flat ** float(np.exp(strength * rng.normal(0, 0.25)))).reshape(rgb.shape)


def fill(rgb: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The picture with the masked part replaced by a blur of what surrounds it."""
    keep = 1 - F.max_pool2d(mask[None, None].float(), 5, 1, 2)
    picture = rgb[None]
    filled = (picture * keep).sum((2, 3), keepdim=True) / keep.sum((2, 3), keepdim=True).clamp_min(1)
    for size in (4, 8, 16, 32, 64):
        weight = F.adaptive_avg_pool2d(keep, size)
        colour = F.adaptive_avg_pool2d(picture * keep, size) / weight.clamp_min(1e-6)
        coarser = F.interpolate(filled, size=(size, size), mode="bilinear")
        trust = (weight * 4).clamp(0, 1)
        filled = trust * colour + (1 - trust) * coarser
    smooth = F.interpolate(filled, size=picture.shape[-2:], mode="bilinear")
    return (keep * picture + (1 - keep) * smooth)[0]


def _blur(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    offset = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-(offset**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    frames = F.conv2d(F.pad(frames, (3, 3, 0, 0), "reflect"), kernel[:, None, None, :], groups=3)
    return F.conv2d(F.pad(frames, (0, 0, 3, 3), "reflect"), kernel[:, None, :, None], groups=3)


def _jpeg(frames: torch.Tensor, quality: int) -> torch.Tensor:
    pixels: NDArray[np.uint8] = (frames.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).numpy()
    out = []
    for frame in pixels:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
        out.append(np.asarray(Image.open(buffer)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float() / 255


def film(rng: np.random.Generator, frames: torch.Tensor) -> torch.Tensor:
    """What light and a camera do to the frames of a clip, ``(T, 3, H, W)``."""
    count = len(frames)
    if rng.random() < 0.35:
        gain = np.exp(np.cumsum(rng.normal(0, 0.06, (count, 3)) + rng.normal(0, 0.06, (count, 1)), 0))
        frames = frames * torch.from_numpy(gain.astype(np.float32))[..., None, None]
    if rng.random() < 0.2:
        axis = torch.linspace(-0.5, 0.5, frames.shape[-1])
        tilt = rng.normal(0, 0.7, 2)
        frames = frames * (1 + float(tilt[0]) * axis + float(tilt[1]) * axis[:, None]).clamp_min(0.2)
    if rng.random() < 0.25:
        frames = _blur(frames, rng.uniform(0.5, 1.6))
    if rng.random() < 0.15:
        half = F.interpolate(frames, scale_factor=0.5, mode="area")
        frames = F.interpolate(half, scale_factor=2, mode="bilinear")
    if rng.random() < 0.3:
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        frames = frames + rng.uniform(0, 0.04) * torch.randn(frames.shape, generator=generator)
    if rng.random() < 0.2:
        frames = _jpeg(frames, int(rng.integers(25, 90)))
    return frames.clamp(0, 1)
