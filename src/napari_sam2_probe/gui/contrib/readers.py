"""Probe runs by drag and drop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.runs import is_run, open_run
from napari_sam2_probe.runs.info import INFO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.gui.layers import LayerData

    Paths = str | Sequence[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return a reader if `path`, or each of several, is a probe run's folder or its ``run.json``; else None."""
    return read_runs if all(is_run(folder) for folder in _folders(path)) else None


def read_runs(path: Paths) -> list[LayerData]:
    """Return the layers of one or several probe runs.

    Raises
    ------
    InputError
        If a run can't be read.
    """
    from napari import current_viewer

    from napari_sam2_probe.gui.blank_frames import hide_blank_frames
    from napari_sam2_probe.gui.layers import run_to_layers

    layers = [layer for folder in _folders(path) for layer in run_to_layers(open_run(folder))]
    viewer = current_viewer()
    if viewer is not None:
        hide_blank_frames(viewer)
    return layers


def _folders(path: Paths) -> list[Path]:
    chosen = [Path(one) for one in ([path] if isinstance(path, str) else path)]
    return [one.parent if one.name == INFO else one for one in chosen]
