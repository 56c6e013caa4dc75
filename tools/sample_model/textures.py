"""Textures without end: coloured noise, dead leaves, Julia sets, Turing patterns, warped stripes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Texture = Callable[[np.random.Generator, int], NDArray[np.float32]]


def _frequencies(size: int) -> NDArray[np.float32]:
    axis = np.fft.fftfreq(size)
    return np.hypot(axis[:, None], axis[None, : size // 2 + 1].copy()).astype(np.float32)


def _normalise(field: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(field, (1, 99))
    return np.clip((field - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def noise_field(rng: np.random.Generator, size: int, exponent: float) -> NDArray[np.float32]:
    """A random field with spectrum 1/f^exponent, in [0, 1], periodic."""
    frequency = _frequencies(size)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**exponent
    spectrum[0, 0] = 0
    return _normalise(np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32))


def _palette(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Colours around a common mean, so that a texture looks like one material."""
    mean, spread = rng.uniform(0.1, 0.9, 3), rng.uniform(0.05, 0.45)
    return np.clip(mean + spread * rng.standard_normal((count, 3)), 0, 1).astype(np.float32)


def _colour(rng: np.random.Generator, field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map a scalar field to colours through a random piecewise linear colour map."""
    count = int(rng.integers(2, 6))
    colours, stops = _palette(rng, count), np.linspace(0, 1, count)
    return np.stack([np.interp(field, stops, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def coloured_noise(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Three 1/f^a fields mixed by a random matrix."""
    fields = np.stack([noise_field(rng, size, rng.uniform(0.6, 2.2)) for _ in range(3)], -1) - 0.5
    mixed = fields @ rng.normal(0, 0.6, (3, 3)) + rng.uniform(0.2, 0.8, 3)
    return np.clip(mixed, 0, 1).astype(np.float32)


def coloured_field(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """One 1/f^a field through a colour map."""
    return _colour(rng, noise_field(rng, size, rng.uniform(0.8, 2.2)))


def dead_leaves(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Shapes with power-law sizes dropped on top of each other."""
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    smallest = rng.uniform(3, 12)
    colours = (_palette(rng, 64) * 255).astype(int)
    for radius in np.sort(smallest * rng.uniform(0.02, 1, 500) ** -0.6)[::-1]:
        x, y = rng.uniform(0, size, 2)
        colour = tuple(int(v) for v in colours[rng.integers(64)])
        if rng.random() < 0.5:
            draw.ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), fill=colour)
        else:
            angle = rng.uniform(0, np.pi) + np.arange(4) * np.pi / 2
            corners = zip(x + radius * np.cos(angle), y + radius * np.sin(angle), strict=True)
            draw.polygon([(float(a), float(b)) for a, b in corners], fill=colour)
    leaves = np.asarray(image, np.float32) / 255
    grain = noise_field(rng, size, 1.2)[..., None] - 0.5
    return np.clip(leaves + rng.uniform(0, 0.3) * grain, 0, 1).astype(np.float32)


def julia(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Escape times of a Julia set whose parameter lies near the edge of the main cardioid."""
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.6)
    parameter = (np.exp(1j * angle) / 2 - np.exp(2j * angle) / 4) * rng.uniform(1.0, 1.08)
    axis = np.linspace(-zoom, zoom, size)
    z = (axis[None] + rng.uniform(-0.5, 0.5)) + 1j * (axis[:, None] + rng.uniform(-0.5, 0.5))
    escaped = np.zeros((size, size), np.float32)
    for _ in range(48):
        z = np.where(np.abs(z) < 4, z * z + parameter, z)
        escaped += np.abs(z) < 4
    return _colour(rng, _normalise(escaped + 0.5 * np.abs(z).clip(0, 4).astype(np.float32)))


def turing(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Stripes or spots of one wavelength, by repeated band-pass and saturation."""
    frequency = _frequencies(size)
    centre = rng.uniform(0.03, 0.12)
    band = np.exp(-(((frequency - centre) / (0.25 * centre)) ** 2))
    field, bias = rng.standard_normal((size, size)), rng.uniform(-0.4, 0.4)
    for _ in range(6):
        field = np.fft.irfft2(np.fft.rfft2(field) * band, s=(size, size))
        field = np.tanh(2 * field / (field.std() + 1e-6) + bias)
    return _colour(rng, _normalise(field.astype(np.float32)))


def stripes(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Stripes or a checkerboard, bent by a smooth field."""
    y, x = np.mgrid[:size, :size] / size
    bend = rng.uniform(0, 0.6) * noise_field(rng, size, 2.2)
    angle, count = rng.uniform(0, np.pi), rng.uniform(3, 25)
    phase = 2 * np.pi * count * (x * np.cos(angle) + y * np.sin(angle) + bend)
    wave = np.sin(phase)
    if rng.random() < 0.4:
        wave = wave * np.sin(2 * np.pi * count * (y * np.cos(angle) - x * np.sin(angle) + bend))
    sharp = np.tanh(wave * rng.uniform(1, 8))
    return _colour(rng, _normalise(sharp.astype(np.float32)))


KINDS: tuple[Texture, ...] = (coloured_noise, coloured_field, dead_leaves, dead_leaves, julia, turing, stripes)


def draw(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """Draw one texture of a random kind, ``(size, size, 3)``."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    return (kind(rng, size) * 255).astype(np.uint8)
