"""Everything that clips are rendered from: scenes with their regions, textures and outlines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from tools.sample_model import outlines, photographs, textures

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 256
_SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Bank:
    """Sources of clips, each of ``SIZE`` x ``SIZE`` pixels."""

    scenes: NDArray[np.uint8]
    """Crops of photographs, ``(N, SIZE, SIZE, 3)``."""
    regions: NDArray[np.uint8]
    """Bit-packed masks of things seen in the scenes, ``(R, SIZE * SIZE // 8)``."""
    region_scene: NDArray[np.int32]
    """The scene of each region, ``(R,)``."""
    textures: NDArray[np.uint8]
    """``(M, SIZE, SIZE, 3)``."""
    outlines: NDArray[np.uint8]
    """Bit-packed masks, ``(K, SIZE * SIZE // 8)``."""
    videos: NDArray[np.uint8]
    """The sample sequences, ``(V, T, SIZE, SIZE, 3)``; none in the held-out bank."""
    video_labels: NDArray[np.uint8]
    """Their objects, ``(V, T, SIZE, SIZE)``."""


def load_bank(path: Path, split: Split, *, seed: int = 0) -> Bank:
    """The bank kept in a file, which is made first where it doesn't exist."""
    if not path.exists():
        part = path.with_name(f"part-{path.name}")
        np.savez(part, **asdict(build_bank(split, seed=seed)))
        part.replace(path)
    with np.load(path) as arrays:
        return Bank(**arrays)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A bit-packed mask as ``(SIZE, SIZE)`` bool."""
    return np.unpackbits(packed).reshape(SIZE, SIZE).astype(bool)


def _resize(array: NDArray[np.generic], box: tuple[int, int, int], method: Image.Resampling) -> NDArray[np.generic]:
    top, left, side = box
    crop = np.ascontiguousarray(array[top : top + side, left : left + side])
    return np.asarray(Image.fromarray(crop).resize((SIZE, SIZE), method))


def _things(rng: np.random.Generator, labels: NDArray[np.int32], most: int) -> list[NDArray[np.bool_]]:
    """Regions of a label map, some of them joined with neighbours, none too small, too large or cut off."""
    from scipy.ndimage import binary_dilation, binary_fill_holes, gaussian_filter

    found = []
    for label in rng.permutation(np.unique(labels))[: 4 * most]:
        mask = labels == label
        if not 0.004 < mask.mean() < 0.4:
            continue
        if rng.random() < 0.4:
            around = np.unique(labels[binary_dilation(mask, iterations=2) & ~mask])
            for other in rng.permutation(around)[: int(rng.integers(1, 3))]:
                mask = mask | (labels == other)
        if rng.random() < 0.7:
            mask = binary_fill_holes(mask)
        mask = gaussian_filter(mask.astype(np.float32), 1.5) > 0.5
        edge = mask[0].mean() + mask[-1].mean() + mask[:, 0].mean() + mask[:, -1].mean()
        if 0.006 < mask.mean() < 0.4 and edge < 0.5:
            found.append(mask)
        if len(found) == most:
            break
    return found


def _sample_videos() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The sample sequences, squeezed into squares as the model sees them."""
    videos, labels = [], []
    for folder in sorted((_SAMPLE_DATA / "JPEGImages" / "480p").iterdir()):
        frames, truth = [], []
        for file in sorted(folder.glob("*.jpg")):
            with Image.open(file) as image:
                frames.append(np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
            palette = _SAMPLE_DATA / "Annotations" / "480p" / folder.name / f"{file.stem}.png"
            with Image.open(palette) as image:
                truth.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.NEAREST)))
        videos.append(np.stack(frames))
        labels.append(np.stack(truth))
    return np.stack(videos), np.stack(labels)


def build_bank(split: Split, *, seed: int = 0, crops: int = 30, count: int = 500) -> Bank:
    """Make the sources of one split.

    Parameters
    ----------
    split
        Which photographs, and which stream of random numbers.
    seed
        Of the random numbers.
    crops
        Scenes a photograph.
    count
        Textures, and twice as many outlines.
    """
    chosen = photographs.TRAINING if split == "train" else photographs.HELD_OUT
    rng = np.random.default_rng((seed, split == "held_out"))
    scenes: list[NDArray[np.generic]] = []
    regions: list[NDArray[np.uint8]] = []
    region_scene: list[int] = []
    for package, path in chosen:
        photograph = photographs.load(package, path)
        maps = photographs.regions(photograph)
        height, width = photograph.shape[:2]
        for _ in range(crops):
            side = int(min(height, width) * rng.uniform(0.4, 1.0))
            box = (int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side)
            scene = _resize(photograph, box, Image.Resampling.BILINEAR)
            labels = _resize(maps[int(rng.integers(len(maps)))], box, Image.Resampling.NEAREST)
            if rng.random() < 0.5:
                scene, labels = scene[:, ::-1], labels[:, ::-1]
            for mask in _things(rng, labels, most=8):
                regions.append(np.packbits(mask))
                region_scene.append(len(scenes))
            scenes.append(scene)
    videos, labels = _sample_videos()
    if split == "held_out":
        videos, labels = videos[:0], labels[:0]
    return Bank(
        scenes=np.stack(scenes),
        regions=np.stack(regions),
        region_scene=np.asarray(region_scene, np.int32),
        textures=np.stack([textures.draw(rng, SIZE) for _ in range(count)]),
        outlines=np.stack([np.packbits(outlines.draw(rng, SIZE)) for _ in range(2 * count)]),
        videos=videos,
        video_labels=labels,
    )
