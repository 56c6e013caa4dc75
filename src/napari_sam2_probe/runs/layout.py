"""What the files of a run are called, and whether a folder is one."""

from __future__ import annotations

from pathlib import Path

from napari_sam2_probe.common.paths import is_dir, is_file
from napari_sam2_probe.runs.info import INFO

FORMAT = "napari-sam2-probe run 1"
STORE = "probe.zarr"
FEATURES = "features.csv"
BANK = "bank.parquet"
ATTENTION = "attention.parquet"

TABLES = (FEATURES, BANK, ATTENTION)
"""Files beside the store whose contents a finished run vouches for."""


def is_run(path: Path | str) -> bool:
    """Return whether a folder looks like a run, without reading it."""
    folder = Path(path)
    return is_file(folder / INFO) and is_dir(folder / STORE)
