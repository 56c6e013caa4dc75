"""The figures of one run, at publication size."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.analysis.pointers import project_pointers
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.export.clip_view import ClipView, composite_positions
from napari_sam2_probe.export.overlay import open_run_video
from napari_sam2_probe.export.provenance import provenance
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.video import ArraySource, Video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

    from napari_sam2_probe.runs.run import ProbeRun

FigureFormat = Literal["png", "svg", "pdf"]

_FILM_FRAMES = 8


def export_figures(run: ProbeRun, out: Path, file_format: FigureFormat) -> Iterator[Progress]:
    """Write the figures of every object of a run into a folder.

    They are ``scores-object-<id>``, ``features-…``, ``pointers-…``; where the video is still there, also
    ``filmstrip-…`` and, if maps were kept, ``composite-…`` of the frame in the middle of what was tracked.

    Parameters
    ----------
    run
        The run.
    out
        The folder.
    file_format
        ``"png"``, ``"svg"`` or ``"pdf"``.

    Raises
    ------
    InputError
        If no frame was tracked.
    """
    from napari_sam2_probe.figures.style import save_figure

    if not run.tracked.any():
        raise InputError(f"The run {run.path} has no tracked frame: there is nothing to draw.")
    said = f"{banner({'the run': run.info.get('model')})} {provenance(run)}.".strip()
    label = str(run.info.get("title") or Path(run.path).resolve().name)
    if run.partly_tracked:
        label = f"{label} ({run.partly_tracked})"
    source = _source(run)
    with nullcontext() if source is None else closing(source), atomic_folder(out) as folder:
        video = source or Video(ArraySource(np.zeros((run.num_frames, 1, 1), np.uint8)))
        makers = _makers(run, with_frames=source is not None)
        objects = np.flatnonzero(run.tracked.any(axis=1)).tolist()
        for done, (obj_idx, (name, make)) in enumerate(product(objects, makers.items())):
            yield Progress(done, len(objects) * len(makers), "drawing figures", "figure")
            figure = make(ClipView(run, video, label, obj_idx))
            target = folder / f"{name}-object-{run.object_ids[obj_idx]}.{file_format}"
            save_figure(figure, target, remark=said)


def _source(run: ProbeRun) -> Video | None:
    try:
        return open_run_video(run)
    except InputError:
        return None


def _makers(run: ProbeRun, *, with_frames: bool) -> dict[str, Callable[[ClipView], Figure]]:
    makers: dict[str, Callable[[ClipView], Figure]] = {"scores": _scores, "pointers": _pointers}
    if len(run.features):
        makers["features"] = _features
    if with_frames:
        makers["filmstrip"] = _filmstrip
        if composite_positions(run):
            makers["composite"] = _composite
    return makers


def _scores(view: ClipView) -> Figure:
    from napari_sam2_probe.figures.scores import make_scores

    return make_scores([view.object_scores()], interjection=view.interjection)


def _features(view: ClipView) -> Figure:
    from napari_sam2_probe.figures.features import make_features

    return make_features([view.features()], interjection=view.interjection)


def _pointers(view: ClipView) -> Figure:
    from napari_sam2_probe.figures.pointers import PointerPath, make_pointer_paths

    projection = project_pointers([view.pointers()])
    path = PointerPath(view.label, view.kind, projection.coordinates[0], view.object_present)
    return make_pointer_paths([path], projection.explained_variance_ratio)


def _filmstrip(view: ClipView) -> Figure:
    from napari_sam2_probe.figures.filmstrip import make_filmstrip

    frames = _tracked(view)
    chosen = frames[np.linspace(0, len(frames) - 1, min(_FILM_FRAMES, len(frames))).round().astype(int)]
    return make_filmstrip([view.film_frame(frame_idx) for frame_idx in chosen.tolist()])


def _composite(view: ClipView) -> Figure:
    from napari_sam2_probe.figures.composite import make_composite

    frames = _tracked(view)
    composite = view.composite(int(frames[len(frames) // 2]))
    # Beside the rows of a single composite there is room for no name.
    return make_composite([replace(composite, label="")])


def _tracked(view: ClipView) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.flatnonzero(view.run.tracked[view.obj_index])
