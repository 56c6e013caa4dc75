"""Make the pictures of docs/gallery.md: each example runs, and its figure becomes a small PNG.

    python tools/gallery_pictures.py [NAME ...]

in the root of the repository, with the sample model as users get it; without names, all of them.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "images" / "gallery"
WIDTH = 640
LARGEST = 60_000


def main(names: list[str]) -> None:
    os.environ["MPLBACKEND"] = "Agg"
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names or sorted(path.stem for path in (ROOT / "examples").glob("*.py")):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
            make_small(Path(f"{name}.png"), OUT / f"{name}.png")
            os.chdir(ROOT)


def make_small(source: Path, target: Path) -> None:
    """Write a picture no wider than `WIDTH`, with a palette, smaller than `LARGEST` bytes."""
    with Image.open(source) as opened:
        picture = opened.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB")
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    for colours in (256, 128, 64, 32):
        picture.quantize(colours).save(target, optimize=True)
        if target.stat().st_size < LARGEST:
            return
    raise SystemExit(f"{target} has {target.stat().st_size} bytes, and more than {LARGEST} are too many.")


if __name__ == "__main__":
    main(sys.argv[1:])
