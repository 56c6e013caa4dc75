"""Open probe runs in napari, or draw its window to a picture."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.paths import exists
from napari_sam2_probe.gui.blank_frames import hide_blank_frames
from napari_sam2_probe.gui.display import require_display
from napari_sam2_probe.gui.layers import MASKS, METADATA_KEY, run_to_layers
from napari_sam2_probe.gui.napari_private import main_window
from napari_sam2_probe.runs import find_runs, open_run
from napari_sam2_probe.runs.kept_video import at_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.runs.run import ProbeRun

WINDOW_SIZE = (1500, 940)


def runs_in(path: Path | str) -> list[Path]:
    """Return the run folder `path`, or the runs below it, by path.

    Raises
    ------
    InputError
        If there is no such folder or no run in it.
    """
    if not exists(path):
        raise InputError(f"{path} does not exist: give the folder of a run, or a folder that holds runs.")
    runs = find_runs(path)
    if not runs:
        raise InputError(
            f"{path} is not a probe run and holds none (a run is a folder with run.json and probe.zarr, as "
            "'sam2-probe run' writes it): give such a folder."
        )
    return runs


def open_runs(paths: Sequence[Path | str], *, video: Path | str | None = None, show: bool = True) -> napari.Viewer:
    """Open runs, and the runs inside folders, as layers of one napari window.

    Several runs stand beside one another in a grid and share the time slider.

    Parameters
    ----------
    paths
        Run folders, or folders that hold runs.
    video
        The video of all of them, if it doesn't lie any more where they say.
    show
        Whether to show the window at once.

    Raises
    ------
    InputError
        If a path holds no run, no run can be read, the video is another one, or no window can be opened here; found
        before one is.

    Warns
    -----
    UserWarning
        If one of several runs can't be read; the others are opened.
    """
    folders = [folder for path in paths for folder in runs_in(path)]
    require_display()
    import napari

    runs = [at_video(run, video) for run in _readable(folders)]
    groups = [run_to_layers(run) for run in runs]
    # vispy asks programs for the screen's resolution that not every machine has; nothing here depends on it.
    logging.getLogger("vispy").addFilter(_is_not_about_resolution)
    viewer = napari.Viewer(title="napari-sam2-probe", show=show)
    _add(viewer, groups)
    viewer.dims.set_current_step(0, _first_shown(runs))
    part = ", ".join(sorted({run.partly_tracked for run in runs} - {""}))
    if part:
        viewer.title = f"{viewer.title}: only {part} tracked"
    return viewer


def save_screenshot(paths: Sequence[Path | str], out: Path | str, *, video: Path | str | None = None) -> None:
    """Draw the window that `open_runs` opens to the PNG file `out`, and close it.

    Raises
    ------
    InputError
        As `open_runs`, or if `out` does not end in ``.png``.
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise InputError(f"{out} can't be written: a screenshot is a PNG file, so give a name that ends in .png.")
    viewer = open_runs(paths, video=video)
    try:
        main_window(viewer).resize(*WINDOW_SIZE)
        _settle()
        viewer.reset_view()
        _settle()
        with atomic_path(out) as temporary:
            viewer.screenshot(str(temporary), canvas_only=False, flash=False)
    finally:
        viewer.close()


def side_by_side(groups: Sequence[list[LayerData]]) -> tuple[list[LayerData], int]:
    """Order the layers of several runs so that napari's grid has a cell for each.

    A cell holds a fixed number of layers that follow one another. Where runs have different numbers of them (of
    objects, or without the video), those that are shown come first, filled up with hidden ones, which take no room.

    Returns
    -------
    layers, stride
        All layers, bottom first, and how many go into a cell.
    """
    if len({len(layers) for layers in groups}) == 1:
        return [layer for layers in groups for layer in layers], len(groups[0])
    shown = [[layer for layer in layers if layer[1].get("visible", True)] for layers in groups]
    hidden = [layer for layers in groups for layer in layers if not layer[1].get("visible", True)]
    stride = max(map(len, shown))
    first: list[LayerData] = []
    for layers in shown:
        missing = stride - len(layers)
        first += [*layers, *hidden[:missing]]
        del hidden[:missing]
    return first + hidden, stride


def _readable(folders: Sequence[Path]) -> list[ProbeRun]:
    runs: list[ProbeRun] = []
    for folder in folders:
        try:
            runs.append(open_run(folder))
        except InputError as error:
            if folder == folders[-1] and not runs:
                raise
            warnings.warn(f"A run is left out: {error}", stacklevel=3)
    return runs


def _first_shown(runs: Sequence[ProbeRun]) -> int:
    """Return a frame that as many runs as possible have tracked, a third into what they have.

    There the object has been tracked for a while, and in a clip the interjection is still to come.
    """
    counts = np.zeros(min(run.num_frames for run in runs), int)
    for run in runs:
        counts += np.asarray(run.tracked.any(axis=0))[: len(counts)]
    frames = np.flatnonzero(counts == counts.max())
    return int(frames[len(frames) // 3])


def _add(viewer: napari.Viewer, groups: list[list[LayerData]]) -> None:
    from napari.layers import Layer

    hide_blank_frames(viewer)
    layers, stride = side_by_side(groups)
    for data, keywords, kind in layers:
        layer = viewer.add_layer(Layer.create(data, keywords, kind))
        # Which run a cell holds is written into it, once.
        layer.name_overlay.visible = len(groups) > 1 and keywords["metadata"][METADATA_KEY]["content"] == MASKS
    if len(groups) > 1:
        viewer.canvas.grid.stride = stride
        viewer.canvas.grid.enabled = True


def _settle() -> None:
    """Let Qt lay out and draw what has been asked for."""
    from qtpy.QtWidgets import QApplication

    for _ in range(5):
        QApplication.processEvents()


def _is_not_about_resolution(record: logging.LogRecord) -> bool:
    return record.getMessage() != "could not determine DPI"
