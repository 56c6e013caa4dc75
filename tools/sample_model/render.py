"""Clips rendered on the fly from a bank: a background, a target, look-alikes and occluders, each with its own motion.

A batch of clips is a function of (bank, seed) alone, so that training can go on from any step. Coordinates are those
of `torch.nn.functional.grid_sample`: -1 to 1 over the frame, x before y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F

from tools.sample_model.bank import SIZE, unpack
from tools.sample_model.photometry import fill, film, recolour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.sample_model.bank import Bank

    Matrix = NDArray[np.float64]

Event = Literal["none", "cut", "removal", "occlusion", "leaving"]
EVENTS: tuple[Event, ...] = ("none", "cut", "removal", "occlusion", "leaving")
_EVENT_PROBABILITY = (0.42, 0.17, 0.19, 0.13, 0.09)
_SAMPLE_VIDEO_PROBABILITY = 0.1
_SAMPLE_THING_PROBABILITY = 0.1
_VISIBLE_AREA = 0.0002
_FIRST_AREA = 0.0012
_NODES = 33


@dataclass(frozen=True)
class ClipBatch:
    """Rendered clips."""

    frames: torch.Tensor
    """``(B, T, 3, SIZE, SIZE)`` float32 in [0, 1]."""
    masks: torch.Tensor
    """The visible part of the target, ``(B, T, SIZE, SIZE)`` bool."""
    present: torch.Tensor
    """Whether any of the target is visible, ``(B, T)`` bool."""
    events: tuple[Event, ...]
    """What happens to each target."""
    during: NDArray[np.bool_]
    """Frames in which the event is on, ``(B, T)``."""


@dataclass
class _Thing:
    """A picture with an outline, and where its centre and size are in its own picture."""

    rgb: torch.Tensor
    mask: torch.Tensor
    scene: int

    @property
    def centre(self) -> Matrix:
        rows, columns = np.nonzero(self.mask.numpy())
        return (np.array([columns.mean(), rows.mean()]) + 0.5) / SIZE * 2 - 1

    @property
    def extent(self) -> float:
        """Root of the area, as part of the frame."""
        return float(np.sqrt(self.mask.float().mean()))


@dataclass
class _Layer:
    """A picture and, for each frame, where its pixels come from."""

    rgba: torch.Tensor
    matrix: Matrix
    """``(T, 3, 3)``, from output to source."""
    bend: Matrix
    """``(T, 2, 5, 5)``, added to the source coordinates."""
    hidden: NDArray[np.bool_]
    """``(T,)``."""


def _affine(centre: Matrix, scale: float, angle: float, at: Matrix) -> Matrix:
    """Output-to-source matrix that shows the source point ``centre`` at ``at``, enlarged and turned."""
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    linear = np.array([[c, s], [-s, c]])
    out = np.eye(3)
    out[:2, :2] = linear
    out[:2, 2] = centre - linear @ at
    return out


def _walk(rng: np.random.Generator, frames: int, shape: tuple[int, ...] = ()) -> Matrix:
    """A smooth random walk from 0 with a step of about 1 a frame."""
    velocity, place = rng.normal(0, 1.0, shape), np.zeros(shape)
    places = [place]
    for _ in range(frames - 1):
        velocity = 0.8 * velocity + rng.normal(0, 0.6, shape)
        place = place + velocity
        places.append(place)
    return np.stack(places)


class ClipRenderer:
    """Renders batches of clips of ``size`` pixels from a bank, with a mix of ``EVENTS``."""

    def __init__(self, bank: Bank, size: int = SIZE, event_probability: tuple[float, ...] = _EVENT_PROBABILITY) -> None:
        self._bank, self._size, self._event_probability = bank, size, event_probability

    def render(
        self,
        seed: tuple[int, ...],
        *,
        clips: int,
        frames: int,
        event: Event | None = None,
        event_frames: tuple[int, int] | None = None,
        pace: float | None = None,
    ) -> ClipBatch:
        """Render a batch.

        Parameters
        ----------
        seed
            The same seed gives the same clips.
        clips, frames
            Size of the batch.
        event
            What happens to every target; drawn for each clip by default.
        event_frames
            First frame of the event and the first one after it; drawn by default.
        pace
            Factor on all motion; drawn for each clip by default.
        """
        rng = np.random.default_rng(seed)
        images = torch.empty(clips, frames, 3, self._size, self._size)
        masks = torch.zeros(clips, frames, self._size, self._size, dtype=torch.bool)
        smallest = _FIRST_AREA * self._size**2
        during = np.zeros((clips, frames), bool)
        events: list[Event] = []
        for b in range(clips):
            kind = event or EVENTS[rng.choice(len(EVENTS), p=self._event_probability)]
            if frames > 1 and kind != "none":
                first, end = event_frames or (int(rng.integers(1, frames)), frames)
                if event_frames is None and rng.random() < 0.6:
                    end = int(rng.integers(first + 1, frames + 1))
                during[b, first:end] = True
            speed = float(np.exp(rng.normal(-0.2, 0.6))) if pace is None else pace
            for _ in range(10):
                images[b], masks[b] = self._clip(rng, frames, kind, during[b], speed)
                if int(masks[b, 0].sum()) >= smallest:
                    break
            events.append(kind)
        whole = images.clone() if "cut" in events else images
        for b, kind in enumerate(events):
            if kind == "cut":
                off = torch.from_numpy(during[b])
                masks[b, off] = False
                images[b, off] = whole[(b + 1) % clips, off]
        for b in range(clips):
            images[b] = film(rng, images[b])
        present = masks.flatten(2).sum(-1) >= _VISIBLE_AREA * self._size**2
        masks &= present[..., None, None]
        return ClipBatch(images, masks, present, tuple(events), during)

    def _sample_video(self, rng: np.random.Generator, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A piece of a sample sequence, forwards or backwards, recoloured and seen by another camera."""
        bank = self._bank
        video = int(rng.integers(len(bank.videos)))
        stride = int(rng.integers(1, max(2, min(5, len(bank.videos[video]) // frames))))
        first = int(rng.integers(len(bank.videos[video]) - stride * (frames - 1)))
        times = first + stride * np.arange(frames)
        if rng.random() < 0.5:
            times = times[::-1]
        labels = bank.video_labels[video, times]
        found = np.unique(labels[0][labels[0] > 0])
        target = found[rng.integers(len(found))] if len(found) else 255
        rgb = torch.from_numpy(bank.videos[video, times]).permute(0, 3, 1, 2).float() / 255
        if rng.random() < 0.6:
            rgb = recolour(rng, rgb.transpose(0, 1), 0.6).transpose(0, 1)
        rgba = torch.cat([rgb, torch.from_numpy(labels == target)[:, None].float()], 1)
        zoom = _affine(np.zeros(2), rng.uniform(0.9, 1.4), rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2, 2))
        if rng.random() < 0.5:
            zoom[0] *= -1
        matrices = (zoom @ _camera(rng, frames, 0.5))[:, :2].astype(np.float32)
        grid = F.affine_grid(torch.from_numpy(matrices), [frames, 4, self._size, self._size], align_corners=False)
        seen = F.grid_sample(rgba, grid, padding_mode="reflection", align_corners=False)
        return seen[:, :3], seen[:, 3] > 0.5

    def _sample_frame(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A frame of a sample sequence and one of its objects, which may be out of sight."""
        bank = self._bank
        video, time = (int(rng.integers(size)) for size in bank.videos.shape[:2])
        labels = bank.video_labels[video, time]
        target = int(rng.choice(np.unique(labels)[1:])) if labels.any() else 255
        rgb = torch.from_numpy(bank.videos[video, time]).permute(2, 0, 1).float() / 255
        return rgb, torch.from_numpy(labels == target)

    def _picture(self, rng: np.random.Generator) -> torch.Tensor:
        if len(self._bank.videos) and rng.random() < _SAMPLE_THING_PROBABILITY:
            return recolour(rng, self._sample_frame(rng)[0], 0.6)
        pool = self._bank.scenes if rng.random() < 0.6 else self._bank.textures
        rgb = torch.from_numpy(pool[int(rng.integers(len(pool)))]).permute(2, 0, 1).float() / 255
        return recolour(rng, rgb.flip(-1) if rng.random() < 0.5 else rgb)

    def _thing(self, rng: np.random.Generator) -> _Thing:
        bank = self._bank
        if len(bank.videos) and rng.random() < _SAMPLE_THING_PROBABILITY:
            rgb, mask = self._sample_frame(rng)
            if mask.float().mean() > _FIRST_AREA:
                return _Thing(recolour(rng, rgb, 0.6), mask, -1)
        if rng.random() < 0.6:
            region = int(rng.integers(len(bank.regions)))
            scene = int(bank.region_scene[region])
            rgb = torch.from_numpy(bank.scenes[scene]).permute(2, 0, 1).float() / 255
            return _Thing(rgb, torch.from_numpy(unpack(bank.regions[region])), scene)
        pool = bank.outlines if rng.random() < 0.75 else bank.regions
        mask = torch.from_numpy(unpack(pool[int(rng.integers(len(pool)))]))
        rgb = self._picture(rng)
        if rng.random() < 0.3:
            seam = int(rng.integers(SIZE // 3, 2 * SIZE // 3))
            rgb = torch.cat([rgb[:, :seam], self._picture(rng)[:, seam:]], 1)
        return _Thing(rgb, mask, -1)

    def _look_alike(self, rng: np.random.Generator, target: _Thing) -> _Thing:
        """Something that shares with the target its colours, its outline or both."""
        kind = rng.random()
        if kind < 0.4:
            return target
        other = self._thing(rng)
        if kind < 0.7:
            return _Thing(target.rgb, target.mask.flip(-1), -1)
        return _Thing(recolour(rng, other.rgb), target.mask, -1)

    def _moving(
        self, rng: np.random.Generator, thing: _Thing, start: Matrix, at: Matrix, path: Matrix, pace: float
    ) -> _Layer:
        """A thing that is at ``at`` in the first frame under the matrix ``start``, then goes along ``path``."""
        frames = len(path)
        turn = 0.07 * pace * _walk(rng, frames)
        zoom = np.exp((0.04 * pace * _walk(rng, frames)).clip(-0.7, 0.7))
        moves = [_affine(at, z, a, at + p) for p, a, z in zip(path, turn, zoom, strict=True)]
        softness = rng.choice([0.0, 0.04, 0.09], p=[0.3, 0.4, 0.3]) * min(pace, 2.0)
        bend = softness * thing.extent * _walk(rng, frames, (2, 5, 5)).clip(-4, 4)
        rgba = torch.cat([thing.rgb, thing.mask[None].float()])
        return _Layer(rgba, start @ np.stack(moves), bend, np.zeros(frames, bool))

    def _path(self, rng: np.random.Generator, frames: int, at: Matrix, pace: float) -> Matrix:
        drift = rng.normal(0, 0.05, 2) * np.arange(frames)[:, None]
        path = pace * (drift + 0.03 * _walk(rng, frames, (2,)))
        if rng.random() < 0.75:
            # Bounces off the frame: a triangle wave of the free path.
            reach = 0.9
            folded = np.abs((at + path + reach) % (4 * reach) - 2 * reach)
            path = (reach - folded) - (at if np.all(np.abs(at) <= reach) else at.clip(-reach, reach))
            path = path - path[0]
        return path

    def _clip(
        self, rng: np.random.Generator, frames: int, kind: Event, during: NDArray[np.bool_], pace: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self._bank.videos) and kind in ("none", "cut") and rng.random() < _SAMPLE_VIDEO_PROBABILITY:
            return self._sample_video(rng, frames)
        thing = self._thing(rng)
        in_place = thing.scene >= 0 and rng.random() < 0.4
        base = _affine(np.zeros(2), rng.uniform(1.0, 1.5), rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1, 2))
        wobble = np.zeros((frames, 2, 5, 5))
        if rng.random() < 0.3:
            wobble = 0.015 * pace * _walk(rng, frames, (2, 5, 5)).clip(-4, 4)
        moves = True
        if in_place:
            moves = rng.random() < 0.7
            thing.rgb = recolour(rng, thing.rgb, 0.7)
            ground = fill(thing.rgb, thing.mask) if moves or kind != "none" else thing.rgb
            start, at = base, (np.linalg.inv(base) @ [*thing.centre, 1])[:2]
            size = thing.extent
        else:
            ground = self._picture(rng)
            if thing.scene >= 0:
                thing.rgb = recolour(rng, thing.rgb, 0.7)
            size = float(np.exp(rng.uniform(np.log(0.09), np.log(0.5))))
            at = rng.uniform(-0.75, 0.75, 2)
            start = _affine(thing.centre, size / thing.extent, rng.uniform(-0.4, 0.4), at)
        path = self._path(rng, frames, at, pace)
        if in_place and not moves:
            target = self._moving(rng, thing, start, at, 0 * path, 0.0)
            target.bend = wobble
        else:
            target = self._moving(rng, thing, start, at, path, pace)
        front: list[_Layer] = []
        if kind == "removal":
            target.hidden = during
        elif kind == "leaving":
            away = rng.normal(0, 1, 2)
            target.matrix[during] = target.matrix[during] @ _affine(np.zeros(2), 1, 0, 3 * away / np.linalg.norm(away))
        elif kind == "occlusion":
            front.append(self._occluder(rng, size, at, path, during))
        opaque = torch.ones(1, SIZE, SIZE)
        back = [_Layer(torch.cat([ground, opaque]), np.tile(base, (frames, 1, 1)), wobble, np.zeros(frames, bool))]
        for _ in range(int(rng.choice(4, p=[0.3, 0.35, 0.25, 0.1]))):
            alike = rng.random() < 0.4
            other = self._look_alike(rng, thing) if alike else self._thing(rng)
            extent = size * float(np.exp(rng.normal(0, 0.15 if alike else 0.5)))
            place = rng.uniform(-0.9, 0.9, 2)
            matrix = _affine(other.centre, extent / other.extent, rng.uniform(-0.4, 0.4), place)
            layer = self._moving(rng, other, matrix, place, self._path(rng, frames, place, pace), pace)
            (front if rng.random() < 0.4 else back).append(layer)
        return _composite([*back, target, *front], len(back), _camera(rng, frames, pace), self._size)

    def _occluder(
        self, rng: np.random.Generator, size: float, at: Matrix, path: Matrix, during: NDArray[np.bool_]
    ) -> _Layer:
        """Something larger that covers the target during the event and stands beside it otherwise."""
        index = int(rng.integers(len(self._bank.outlines)))
        thing = _Thing(self._picture(rng), torch.from_numpy(unpack(self._bank.outlines[index])), -1)
        aside = rng.normal(0, 1, 2)
        aside *= 2.5 * (size + 0.1) / np.linalg.norm(aside)
        course = path + np.where(during, 0.0, 1.0)[:, None] * aside
        start = _affine(thing.centre, 2.2 * size / thing.extent, 0.0, at)
        return self._moving(rng, thing, start, at, course, 0.0)


def _camera(rng: np.random.Generator, frames: int, pace: float) -> Matrix:
    """Output-to-world matrices, ``(T, 3, 3)``."""
    amount = rng.choice([0.0, 0.4, 1.0], p=[0.25, 0.4, 0.35]) * pace
    path = amount * (0.02 * _walk(rng, frames, (2,)) + rng.normal(0, 0.02, 2) * np.arange(frames)[:, None])
    turn = 0.015 * amount * _walk(rng, frames)
    zoom = np.exp((0.025 * amount * _walk(rng, frames)).clip(-0.5, 0.5))
    path = path.clip(-0.6, 0.6)
    return np.stack([_affine(np.zeros(2), z, a, p) for p, a, z in zip(path, turn, zoom, strict=True)])


def _composite(layers: list[_Layer], target: int, camera: Matrix, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw layers from back to front: frames ``(T, 3, SIZE, SIZE)`` and the target's visible mask."""
    frames = len(camera)
    edge = 1 - 1 / size
    axis = np.linspace(-edge, edge, _NODES)
    nodes = np.stack([np.tile(axis, _NODES), np.repeat(axis, _NODES), np.ones(_NODES**2)])
    matrices = np.stack([layer.matrix for layer in layers]) @ camera
    coarse = torch.from_numpy((matrices[:, :, :2] @ nodes).astype(np.float32)).reshape(-1, 2, _NODES, _NODES)
    bends = torch.from_numpy(np.stack([layer.bend for layer in layers]).astype(np.float32)).flatten(0, 1)
    coarse = coarse + F.interpolate(bends, size=(_NODES, _NODES), mode="bicubic", align_corners=True)
    grid = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    grid = grid.permute(0, 2, 3, 1).reshape(len(layers), frames * size, size, 2)
    image: torch.Tensor | None = None
    visible = torch.zeros(frames, size, size)
    for index, layer in enumerate(layers):
        rgba = layer.rgba.clone()
        if index:
            rgba[:3] *= rgba[3:]
        padding = "zeros" if index else "reflection"
        drawn = F.grid_sample(rgba[None], grid[index : index + 1], padding_mode=padding, align_corners=False)
        drawn = drawn[0].reshape(4, frames, size, size).transpose(0, 1)
        if layer.hidden.any():
            drawn = drawn * torch.from_numpy(~layer.hidden).float()[:, None, None, None]
        if image is None:
            image = drawn[:, :3]
            continue
        rest = 1 - drawn[:, 3:]
        image = image * rest + drawn[:, :3]
        visible = drawn[:, 3] if index == target else visible * rest[:, 0]
    assert image is not None
    return image, visible > 0.5
