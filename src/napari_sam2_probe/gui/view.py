"""Open probe runs in napari, or draw its window to a picture."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.gui.display import require_display
from napari_sam2_probe.runs import find_runs, open_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

    from napari_sam2_probe.gui.layers import LayerData

WINDOW_SIZE = (1500, 940)


def runs_in(path: Path | str) -> list[Path]:
    """Return the run folder `path`, or the runs below it, by path.

    Raises
    ------
    InputError
        If there is no such folder or no run in it.
    """
    if not Path(path).exists():
        raise InputError(f"{path} does not exist: give the folder of a run, or a folder that holds runs.")
    runs = find_runs(path)
    if not runs:
        raise InputError(
            f"{path} is not a probe run and holds none (a run is a folder with run.json and probe.zarr, as "
            "'sam2-probe run' writes it): give such a folder."
        )
    return runs


def open_runs(paths: Sequence[Path | str], *, show: bool = True) -> napari.Viewer:
    """Open runs, and the runs inside folders, as layers of one napari window.

    Several runs stand beside one another in a grid and share the time slider.

    Parameters
    ----------
    paths
        Run folders, or folders that hold runs.
    show
        Whether to show the window at once.

    Raises
    ------
    InputError
        If a path holds no run, a run can't be read, or no window can be opened here; found before one is.
    """
    folders = [folder for path in paths for folder in runs_in(path)]
    require_display()
    import napari

    from napari_sam2_probe.gui.layers import run_to_layers

    groups = [run_to_layers(open_run(folder)) for folder in folders]
    # vispy asks programs for the screen's resolution that not every machine has; nothing here depends on it.
    logging.getLogger("vispy").addFilter(_is_not_about_resolution)
    viewer = napari.Viewer(title="napari-sam2-probe", show=show)
    _add(viewer, groups)
    return viewer


def save_screenshot(paths: Sequence[Path | str], out: Path | str) -> None:
    """Draw the window that `open_runs` opens to the PNG file `out`, and close it.

    Raises
    ------
    InputError
        As `open_runs`, or if `out` does not end in ``.png``.
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out} can't be written: a screenshot is a PNG file, so give a name that ends in .png.")
    viewer = open_runs(paths)
    try:
        viewer.window._qt_window.resize(*WINDOW_SIZE)
        _settle()
        viewer.reset_view()
        _settle()
        with atomic_path(out) as temporary:
            viewer.screenshot(str(temporary), canvas_only=False, flash=False)
    finally:
        viewer.close()


def _add(viewer: napari.Viewer, groups: list[list[LayerData]]) -> None:
    from napari.layers import Layer

    for layers in groups:
        for data, keywords, kind in layers:
            viewer.add_layer(Layer.create(data, keywords, kind))
    layers_per_run = {len(layers) for layers in groups}
    if len(groups) > 1 and len(layers_per_run) == 1:
        viewer.grid.stride = layers_per_run.pop()
        viewer.grid.enabled = True
    # A third in: the object has been tracked for a while, and in a clip the interjection is still to come.
    viewer.dims.set_current_step(0, min(len(layer[0][0]) for layer in groups) // 3)


def _settle() -> None:
    """Let Qt lay out and draw what has been asked for."""
    from qtpy.QtWidgets import QApplication

    for _ in range(5):
        QApplication.processEvents()


def _is_not_about_resolution(record: logging.LogRecord) -> bool:
    return record.getMessage() != "could not determine DPI"
