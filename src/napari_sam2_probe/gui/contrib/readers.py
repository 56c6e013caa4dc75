"""Probe runs by drag and drop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.gui.view import is_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.gui.layers import LayerData

    Paths = str | Sequence[str]


def get_reader(paths: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return a reader if every path is the folder of a probe run or its ``run.json``, else None."""
    return read_runs if all(is_run(folder) for folder in _folders(paths)) else None


def read_runs(paths: Paths) -> list[LayerData]:
    """Return the layers of one or several probe runs.

    Raises
    ------
    InputError
        If a run can't be read.
    """
    from napari_sam2_probe.gui.layers import run_to_layers
    from napari_sam2_probe.runs import open_run

    return [layer for folder in _folders(paths) for layer in run_to_layers(open_run(folder))]


def _folders(paths: Paths) -> list[Path]:
    chosen = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]
    return [path.parent if path.name == "run.json" else path for path in chosen]
