"""What the tests of experiments share: a small data set, small settings, the command in a process of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from napari_sam2_probe.common.sample_data import sample_data_folder

if TYPE_CHECKING:
    from pathlib import Path

SEQUENCES = ("cat", "coins", "horse")

SETTINGS = {
    "kinds": ["clean", "interjection"],
    "samples": 2,
    "lengths": [3, 2, 3],
    "batch_size": 1,
    "model": {"checkpoint": "sample", "device": "cpu"},
}

TABLES = ("frames.parquet", "features.parquet")


def small_davis(root: Path, resolution: str = "480p") -> Path:
    """Make a data set of a few of the sample videos; without a resolution in the layout of MOSE and YouTube-VOS."""
    for name in SEQUENCES:
        for part in ("JPEGImages", "Annotations"):
            place = root / part / resolution / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(sample_data_folder() / part / "480p" / name, target_is_directory=True)
    return root


def words(settings: dict, out: Path) -> list[str]:
    """Return the words of the command that makes an experiment of `SETTINGS`."""
    return shlex.split(
        f"experiment --davis {settings['davis']} --out {out} --kinds clean interjection --samples 2 --lengths 3,2,3 "
        "--batch-size 1 --checkpoint sample --device cpu"
    )


def start_command(*arguments: object) -> subprocess.Popen:
    """Start the command in a process group of its own, on one thread."""
    return _start("-m", "napari_sam2_probe.cli", *map(str, arguments))


def start_command_making_beside(*arguments: object) -> subprocess.Popen:
    """Start the command so that clips, though few, are made in processes beside the tracking."""
    lines = [
        "import sys",
        "from napari_sam2_probe.cli import main",
        "from napari_sam2_probe.experiments import execute",
    ]
    lines += ["execute._processes = lambda items: 2", "sys.exit(main(sys.argv[1:]))"]
    return _start("-c", "\n".join(lines), *map(str, arguments))


def _start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def table_bytes(out: Path) -> dict[str, bytes]:
    """Return the bytes of an experiment's tables."""
    return {name: (out / name).read_bytes() for name in TABLES}
