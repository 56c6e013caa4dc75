"""Backgrounds and surfaces that a photograph gives only after some work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.make_sample_data.cutouts import Cutout, defocus, mirror_tiles, resize
from tools.make_sample_data.photographs import load

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plank() -> NDArray[np.float32]:
    """Return a piece of the wooden table."""
    return load("coffee")[5:245, 480:600]


def parquet(scale: float) -> NDArray[np.float32]:
    """Return a dark floor of mirrored planks."""
    dark_oak = 0.62 * (0.55 * plank() + 0.45 * plank().mean(axis=2, keepdims=True))
    return resize(mirror_tiles(dark_oak, 2, 4), scale)


def relief(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shade a silhouette as if it were rounded and lit from the upper left."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    dome = gaussian_filter(np.minimum(distance_transform_edt(mask), 30) ** 0.7, 2)
    slope_y, slope_x = np.gradient(dome)
    return np.asarray(np.clip(0.95 + 0.5 * (slope_x + slope_y), 0.35, 1.6), dtype=np.float32)[..., None]


def evening_sky(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the rocket and its tower out of the photograph, and let the sky go on above it, with stars."""
    pad = photo.copy()
    left, right = 284, 362
    share = np.linspace(0, 1, right - left, dtype=np.float32)[None, :, None]
    edges = (pad[:408, left - 6 : left].mean(axis=1)[:, None], pad[:408, right : right + 6].mean(axis=1)[:, None])
    pad[:408, left:right] = edges[0] * (1 - share) + edges[1] * share
    rise = np.linspace(0.35, 1, 360, dtype=np.float32)[:, None, None]
    above = defocus(pad[:8], 60).mean(axis=0) * rise
    stars = mirror_tiles(resize(load("hubble"), 0.45), 1, 2)[: above.shape[0], : above.shape[1]]
    above += np.maximum(stars - 0.3, 0) * (1 - rise) * 1.6
    return np.concatenate([above, pad]).clip(0, 1)


def flame() -> Cutout:
    """Return the light under a rocket, to be added to what is behind it."""
    y, x = np.mgrid[0:90, -20:21].astype(np.float32)
    width = 3 + 5 * np.sin(np.pi * np.minimum(y / 90, 1)) ** 0.7
    glow = np.exp(-((x / width) ** 2)) * np.clip(1.1 - y / 80, 0, 1) * np.clip(y / 4, 0, 1)
    rgb = np.stack([1.3 * glow, 0.85 * glow**1.5, 0.45 * glow**2.5], axis=-1)
    return Cutout(np.dstack([rgb, glow]).astype(np.float32))
