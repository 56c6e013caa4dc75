"""Outlines of objects: blobs, articulated figures, and stars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _polygon(draw: ImageDraw.ImageDraw, x: NDArray[np.float64], y: NDArray[np.float64], fill: int = 1) -> None:
    draw.polygon([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=fill)


def _blob(rng: np.random.Generator, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A closed curve around the origin with a random Fourier series as its radius."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    order = np.arange(1, 9)
    amplitude = rng.normal(0, 0.3, 8) * order ** -rng.uniform(0.6, 1.8)
    wave = (amplitude[:, None] * np.cos(order[:, None] * angle + rng.uniform(0, 2 * np.pi, (8, 1)))).sum(0)
    r = radius * np.clip(1 + wave, 0.15, 1.9)
    stretch, turn = rng.uniform(0.4, 1.0), rng.uniform(0, np.pi)
    x, y = r * np.cos(angle), r * np.sin(angle) * stretch
    return x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)


def blob(rng: np.random.Generator, size: int) -> Image.Image:
    """An irregular blob, sometimes with a hole."""
    image = Image.new("1", (size, size))
    draw = ImageDraw.Draw(image)
    x, y = _blob(rng, size * 0.3)
    _polygon(draw, x + size / 2, y + size / 2)
    if rng.random() < 0.12:
        x, y = _blob(rng, size * 0.12)
        _polygon(draw, x + size / 2, y + size / 2, fill=0)
    return image


def articulated(rng: np.random.Generator, size: int) -> Image.Image:
    """A body with limbs of two or three segments."""
    image = Image.new("1", (size, size))
    draw = ImageDraw.Draw(image)
    x, y = _blob(rng, size * rng.uniform(0.1, 0.18))
    _polygon(draw, x + size / 2, y + size / 2)
    for _ in range(int(rng.integers(2, 7))):
        place = np.array([size / 2, size / 2]) + rng.normal(0, size * 0.06, 2)
        angle, width = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.03, 0.09)
        for _ in range(int(rng.integers(1, 4))):
            end = place + size * rng.uniform(0.08, 0.18) * np.array([np.cos(angle), np.sin(angle)])
            draw.line([tuple(place), tuple(end)], fill=1, width=max(2, int(width)))
            r = width / 2
            draw.ellipse((end[0] - r, end[1] - r, end[0] + r, end[1] + r), fill=1)
            place, angle, width = end, angle + rng.normal(0, 0.7), width * rng.uniform(0.6, 1.1)
    return image


def star(rng: np.random.Generator, size: int) -> Image.Image:
    """A polygon with straight edges and random radii."""
    image = Image.new("1", (size, size))
    count = int(rng.integers(3, 12))
    angle = np.sort(rng.uniform(0, 2 * np.pi / count, count) + np.arange(count) * 2 * np.pi / count)
    r = size * rng.uniform(0.12, 0.42, count)
    _polygon(ImageDraw.Draw(image), size / 2 + r * np.cos(angle), size / 2 + r * np.sin(angle))
    return image


def draw(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """Draw one outline as a mask ``(size, size)``."""
    kind = (blob, blob, articulated, star)[int(rng.integers(4))]
    while True:
        mask = np.array(kind(rng, size))
        if 0.01 < mask.mean() < 0.6:
            return mask
