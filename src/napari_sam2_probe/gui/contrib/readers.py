"""Probe runs and videos by drag and drop."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir, is_file
from napari_sam2_probe.runs import is_run, open_run
from napari_sam2_probe.runs.info import INFO
from napari_sam2_probe.video.file import VIDEO_SUFFIXES
from napari_sam2_probe.video.images import is_image_file
from napari_sam2_probe.video.layout import find_annotations, list_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from napari_sam2_probe.gui.layers import LayerData

    Paths = str | Sequence[str]

_NO_LAYERS: list[Any] = [(None,)]
"""What napari takes for a file that was read and needs no layer."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return a reader of probe runs, of videos or of a data set, or None for what is none of these.

    Looks at names alone: what a file holds is read by the reader.
    """
    if all(is_run(folder) for folder in _folders(path)):
        return read_runs
    paths = _paths(path)
    try:
        if all(_is_video(one) for one in paths):
            return read_videos
        return read_dataset if len(paths) == 1 and _is_dataset(paths[0]) else None
    except OSError:
        # A folder that may not be looked into is nobody's.
        return None


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

    with _busy():
        layers = [layer for folder in _folders(path) for layer in run_to_layers(open_run(folder))]
    viewer = current_viewer()
    if viewer is not None:
        hide_blank_frames(viewer)
    return layers


def read_videos(path: Paths) -> list[LayerData]:
    """Return videos, and their true masks where there are some, as layers whose frames are read when looked at.

    Raises
    ------
    InputError
        If a video can't be read.
    """
    from napari_sam2_probe.gui.videos import read_video, video_layers

    with _busy():
        return [layer for one in _paths(path) for layer in video_layers(read_video(one))]


def read_dataset(path: Paths) -> list[LayerData]:
    """List the sequences of a data set in the Video panel of the current window; no layer is made.

    Raises
    ------
    InputError
        If there is no window.
    """
    from napari import current_viewer

    (root,) = _paths(path)
    viewer = current_viewer()
    if viewer is None:
        raise InputError(f"{root} holds several videos: open the folder of one of them.")
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Video")
    panel.open_path(root)
    return _NO_LAYERS


@contextmanager
def _busy() -> Iterator[None]:
    """Show by the mouse's cursor that something is being opened: napari waits for its readers."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None:
        yield
        return
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()


def _is_video(path: Path) -> bool:
    """Whether it is called like a video, or is a folder of images that lies in a data set."""
    if is_file(path):
        return path.suffix.lower() in VIDEO_SUFFIXES
    if not is_dir(path) or find_annotations(path) is None:
        return False
    return any(is_image_file(entry.name) for entry in path.iterdir())


def _is_dataset(path: Path) -> bool:
    return is_dir(path) and (any(entry.is_dir() for entry in path.glob("JPEGImages*")) or bool(list_splits(path)[0]))


def _paths(path: Paths) -> list[Path]:
    return [Path(one) for one in ([path] if isinstance(path, str) else path)]


def _folders(path: Paths) -> list[Path]:
    return [one.parent if one.name == INFO else one for one in _paths(path)]
