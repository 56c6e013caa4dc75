"""Small data sets with real moving objects, laid out exactly as the published ones are.

Two textured squares move over a textured ground; from the middle of the video on they overlap. The second appears
late where the data set has such objects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.video.masks import write_mask

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 90, 160


def second_mask(t: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:50, 120 - 7 * t : 150 - 7 * t] = True
    return mask


def frames(num_frames: int) -> np.ndarray:
    video = moving_video(num_frames, HEIGHT, WIDTH)
    for t in range(num_frames):
        video[t][second_mask(t) & ~square_mask(t)] = [30, 60, 210 - 5 * t]
    return video


def labels(t: int, second_from: int = 0) -> np.ndarray:
    """The first object lies over the second."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    if t >= second_from:
        image[second_mask(t)] = 2
    image[square_mask(t)] = 1
    return image


def save_frames(folder: Path, num_frames: int, stem) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for t, frame in enumerate(frames(num_frames)):
        Image.fromarray(frame).save(folder / f"{stem(t)}.jpg", quality=95)


def davis(root: Path, num_frames: int = 8) -> Path:
    """DAVIS 2017: every frame annotated, lists in ImageSets."""
    for name in ("crossing", "passing"):
        save_frames(root / "JPEGImages" / "480p" / name, num_frames, "{:05d}".format)
        for t in range(num_frames):
            write_mask(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels(t))
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("crossing\n")
    return root


def mose(root: Path, num_frames: int = 8) -> Path:
    """MOSE: train annotated on every frame, valid on the first alone."""
    for split, annotated in (("train", range(num_frames)), ("valid", range(1))):
        name = {"train": "002b4dce", "valid": "0a97ec66"}[split]
        save_frames(root / split / "JPEGImages" / name, num_frames, "{:05d}".format)
        for t in annotated:
            write_mask(root / split / "Annotations" / name / f"{t:05d}.png", labels(t))
    return root


def youtube_vos(root: Path, num_frames: int = 11) -> Path:
    """YouTube-VOS: frames named by their number in the 30 fps video, every 5th annotated; objects that appear later.

    ``train`` and ``valid`` hold the annotated frames alone, ``train_all_frames`` all, without masks of its own. In
    ``valid`` there are masks on the first frame of each object only.
    """
    name = "003234408d"
    every_fifth = range(0, 5 * num_frames, 5)
    for split in ("train", "valid"):
        save_frames(root / split / "JPEGImages" / name, num_frames, lambda t: f"{every_fifth[t]:05d}")
        for t in range(num_frames) if split == "train" else (0, 3):
            write_mask(root / split / "Annotations" / name / f"{every_fifth[t]:05d}.png", labels(t, second_from=3))
        objects = {
            str(k): {"category": "square", "frames": [f"{every_fifth[t]:05d}" for t in range(first, num_frames)]}
            for k, first in ((1, 0), (2, 3))
        }
        (root / split / "meta.json").write_text(json.dumps({"videos": {name: {"objects": objects}}}))
    many = root / "train_all_frames" / "JPEGImages" / name
    many.mkdir(parents=True)
    video = frames(num_frames)
    for k in range(5 * num_frames - 4):
        Image.fromarray(video[round(k / 5)]).save(many / f"{k:05d}.jpg", quality=95)
    return root


def lvos(root: Path, num_frames: int = 8) -> Path:
    """LVOS: eight digits counted from 1 in steps of 5 (frames at 6 fps), all annotated; objects that appear later."""
    name = "0tCWPOrc"
    for split in ("train", "valid"):
        save_frames(root / split / "JPEGImages" / name, num_frames, lambda t: f"{5 * t + 1:08d}")
        for t in range(num_frames):
            write_mask(root / split / "Annotations" / name / f"{5 * t + 1:08d}.png", labels(t, second_from=2))
        objects = {str(k): {"frame_range": {"start": f"{5 * first + 1:08d}"}} for k, first in ((1, 0), (2, 2))}
        (root / split / f"{split}_meta.json").write_text(json.dumps({"videos": {name: {"objects": objects}}}))
    return root


def sav(root: Path, num_frames: int = 17) -> Path:
    """SA-V: 24 fps, every 4th frame annotated, a folder of one-bit masks an object, which overlap."""
    name = "sav_000262"
    save_frames(root / "JPEGImages_24fps" / name, num_frames, "{:05d}".format)
    for t in range(0, num_frames, 4):
        for number, mask in enumerate((square_mask(t), second_mask(t))):
            file = root / "Annotations_6fps" / name / f"{number:03d}" / f"{t:05d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(file)
    (root / "sav_val.txt").write_text(f"{name}\n")
    return root
