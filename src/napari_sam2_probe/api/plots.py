"""Figures of a run, as in reports and in the window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import whole

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from napari_sam2_probe.analysis.loss_warning import LossWarning
    from napari_sam2_probe.api.run import Run
    from napari_sam2_probe.export.clip_view import ClipView


class RunPlots:
    """Figures of a run: each is a Matplotlib figure, which a notebook shows and ``figure.savefig(path)`` writes."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        return (
            f"Figures of {self._run.name}: .features(), .pointers(), .scores(), .loss(), .composite(frame), "
            ".filmstrip(), .blame(table)"
        )

    def features(self, object_id: int | None = None, *, log: bool = False) -> Figure:
        """Draw the features over time, one row a position; absent frames are marked.

        Parameters
        ----------
        object_id
            The object; the first one if None.
        log
            Whether the axes are logarithmic.
        """
        from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS
        from napari_sam2_probe.figures.features import make_features

        view = self._view(object_id)
        return make_features([view.features()], interjection=view.interjection, log=FEATURE_COLUMNS if log else ())

    def scores(self, object_id: int | None = None) -> Figure:
        """Draw object score and predicted IoU over time, and J where true masks are known."""
        from napari_sam2_probe.figures.scores import make_scores

        view = self._view(object_id)
        return make_scores([view.object_scores()], interjection=view.interjection)

    def loss(
        self,
        object_id: int | None = None,
        *,
        threshold: float = 0.5,
        warning: LossWarning | str | Path | None = None,
    ) -> Figure:
        """Draw how likely SAM 2 is to lose the object soon, and J where true masks are known.

        Parameters
        ----------
        object_id
            The object; the first one if None.
        threshold
            From which probability on a frame is doubtful.
        warning
            A warning or its file; the one that belongs to the model if None.

        Raises
        ------
        InputError
            If there is no warning, or it was fitted to runs of another model.
        """
        from napari_sam2_probe.figures.loss import make_loss
        from napari_sam2_probe.runs.loss import loss_probability, warning_for

        view = self._view(object_id)
        found = warning_for(view.run, warning)
        probabilities = {
            one.horizon: loss_probability(view.run, found, one.horizon, view.obj_index) for one in found.horizons
        }
        return make_loss(
            probabilities, region=view.object_scores().iou, interjection=view.interjection, threshold=threshold
        )

    def pointers(self, object_id: int | None = None, *, raw: bool = False) -> Figure:
        """Draw the object pointers in two principal components, joined in time, a star on the first frame.

        Parameters
        ----------
        object_id
            The object; the first one if None.
        raw
            Whether the pointers before the no-object gate are drawn.
        """
        from napari_sam2_probe.analysis.pointers import project_pointers
        from napari_sam2_probe.figures.pointers import PointerPath, make_pointer_paths

        view = self._view(object_id)
        projection = project_pointers([view.pointers(raw=raw)])
        path = PointerPath(view.label, view.kind, projection.coordinates[0], view.object_present)
        return make_pointer_paths([path], projection.explained_variance_ratio)

    def composite(self, frame: int | None = None, object_id: int | None = None) -> Figure:
        """Draw one frame beside what SAM 2 made of it: mean and variance at each position.

        Parameters
        ----------
        frame
            A tracked frame; the middle one if None.
        object_id
            The object; the first one if None.

        Raises
        ------
        InputError
            If the frame was not tracked, or the video is not where it was.
        """
        from napari_sam2_probe.figures.composite import make_composite

        view = self._view(object_id, needs_video=True)
        # Beside the rows of a single composite there is room for no name.
        return make_composite([replace(view.composite(self._frame(view, frame)), label="")])

    def filmstrip(self, frames: int = 8, object_id: int | None = None) -> Figure:
        """Draw a row of frames with predicted and true masks.

        Parameters
        ----------
        frames
            How many, spread evenly over the tracked ones.
        object_id
            The object; the first one if None.

        Raises
        ------
        InputError
            If nothing was tracked, or the video is not where it was.
        """
        from napari_sam2_probe.figures.filmstrip import make_filmstrip

        if whole(frames, "frames") < 1:
            raise InputError(f"frames={frames} can't be used: give 1 or more.")
        view = self._view(object_id, needs_video=True)
        tracked = np.flatnonzero(view.run.tracked[view.obj_index])
        chosen = tracked[np.linspace(0, len(tracked) - 1, min(frames, len(tracked))).round().astype(int)]
        return make_filmstrip([view.film_frame(int(frame)) for frame in chosen])

    def blame(self, table: pd.DataFrame) -> Figure:
        """Draw what caused a frame's mask: attention and effect of each entry that it read, side by side.

        Parameters
        ----------
        table
            What `Run.explain` returned for the frame.

        Raises
        ------
        InputError
            If it is another table, or holds several frames or objects.
        """
        from napari_sam2_probe.figures.blame import make_blame

        columns = {"object_id", "frame", "kind", "entry_frame", "role", "attention", "delta_iou", "delta_score"}
        if not columns <= set(getattr(table, "columns", ())):
            raise InputError("blame(...) draws the table that explain(frame) returns: give that one.")
        if len(table[["object_id", "frame"]].drop_duplicates()) != 1:
            raise InputError("blame(...) draws one frame and one object: choose their rows of the table.")
        return make_blame(table)

    def _view(self, object_id: int | None, *, needs_video: bool = False) -> ClipView:
        return view_of(self._run, object_id, needs_video=needs_video)

    @staticmethod
    def _frame(view: ClipView, frame: int | None) -> int:
        tracked = np.flatnonzero(view.run.tracked[view.obj_index])
        if frame is None:
            return int(tracked[len(tracked) // 2])
        if whole(frame, "frame") not in tracked:
            raise InputError(f"Frame {frame} was not tracked: choose one from {tracked[0]} to {tracked[-1]}.")
        return int(frame)


def view_of(run: Run, object_id: int | None = None, *, needs_video: bool = False) -> ClipView:
    """Return a run with its video, as figures want it.

    Raises
    ------
    InputError
        If the run doesn't hold the object, nothing of it was tracked, or the video is needed and not there.
    """
    from napari_sam2_probe.export.clip_view import ClipView
    from napari_sam2_probe.video.array import ArraySource
    from napari_sam2_probe.video.video import Video

    index, opened = run.object_index(object_id), run._opened
    if not opened.tracked[index].any():
        raise InputError(f"Nothing of object {run.objects[index]} was tracked in {run.name}: there is nothing to draw.")
    video: Any
    try:
        video = run.video
    except InputError:
        if needs_video:
            raise
        # Without frames, which this figure doesn't show.
        video = Video(ArraySource(np.zeros((opened.num_frames, 1, 1), np.uint8)))
    return ClipView(opened, video, run.name, index)
