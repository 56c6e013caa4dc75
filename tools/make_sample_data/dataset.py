"""Write the sample sequences as a data set in the DAVIS 2017 layout."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tools.make_sample_data.photographs import PHOTOGRAPHS
from tools.make_sample_data.rendering import render
from tools.make_sample_data.scenes import NUM_FRAMES, SCENES, SIZE, scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

JPEG_QUALITY = 85


def davis_palette() -> list[int]:
    """Return the 256 colours of DAVIS annotations: the bits of an id, spread over R, G and B from the top bit down."""
    colours = []
    for label in range(256):
        for channel in range(3):
            colours.append(sum(((label >> (3 * i + channel)) & 1) << (7 - i) for i in range(3)))
    return colours


def write_frame(root: Path, name: str, frame_idx: int, frame: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Write one frame and its masks."""
    stem = f"480p/{name}/{frame_idx:05d}"
    image_path, mask_path = root / f"JPEGImages/{stem}.jpg", root / f"Annotations/{stem}.png"
    for path in (image_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame).save(image_path, quality=JPEG_QUALITY, subsampling="4:2:0", optimize=True)
    mask = Image.frombytes("P", (labels.shape[1], labels.shape[0]), labels.tobytes())
    mask.putpalette(davis_palette())
    mask.save(mask_path, optimize=True)


def write_dataset(root: Path, names: Sequence[str] | None = None) -> Iterator[str]:
    """Write the data set under `root`, replacing an earlier one; yields each sequence name when it is done."""
    chosen = sorted(SCENES) if names is None else list(names)
    for folder in ("JPEGImages", "Annotations", "ImageSets"):
        shutil.rmtree(root / folder, ignore_errors=True)
    for name in chosen:
        for frame_idx in range(NUM_FRAMES):
            write_frame(root, name, frame_idx, *render(scene(name), frame_idx, SIZE))
        yield name
    split = root / "ImageSets/2017/val.txt"
    split.parent.mkdir(parents=True)
    split.write_text("".join(f"{name}\n" for name in chosen), encoding="utf-8")
    (root / "README.md").write_text(readme(chosen), encoding="utf-8")


def num_objects(name: str) -> int:
    """Return how many objects a sample sequence has."""
    return max(actor.object_id for actor in scene(name).actors)


def readme(names: Sequence[str]) -> str:
    """Return the data set's README: what is in it, how it is made, whose photographs these are."""
    sequences = "\n".join(f"| `{n}` | {num_objects(n)} | {(SCENES[n].__doc__ or '').strip()} |" for n in names)
    photographs = "\n".join(f"| `{p.file}` | {p.shows} | {p.credit} | {p.licence} |" for p in PHOTOGRAPHS.values())
    return f"""# Sample videos

{len(names)} short videos with masks in the DAVIS 2017 layout, {NUM_FRAMES} frames of {SIZE[1]} × {SIZE[0]} each, to try
everything without a download:

```
JPEGImages/480p/<name>/%05d.jpg
Annotations/480p/<name>/%05d.png    palette PNG: 0 background, k object k, visible parts only
ImageSets/2017/val.txt
```

| sequence | objects | what happens |
| --- | --- | --- |
{sequences}

They are not filmed. Objects are cut out of photographs along hand-placed outlines that snap to the image's edges, and
move in front of other photographs: smooth paths, rotation, scale, mild deformation, a moving camera, motion blur, soft
shadows, drifting light. A mask holds the pixels that an object gives most of their colour. So the masks are exact, and
results on these videos say nothing about how well a model does on real ones.

## Made by

```
python -m tools.make_sample_data
```

in the root of the repository. The same versions of NumPy, SciPy, Pillow and scikit-image give the same bytes.

## Photographs

All ship inside scikit-image (`skimage.data`); rights are as its documentation states them. People shown endorse
nothing here. The videos themselves are dedicated to the public domain (CC0), as far as they add anything.

| file | shows | by | licence |
| --- | --- | --- | --- |
{photographs}
"""


def contact_sheet(root: Path, names: Sequence[str], frames: Sequence[int], width: int = 180) -> Image.Image:
    """Return one picture: a row of frames for each sequence, its objects outlined in their mask colours."""
    height = round(width * SIZE[0] / SIZE[1])
    sheet = Image.new("RGB", (len(frames) * (width + 4) - 4, len(names) * (height + 4) - 4), "white")
    palette = np.array(davis_palette(), dtype=np.uint8).reshape(-1, 3)
    for row, name in enumerate(names):
        for column, frame_idx in enumerate(frames):
            stem = f"480p/{name}/{frame_idx:05d}"
            pixels = np.asarray(Image.open(root / f"JPEGImages/{stem}.jpg")).copy()
            labels = np.asarray(Image.open(root / f"Annotations/{stem}.png"))
            for label in range(1, int(labels.max()) + 1):
                pixels[_border(labels == label)] = np.minimum(palette[label] * 1.9, 255).astype(np.uint8)
            tile = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(tile, (column * (width + 4), row * (height + 4)))
    return sheet


def _border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=2) & ~mask)
