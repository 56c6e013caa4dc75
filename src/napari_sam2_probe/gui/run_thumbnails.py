"""A small picture of each run in a list: a frame with what was predicted on it, read one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.export.overlay import draw_masks
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.gui.run_views import find_video
from napari_sam2_probe.gui.sequence_list import picture_icon
from napari_sam2_probe.gui.sequence_previews import THUMBNAIL_SIZE, thumbnail
from napari_sam2_probe.runs import open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from qtpy.QtGui import QIcon

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.runs.library import RunSummary
    from napari_sam2_probe.video import Video

_GREY = 64
"""Of a frame whose video is not there any more."""


def run_thumbnail(path: Path, videos: Sequence[Video] = ()) -> NDArray[np.uint8] | None:
    """Return a small picture (54, 96, 3) of a run's middle tracked frame with its masks, on grey without the video.

    Parameters
    ----------
    path
        The run's folder.
    videos
        Videos that are open, as in `find_video`.

    Returns
    -------
    numpy.ndarray or None
        uint8; None if the run can't be read, or has tracked nothing yet.
    """
    try:
        run = open_run(path)
        tracked = np.flatnonzero(run.tracked.any(axis=0))
        if not tracked.size:
            return None
        middle = int(tracked[len(tracked) // 2])
        labels = run.masks[middle]
    except ProbeError:
        return None
    try:
        frame = find_video(run, videos).frames.read(middle)
    except ProbeError:
        frame = np.full((*labels.shape, 3), _GREY, np.uint8)
    colours = {
        obj_id: np.array([int(object_colour(obj_id)[i : i + 2], 16) for i in (1, 3, 5)], float)
        for obj_id in run.object_ids.tolist()
    }
    return thumbnail(draw_masks(frame, labels, colours))


class RunThumbnails:
    """The icons of runs; what was read is kept until the run has changed.

    Parameters
    ----------
    background
        Where to read.
    show
        Given a run's folder and its icon, as they come.
    """

    def __init__(self, background: Background, show: Callable[[Path, QIcon], None]) -> None:
        self._background, self._show = background, show
        self._icons: dict[Path, tuple[tuple[str, bool], QIcon]] = {}
        self._wanted: list[RunSummary] = []
        self._videos: Sequence[Video] = ()
        width, height = THUMBNAIL_SIZE
        self._empty = picture_icon(np.zeros((height, width, 3), np.uint8))

    def icon(self, run: RunSummary) -> QIcon:
        """Return the icon of a run as far as it is known."""
        known = self._icons.get(run.path)
        return self._empty if known is None else known[1]

    def read(self, runs: Sequence[RunSummary], videos: Sequence[Video]) -> None:
        """Read what is not known yet of these runs; what was asked for before and not begun is given up."""
        known = {path: state for path, (state, _) in self._icons.items()}
        self._wanted = [run for run in runs if known.get(run.path) != _state(run)]
        self._videos = videos
        self._go_on()

    def _go_on(self) -> None:
        if self._wanted:
            run = self._wanted.pop(0)
            load = partial(run_thumbnail, run.path, self._videos)
            self._background.submit("thumbnails", load, partial(self._on_read, run))

    def _on_read(self, run: RunSummary, picture: NDArray[np.uint8] | None) -> None:
        if picture is not None:
            icon = picture_icon(picture)
            self._icons[run.path] = (_state(run), icon)
            self._show(run.path, icon)
        self._go_on()


def _state(run: RunSummary) -> tuple[str, bool]:
    return run.started, run.finished
