"""Cut objects out of photographs along irregular outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Outline = Sequence[tuple[float, float]]

PADDING = 3


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object without its photograph.

    Attributes
    ----------
    rgba
        (h, w, 4) float32 in [0, 1]; the colours are premultiplied by alpha. The object's centre is the array's.
    """

    rgba: NDArray[np.float32]


def inside(outline: Outline, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of an (H, W) image inside a smooth closed curve through hand-placed (x, y) points."""
    from scipy.interpolate import splev, splprep
    from skimage.draw import polygon2mask

    points = np.asarray([*outline, outline[0]], dtype=np.float64)
    curve, _ = splprep(points.T, s=0, per=True, k=2)
    x, y = splev(np.linspace(0, 1, 30 * len(points)), curve)
    return np.asarray(polygon2mask(shape, np.column_stack([y, x])), dtype=np.bool_)


def snap_to_edges(image: NDArray[np.float32], rough: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Move the border of `rough` to the strongest image edge within `reach` pixels (watershed), and smooth it."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage.filters import sobel
    from skimage.segmentation import watershed

    edges = np.max([sobel(gaussian_filter(image[..., c], 1)) for c in range(3)], axis=0)
    depth = distance_transform_edt(rough) - distance_transform_edt(~rough)
    markers = np.where(depth > reach, 1, np.where(depth < -reach, 2, 0))
    regions = watershed(np.round(edges * 1000).astype(np.int32), markers)
    return np.asarray(gaussian_filter((regions == 1).astype(np.float32), 1.2) >= 0.5, dtype=np.bool_)


def cut(image: NDArray[np.float32], mask: NDArray[np.bool_], height: float, *, mirrored: bool = False) -> Cutout:
    """Cut the pixels of `mask` out of `image` and scale them to `height` pixels.

    Colours at the border come from just inside the object, so no rim of the old background is left.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter

    core = binary_erosion(mask, iterations=2)
    nearest = distance_transform_edt(~core, return_distances=False, return_indices=True)
    colour = image[tuple(nearest)]
    alpha = gaussian_filter(mask.astype(np.float32), 0.7)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale = height / (rows[-1] - rows[0] + 1)
    pad = int(np.ceil(PADDING / scale))
    premultiplied = np.pad(np.dstack([colour * alpha[..., None], alpha]), ((pad, pad), (pad, pad), (0, 0)))
    window = np.s_[rows[0] : rows[-1] + 1 + 2 * pad, columns[0] : columns[-1] + 1 + 2 * pad]
    rgba = resize(premultiplied[window], scale)
    return Cutout(rgba[:, ::-1] if mirrored else rgba)


def resize(image: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Scale an (H, W, C) image with an anti-aliasing filter; values stay in [0, 1]."""
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., c])).resize(size, Image.Resampling.LANCZOS))
        for c in range(image.shape[2])
    ]
    return np.asarray(np.clip(np.stack(channels, axis=-1), 0, 1), dtype=np.float32)


def tint(
    image: NDArray[np.float32], dark: tuple[float, float, float], light: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Colour a grey photograph: black becomes `dark`, white becomes `light`."""
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(np.array(dark, np.float32) * (1 - grey) + np.array(light, np.float32) * grey, dtype=np.float32)


def defocus(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur an image as a lens does with what is out of focus."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (sigma, sigma, 0)), dtype=np.float32)


def mirror_tiles(image: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Repeat an image, every second copy mirrored, so that no seam shows."""
    line = np.concatenate([image[:, :: 1 - 2 * (i % 2)] for i in range(columns)], axis=1)
    return np.concatenate([line[:: 1 - 2 * (i % 2)] for i in range(rows)], axis=0)
