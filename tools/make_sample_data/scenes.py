"""The sample sequences."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tools.make_sample_data import materials, outlines
from tools.make_sample_data.cutouts import (
    Cutout,
    cut,
    defocus,
    inside,
    mirror_tiles,
    resize,
    snap_to_edges,
    tint,
)
from tools.make_sample_data.motion import Lighting, Path, Wobble
from tools.make_sample_data.photographs import load
from tools.make_sample_data.rendering import Actor, Scene, Shadow

if TYPE_CHECKING:
    from collections.abc import Callable


SIZE = (240, 432)
NUM_FRAMES = 40


def astronaut() -> Scene:
    """Portrait before the deep field; a model shuttle flies behind her head and comes back into view."""
    photo = load("astronaut")
    shape = photo.shape[:2]
    woman = cut(photo, snap_to_edges(photo, inside(outlines.ASTRONAUT, shape), 4), 270)
    shuttle = cut(photo, snap_to_edges(photo, inside(outlines.SHUTTLE, shape), 3), 125)
    return Scene(
        "astronaut",
        defocus(resize(load("hubble"), 0.9), 0.8),
        Path(((0, 330, 330, 1, 0), (20, 430, 370, 1.05, 3), (39, 540, 390, 1.1, 6))),
        (
            Actor(
                shuttle,
                Path(
                    ((0, 60, 120, 0.8, 18), (13, 150, 76, 0.88, 34), (26, 290, 60, 0.96, 52), (39, 356, 112, 1.0, 64))
                ),
                object_id=2,
                in_world=False,
            ),
            Actor(
                woman,
                Path(((0, 250, 170, 1, -3), (12, 228, 164, 1.03, 2), (26, 196, 172, 1.08, 5), (39, 172, 166, 1.12, 1))),
                in_world=False,
                wobble=Wobble(0.8, 160, 28),
            ),
        ),
        Lighting(0.06, 44),
    )


def cameraman() -> Scene:
    """A grey film: a man films his way along a brick wall."""
    photo = load("camera")
    shape = photo.shape[:2]
    mask = snap_to_edges(photo, inside(outlines.CAMERAMAN, shape), 3)
    mask &= ~inside(outlines.CAMERAMAN_GAP, shape)
    wall = np.rot90(load("brick"), axes=(0, 1))
    return Scene(
        "cameraman",
        defocus(mirror_tiles(resize(0.15 + 0.85 * wall, 1.25), 1, 2), 1.6),
        Path(((0, 420, 320, 1, 0), (39, 620, 310, 1.06, 1)), shake=1.2),
        (
            Actor(
                cut(photo, mask, 330),
                Path(
                    (
                        (0, 130, 210, 1, -2),
                        (10, 168, 203, 1, 2),
                        (20, 214, 209, 1.02, -1),
                        (30, 250, 202, 1.04, 3),
                        (39, 290, 206, 1.05, 0),
                    )
                ),
                in_world=False,
                wobble=Wobble(0.8, 170, 24),
                shadow=Shadow(-14, 6, 9, 0.35),
            ),
        ),
        Lighting(0.08, 22, 0.3),
    )


def cat() -> Scene:
    """The cat leans out of the picture on the right and comes back; a lawn behind."""
    photo = load("chelsea")
    lawn = tint(resize(load("grass"), 1.7), (0.05, 0.12, 0.03), (0.68, 0.86, 0.36))
    return Scene(
        "cat",
        defocus(lawn, 2.2),
        Path(((0, 420, 420, 1, 0), (20, 470, 440, 1.08, -3), (39, 430, 470, 1.02, 1)), shake=1),
        (
            Actor(
                cut(photo, snap_to_edges(photo, inside(outlines.CAT, photo.shape[:2]), 3), 150),
                Path(
                    (
                        (0, 120, 150, 0.85, -8),
                        (10, 250, 112, 1, 6),
                        (19, 388, 130, 1.08, 20),
                        (25, 395, 140, 1.08, 16),
                        (39, 215, 120, 0.92, -6),
                    )
                ),
                in_world=False,
                wobble=Wobble(1.6, 90, 20),
                shadow=Shadow(8, 12, 8, 0.5),
            ),
        ),
        Lighting(0.06, 36),
    )


def cells() -> Scene:
    """Two cells under a microscope; one creeps over the other."""
    photo = load("cell")
    mask = snap_to_edges(photo, inside(outlines.CELL, photo.shape[:2]), 6)
    # The local contrast of the cell itself, raised until its granules show.
    granules = defocus(photo, 0.8) - defocus(photo, 7)
    textured = np.clip(0.8 * photo - 0.02 + 4 * granules, 0.05, 1).astype(np.float32)
    field = photo[:300, :340] * 1.1
    return Scene(
        "cells",
        defocus(mirror_tiles(resize(field, 2), 2, 2), 1.5),
        Path(((0, 480, 420, 1, 0), (20, 500, 410, 1, 0), (39, 510, 440, 1, 0))),
        (
            Actor(
                cut(textured * np.float32(0.8), mask, 74),
                Path(((0, 600, 410, 1, 0), (20, 530, 396, 1.05, -40), (39, 440, 430, 0.98, -85))),
                object_id=2,
                wobble=Wobble(5, 66, 36),
                shadow=Shadow(0, 0, 6, 0.55),
            ),
            Actor(
                cut(textured, mask, 96, mirrored=True),
                Path(((0, 390, 450, 1, 0), (20, 480, 430, 0.95, 50), (39, 590, 400, 1.05, 80))),
                wobble=Wobble(7, 88, 30),
                shadow=Shadow(0, 0, 6, 0.55),
            ),
        ),
        Lighting(0.03, 30, 0.3),
    )


def coffee() -> Scene:
    """A cup of coffee is pushed across a brick terrace while the camera closes in."""
    photo = load("coffee")
    terrace = tint(resize(load("brick"), 1.6), (0.16, 0.17, 0.2), (0.66, 0.7, 0.74))
    return Scene(
        "coffee",
        defocus(terrace, 1.6),
        Path(((0, 360, 400, 0.9, 0), (20, 400, 390, 1, 4), (39, 450, 410, 1.12, 9))),
        (
            Actor(
                cut(photo, snap_to_edges(photo, inside(outlines.COFFEE, photo.shape[:2]), 3), 135),
                Path(
                    ((0, 240, 450, 0.85, -14), (12, 340, 370, 0.92, 4), (24, 430, 425, 1, 22), (39, 545, 385, 1.02, 10))
                ),
                wobble=Wobble(0.5, 120, 30),
                shadow=Shadow(9, 12, 8, 0.6),
            ),
        ),
        Lighting(0.07, 60),
    )


def coins() -> Scene:
    """Three old coins slide and spin over a parquet floor; two of them cross."""
    photo = load("coins")
    photo = np.clip((photo - 0.25) * 1.35, 0.04, 1).astype(np.float32)

    def coin(name: str, height: float, dark: tuple[float, float, float], light: tuple[float, float, float]) -> Cutout:
        x, y, radius = outlines.COIN_CENTRES[name]
        angles = np.arange(12) * np.pi / 6
        circle = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles]
        return cut(tint(photo, dark, light), snap_to_edges(photo, inside(circle, photo.shape[:2]), 4), height)

    lying = Shadow(4, 5, 3, 0.6)
    return Scene(
        "coins",
        defocus(materials.parquet(1.4), 0.9),
        Path(((0, 330, 300, 1, 0), (39, 400, 330, 1.08, -8))),
        (
            Actor(
                coin("rider", 84, (0.15, 0.06, 0.03), (1.0, 0.72, 0.5)),
                Path(((0, 210, 250, 1, 0), (14, 300, 300, 1, 120), (28, 400, 300, 1, 230), (39, 500, 350, 1, 320))),
                object_id=2,
                shadow=lying,
            ),
            Actor(
                coin("broken", 70, (0.1, 0.11, 0.13), (0.93, 0.97, 1.0)),
                Path(((0, 240, 372, 1, 0), (20, 305, 374, 1, -70), (39, 372, 392, 1, -110))),
                object_id=3,
                shadow=lying,
            ),
            Actor(
                coin("face", 78, (0.2, 0.12, 0.02), (1.0, 0.86, 0.4)),
                Path(((0, 480, 245, 1, 0), (14, 390, 330, 1, -140), (28, 330, 300, 1, -250), (39, 290, 285, 1, -330))),
                shadow=lying,
            ),
        ),
        Lighting(0.05, 40, 0.25),
    )


def horse() -> Scene:
    """A wooden horse canters over gravel."""
    silhouette = load("horse")
    mask = silhouette.mean(axis=2) < 0.5
    wood = mirror_tiles(materials.plank(), 2, 4)[: mask.shape[0], : mask.shape[1]]
    ground = tint(resize(load("gravel"), 1.8), (0.1, 0.12, 0.17), (0.72, 0.76, 0.84))
    return Scene(
        "horse",
        defocus(ground, 2.2),
        Path(((0, 330, 450, 1, 0), (39, 560, 430, 1, 0)), shake=1.5),
        (
            Actor(
                cut(np.clip(wood * materials.relief(mask), 0, 1), mask, 150),
                Path(
                    (
                        (0, 250, 465, 0.9, 4),
                        (6, 305, 436, 0.92, -9),
                        (13, 360, 456, 0.95, 7),
                        (20, 420, 428, 0.97, -9),
                        (27, 480, 452, 1, 7),
                        (33, 540, 424, 1.02, -8),
                        (39, 600, 446, 1.04, 5),
                    )
                ),
                wobble=Wobble(2.2, 110, 13),
                shadow=Shadow(10, 14, 7, 0.5),
            ),
        ),
        Lighting(0.05, 50),
    )


def rocket() -> Scene:
    """A rocket leaves its pad; the camera follows it into the evening sky."""
    photo = load("rocket")
    body = cut(photo, snap_to_edges(photo, inside(outlines.ROCKET, photo.shape[:2]), 1), 185)
    way = (
        (0, 322, 640, 1, 0),
        (8, 322, 610, 1, 1),
        (18, 328, 500, 0.98, 5),
        (28, 348, 350, 0.95, 11),
        (39, 395, 190, 0.9, 18),
    )
    below = tuple(
        (f, x - 122 * s * np.sin(np.radians(a)), y + 122 * s * np.cos(np.radians(a)), s, a) for f, x, y, s, a in way
    )
    return Scene(
        "rocket",
        materials.evening_sky(photo),
        Path(
            (
                (0, 330, 630, 1, 0),
                (10, 330, 612, 1, 0),
                (20, 340, 482, 1, 1),
                (30, 358, 330, 1.02, 2),
                (39, 385, 195, 1.04, 2),
            ),
            shake=1,
        ),
        (
            Actor(materials.flame(), Path(below), object_id=0, wobble=Wobble(1.5, 23, 5), additive=True),
            Actor(body, Path(way), wobble=Wobble(0.25, 60, 11)),
        ),
        Lighting(0.05, 20, 0.2),
    )


SCENES: dict[str, Callable[[], Scene]] = {
    f.__name__: f for f in (astronaut, cameraman, cat, cells, coffee, coins, horse, rocket)
}


@cache
def scene(name: str) -> Scene:
    """Return a sample scene by its sequence name; built once."""
    return SCENES[name]()
