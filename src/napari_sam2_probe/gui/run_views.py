"""Runs as the figures of the panels need them; whatever reads files here is for a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_sam2_probe.analysis.pointers import obscuration_response, project_pointers
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.clip_view import ClipView
from napari_sam2_probe.figures.pointers import PointerPath
from napari_sam2_probe.figures.style import kind_label
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.videos import read_video
from napari_sam2_probe.video import ArraySource, Video
from napari_sam2_probe.video.truth import is_twin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.figures.features import FeatureRun
    from napari_sam2_probe.gui.plots.area import PlotArea
    from napari_sam2_probe.gui.state import RunEntry, VideoEntry
    from napari_sam2_probe.runs import ProbeRun

Loaded = TypeVar("Loaded")


UNREAD = Video(ArraySource(np.zeros((1, 1, 1), np.uint8), name="a video that was not read"))
"""Stands for the video where a figure needs the run alone: it has no second frame, and no masks."""


@dataclass(frozen=True)
class FeaturesShown:
    """What the dock of features draws.

    Attributes
    ----------
    runs
        One an entry that holds the object.
    interjection
        (T,) bool, of the first run that has some; None for none.
    object_ids
        Of all runs, in rising order.
    """

    runs: tuple[FeatureRun, ...]
    interjection: NDArray[np.bool_] | None
    object_ids: tuple[int, ...]


@dataclass(frozen=True)
class PointersShown:
    """Pointer paths on their common axes.

    Attributes
    ----------
    paths
        One a run and object.
    explained_variance
        (2,) shares of variance.
    object_ids
        Of all runs, in rising order.
    """

    paths: tuple[PointerPath, ...]
    explained_variance: NDArray[np.float64]
    object_ids: tuple[int, ...]


def or_reason(load: Callable[[], Loaded]) -> Loaded | str:
    """Return what `load` gives, or the sentence that says why it can't be shown."""
    try:
        return load()
    except InputError as error:
        return str(error)


def open_views(
    entries: Sequence[RunEntry], obj_id: int | None, video: Video = UNREAD
) -> tuple[list[ClipView], tuple[int, ...]]:
    """Open runs and look at one object of each, or at all.

    Parameters
    ----------
    entries
        The runs.
    obj_id
        The object. A run without it is left out, unless none has it: then each shows its first. None: all objects.
    video
        What the views read frames from.

    Returns
    -------
    views, object_ids
        One view a run and object shown; the ids of the objects of all runs, in rising order.

    Raises
    ------
    InputError
        If a run can't be read.
    """
    runs = [entry.open() for entry in entries]
    ids = tuple(sorted({i for run in runs for i in run.object_ids.tolist()}))
    views = []
    for entry, run in zip(entries, runs, strict=True):
        own = run.object_ids.tolist()
        if obj_id is None:
            chosen = range(len(own))
        else:
            chosen = range(own.index(obj_id), own.index(obj_id) + 1) if obj_id in own else range(obj_id not in ids)
        for obj_idx in chosen:
            several = len(own) > 1 and obj_id is None
            label = f"{entry.title} · object {own[obj_idx]}" if several else entry.title
            views.append(ClipView(run, video, label, obj_idx))
    return views, ids


def load_features(entries: Sequence[RunEntry], obj_id: int) -> FeaturesShown:
    """Read the features of an object in several runs."""
    views, ids = open_views(entries, obj_id)
    interjection = next((v.interjection for v in views if v.interjection is not None), None)
    return FeaturesShown(tuple(view.features() for view in views), interjection, ids)


def load_pointers(entries: Sequence[RunEntry], obj_id: int | None, *, raw: bool) -> PointersShown | None:
    """Read the pointers of an object, or of all, in several runs and project them together; None without any."""
    views, ids = open_views(entries, obj_id)
    pointers = [view.pointers(raw=raw) for view in views]
    if not any(np.isfinite(array).all(axis=1).any() for array in pointers):
        return None
    projection = project_pointers(pointers)
    paths = tuple(
        PointerPath(view.label, view.kind, coordinates, view.object_present)
        for view, coordinates in zip(views, projection.coordinates, strict=True)
    )
    return PointersShown(paths, projection.explained_variance_ratio, ids)


def find_twin(run: ProbeRun, others: Sequence[ProbeRun]) -> int | None:
    """Return which of `others` is the clean twin of a run on a transformed clip, by their recipes; None if none is."""
    recipe = _recipe(run)
    return next((index for index, other in enumerate(others) if is_twin(recipe, _recipe(other))), None)


def find_pair(entries: Sequence[RunEntry]) -> tuple[int, int] | None:
    """Return the indices of the first run whose twin is there too, and of the twin; None without such a pair.

    What can't be read is nobody's twin.
    """
    opened = [or_reason(entry.open) for entry in entries]
    runs = [(index, run) for index, run in enumerate(opened) if not isinstance(run, str)]
    for index, run in runs:
        twin = find_twin(run, [other for _, other in runs])
        if twin is not None:
            return index, runs[twin][0]
    return None


def load_response(entry: RunEntry, twin: RunEntry, obj_id: int, *, raw: bool) -> ObscurationResponse:
    """Compare the pointers of a run with its twin's, frame by frame, and correlate with how much is obscured.

    Raises
    ------
    InputError
        If it is not known how much of the object is obscured, or the two have no frame in common.
    """
    (view, *_), _ = open_views([entry], obj_id)
    (other, *_), _ = open_views([twin], obj_id)
    if view.truth is None:
        raise InputError(f"{entry.title} does not tell how much is obscured: choose a run on a transformed clip.")
    distances = view.distance_to(other, raw=raw)
    if not np.isfinite(distances).any():
        raise InputError(f"No frame with an object pointer is in both {entry.title} and {twin.title}: choose its twin.")
    return obscuration_response([distances], [view.truth.obscured_fraction])


def nearest_point(area: PlotArea, at: tuple[float, float], points: NDArray[np.floating], radius: float) -> int | None:
    """Return which of the points (N, 2), in data coordinates, is drawn nearest to `at`; None beyond `radius` pixels."""
    pixels = np.array([area.to_pixels(x, y) for x, y in points]).reshape(-1, 2)
    distances = np.linalg.norm(pixels - area.to_pixels(*at), axis=1)
    near = np.flatnonzero(distances <= radius)
    return int(near[np.argmin(distances[near])]) if near.size else None


def find_video(run: ProbeRun, candidates: Sequence[Video]) -> Video:
    """Return the video a run was made on: one that is open already, or from where the run found it.

    Parameters
    ----------
    run
        The run.
    candidates
        Videos that are open. One of the same size counts if it holds the same frames: the run may have no path, or
        the video may have moved. Where the run tells nothing of its frames, its path counts.

    Raises
    ------
    InputError
        If it is not there any more.
    """
    video = find_open_video(run, candidates)
    if video is not None:
        return video
    path, shape = run.info.get("video", {}).get("path"), run.masks.shape
    if path is None:
        raise InputError(f"The video of the run {run.path.name} came from a layer that is not open: open it again.")
    source = read_video(path)
    if (source.num_frames, source.height, source.width) != shape:
        raise InputError(f"{path} is another video than the run {run.path.name} was made on: put the first one back.")
    return source


def find_open_video(run: ProbeRun, candidates: Sequence[Video]) -> Video | None:
    """Return the one of some videos that a run was made on, as in `find_video`; None if none is."""
    about = run.info.get("video", {})
    path, shape = about.get("path"), run.masks.shape
    hashes = {about.get("sha256"), about.get("kept_sha256")}
    for video in candidates:
        frames = video.frames
        if (frames.num_frames, frames.height, frames.width) != shape:
            continue
        # A clip and its twin are of one size.
        if frames.path == path if hashes == {None} else frames.fingerprint() in hashes:
            return video
    return None


def open_videos(layers: Sequence[Layer], video: VideoEntry | None) -> list[Video]:
    """Return the videos that are open: those of layers whose metadata has one, and the one that is worked on."""
    found: list[Video] = [] if video is None else [video.video]
    for layer in layers:
        about = layer.metadata.get(METADATA_KEY, {})
        if about.get("video") is not None:
            found.append(about["video"])
    return found


def composites_figure(entries: Sequence[RunEntry], obj_id: int, frame_idx: int, videos: Sequence[Video]) -> Figure:
    """Make the paper's composite of one frame: of one object, in one run below the other.

    Parameters
    ----------
    entries
        The runs. One that has no such frame is left out.
    obj_id
        The object.
    frame_idx
        The frame.
    videos
        Videos that are open, as in `find_video`.

    Raises
    ------
    InputError
        If a video is not there, or no run has this frame.
    """
    from napari_sam2_probe.figures.composite import make_composite

    composites = []
    views = open_views(entries, obj_id)[0]
    kinds = {view.kind for view in views}
    for view in views:
        if frame_idx < view.run.num_frames and view.run.tracked[view.obj_index, frame_idx]:
            several = kind_label(view.kind) if len(kinds) == len(views) else view.label
            whole = replace(view, sequence=find_video(view.run, videos), label="" if len(views) == 1 else several)
            composites.append(whole.composite(frame_idx))
    if not composites:
        raise InputError(f"No run has tracked frame {frame_idx}: go to a frame that is tracked.")
    return make_composite(composites)


def _recipe(run: ProbeRun) -> dict[str, Any] | None:
    return None if run.truth is None else run.truth.recipe
