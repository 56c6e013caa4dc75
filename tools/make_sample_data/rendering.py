"""Render a scene: frames with anti-aliased, motion-blurred objects, and the masks of what is visible of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from tools.make_sample_data.motion import Lighting, Path, Wobble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.make_sample_data.cutouts import Cutout

SUBFRAMES = 4
SHUTTER = 0.5  # of the time between two frames


@dataclass(frozen=True, slots=True)
class Shadow:
    """A soft shadow: offset and blur in pixels of the frame at scale 1, and its darkness in [0, 1]."""

    dx: float = 5
    dy: float = 8
    blur: float = 5
    darkness: float = 0.45


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that moves in front of the background.

    Attributes
    ----------
    cutout, path
        What it looks like and how it moves.
    object_id
        Its id in the masks; 0 for things without a mask (a flame).
    in_world
        Whether `path` is in pixels of the background, seen through the camera, or else in pixels of the frame.
    wobble, shadow
        Deformation and shadow, if it has them.
    additive
        Whether it adds light instead of covering what is behind it.
    """

    cutout: Cutout
    path: Path
    object_id: int = 1
    in_world: bool = True
    wobble: Wobble | None = None
    shadow: Shadow | None = None
    additive: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A video to render.

    Attributes
    ----------
    name
        The sequence name.
    background
        (H, W, 3) float32 in [0, 1], larger than the frame; mirrored where the camera looks past its border.
    camera
        The point of the background in the middle of the frame, the zoom, and the roll of the view in degrees.
    actors
        Back to front.
    """

    name: str
    background: NDArray[np.float32]
    camera: Path
    actors: tuple[Actor, ...]
    lighting: Lighting = field(default_factory=Lighting)


def render(scene: Scene, frame_idx: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Render one frame.

    Parameters
    ----------
    scene
        What to render.
    frame_idx
        The frame index.
    size
        (height, width) in pixels.

    Returns
    -------
    The frame, (height, width, 3) uint8, and the label image of the visible objects, (height, width) uint8. A pixel
    belongs to the object, or to the background (0), that gives it most of its colour.
    """
    colour = np.zeros((*size, 3))
    shares = np.zeros((1 + max((a.object_id for a in scene.actors), default=0), *size))
    for time in frame_idx + SHUTTER * (np.arange(SUBFRAMES) / SUBFRAMES):
        moment_colour, moment_shares = _moment(scene, float(time), size)
        colour += moment_colour / SUBFRAMES
        shares += moment_shares / SUBFRAMES
    colour *= scene.lighting.gain(size, frame_idx)
    # Rounding makes ties (background wins) instead of leaving them to the last bit.
    labels = np.argmax(np.round(shares, 4), axis=0).astype(np.uint8)
    return np.round(255 * np.clip(colour, 0, 1)).astype(np.uint8), labels


def _moment(scene: Scene, time: float, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, width = size
    to_frame = _view(scene.camera, time, size)
    colour = _sample(scene.background, _inverse(to_frame), np.s_[0:height, 0:width], "mirror")
    shares = np.zeros((1 + max((a.object_id for a in scene.actors), default=0), *size))
    shares[0] = 1
    for actor in scene.actors:
        window, rgba = _draw(actor, to_frame if actor.in_world else np.eye(3), time, size)
        alpha = rgba[..., 3:]
        if actor.additive:
            colour[window] += rgba[..., :3]
            continue
        if actor.shadow is not None:
            colour *= 1 - _cast(actor.shadow, window, alpha[..., 0], size)[..., None]
        colour[window] = colour[window] * (1 - alpha) + rgba[..., :3]
        shares[(slice(None), *window)] *= 1 - alpha[..., 0]
        shares[(actor.object_id, *window)] += alpha[..., 0]
    return colour, shares


def _view(camera: Path, time: float, size: tuple[int, int]) -> NDArray[np.float64]:
    pose = camera.at(time)
    look = np.array([[1.0, 0, -pose.x], [0, 1, -pose.y], [0, 0, 1]])
    centre = type(pose)((size[1] - 1) / 2, (size[0] - 1) / 2, pose.scale, pose.angle)
    return np.asarray(centre.matrix() @ look)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _draw(
    actor: Actor, to_frame: NDArray[np.float64], time: float, size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    rgba = actor.cutout.rgba
    h, w = rgba.shape[:2]
    middle = np.array([[1.0, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1]])
    matrix = to_frame @ actor.path.at(time).matrix() @ middle
    slack = 2 * actor.wobble.amplitude if actor.wobble else 0
    corners = matrix @ np.array(
        [[-slack, w + slack, -slack, w + slack], [-slack, -slack, h + slack, h + slack], [1, 1, 1, 1]]
    )
    low = np.floor(corners[:2].min(axis=1)).astype(int)
    high = np.ceil(corners[:2].max(axis=1)).astype(int) + 1
    x0, x1 = np.clip((low[0], high[0]), 0, size[1])
    y0, y1 = np.clip((low[1], high[1]), 0, size[0])
    window = np.s_[y0:y1, x0:x1]
    return window, _sample(rgba, _inverse(matrix), window, "constant", actor.wobble, time)


def _sample(
    image: NDArray[np.float32],
    to_image: NDArray[np.float64],
    window: tuple[slice, slice],
    mode: str,
    wobble: Wobble | None = None,
    time: float = 0.0,
) -> NDArray[np.float64]:
    y, x = np.mgrid[window].astype(np.float64)
    u = to_image[0, 0] * x + to_image[0, 1] * y + to_image[0, 2]
    v = to_image[1, 0] * x + to_image[1, 1] * y + to_image[1, 2]
    if wobble is not None:
        u, v = wobble.displace(u, v, time)
    channels = [
        map_coordinates(image[..., c], (v, u), order=1, mode=mode, output=np.float64) for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _cast(
    shadow: Shadow, window: tuple[slice, slice], alpha: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    solid = np.zeros(size)
    solid[window] = alpha
    moved = np.roll(np.pad(solid, 40), (round(shadow.dy), round(shadow.dx)), axis=(0, 1))
    return np.asarray(shadow.darkness * gaussian_filter(moved, shadow.blur)[40:-40, 40:-40])
