"""Object pointers of whole data sets beside the true boxes: what a box decoder is fitted to."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.common.steps import result_of
from napari_sam2_probe.decoder.boxes import box_edges
from napari_sam2_probe.decoder.tracks import PointerTrack
from napari_sam2_probe.video.masks import object_ids

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.decoder.pointer_observer import PointerObserver
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.davis import DavisDataset
    from napari_sam2_probe.video.video import Video

_Boxes = dict[int, dict[int, "NDArray[np.float64]"]]
_Result = TypeVar("_Result")

_WHAT = "tracking objects for their pointers"


def track_pointers(
    loaded: Model, video: Video, name: str | None = None, *, max_frames: int | None = None
) -> list[PointerTrack]:
    """Track every object of a video from its true mask on the first frame that shows it, and take its pointers.

    Parameters
    ----------
    loaded
        The model.
    video
        Frames and true masks, such as a `napari_sam2_probe.video.Sequence`. Masks may be missing on some frames;
        these are tracked, but not among the results.
    name
        What the tracks' sequence is called; the video's own name if None.
    max_frames
        Track only the first so many frames of the video.

    Returns
    -------
    list of PointerTrack
        One for each object, in the order of their ids; only those with a frame beside the prompted one.
    """
    return result_of(iterate_pointers(loaded, video, name, max_frames=max_frames))


def iterate_pointers(
    loaded: Model, video: Video, name: str | None = None, *, max_frames: int | None = None
) -> Generator[int, None, list[PointerTrack]]:
    """Do as `track_pointers` step by step: yield every frame's index as it is done, return the tracks."""
    from napari_sam2_probe.decoder.pointer_observer import PointerObserver
    from napari_sam2_probe.tracking.results import SessionOptions
    from napari_sam2_probe.tracking.session import VideoSession

    if max_frames is not None and max_frames < 2:
        raise InputError(f"{max_frames} frames a video are too few: the first is prompted, so give at least 2.")
    source = video.frames
    num_frames = source.num_frames if max_frames is None else min(max_frames, source.num_frames)
    boxes, prompts = _true_boxes(video, num_frames)
    if not prompts:
        return []
    observer = PointerObserver()
    with VideoSession(loaded.model, source, SessionOptions.for_model(loaded), observer) as session:
        for prompt in prompts:
            session.add_prompt(prompt)
        for result in session.propagate("forward", end=num_frames - 1):
            yield result.frame_idx
    tracks = [
        _track(observer, name or source.name, obj_id, (source.height, source.width), boxes[obj_id])
        for obj_id in sorted(boxes)
    ]
    return [track for track in tracks if len(track.frames)]


def iterate_dataset(
    loaded: Model, dataset: DavisDataset, *, max_frames: int | None = None
) -> Generator[Progress, None, list[PointerTrack]]:
    """Track every object of every sequence; yield a step for each frame, return all tracks.

    Parameters
    ----------
    loaded
        The model.
    dataset
        Clean videos with masks.
    max_frames
        Track only the first so many frames of each sequence.

    Raises
    ------
    InputError
        If no object could be tracked in the whole data set.
    """
    tracks: list[PointerTrack] = []
    done, total = 0, frames_of(dataset, dataset.names, max_frames)
    for name in dataset.names:
        sequence = dataset.sequence(name)
        with closing(sequence.frames):
            steps = iterate_pointers(loaded, sequence, name, max_frames=max_frames)
            tracks += yield from counted(steps, Progress(done, total, _WHAT, "frame"))
        done += frames_of(dataset, [name], max_frames)
    if not tracks:
        raise InputError(
            f"{dataset.root} has no sequence with an object on two frames with masks: choose another data set or split."
        )
    yield Progress(total, total, _WHAT, "frame")
    return tracks


def collect_pointers(
    loaded: Model,
    dataset: DavisDataset,
    *,
    max_frames: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> list[PointerTrack]:
    """Track every object of every sequence; parameters and errors as in `iterate_dataset`."""
    return result_of(iterate_dataset(loaded, dataset, max_frames=max_frames), progress)


def frames_of(dataset: DavisDataset, names: Iterable[str], max_frames: int | None = None) -> int:
    """Return how many frames some sequences of a data set have, of each no more than `max_frames`."""
    counts = (dataset.sequence(name).num_frames for name in names)
    return sum(count if max_frames is None else min(count, max_frames) for count in counts)


def counted(steps: Generator[int, None, _Result], before: Progress) -> Generator[Progress, None, _Result]:
    """Yield how far all is after each step, one of a job whose frames before are done; return what the steps return."""
    done = before.done
    with closing(steps):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            done += 1
            yield replace(before, done=done)


def _true_boxes(video: Video, num_frames: int) -> tuple[_Boxes, list[Prompt]]:
    """Return the boxes of each object by frame, and a mask prompt for each on its first frame."""
    from napari_sam2_probe.tracking.prompts import Prompt

    boxes: _Boxes = {}
    prompts: list[Prompt] = []
    for frame_idx in range(num_frames):
        labels = video.mask(frame_idx)
        if labels is None:
            continue
        for obj_id in object_ids(labels):
            mask = labels == obj_id
            if obj_id not in boxes:
                boxes[obj_id] = {}
                prompts.append(Prompt.from_mask(frame_idx, obj_id, mask))
            boxes[obj_id][frame_idx] = box_edges(mask)
    return boxes, prompts


def _track(
    observer: PointerObserver, name: str, obj_id: int, size: tuple[int, int], boxes: dict[int, NDArray[np.float64]]
) -> PointerTrack:
    frames, pointers, scores = observer.track(obj_id)
    known = np.array([t in boxes for t in frames.tolist()], dtype=np.bool_)
    frames = frames[known]
    return PointerTrack(
        sequence=name,
        object_id=obj_id,
        height=size[0],
        width=size[1],
        frames=frames,
        pointers=pointers[known],
        boxes=np.stack([boxes[t] for t in frames.tolist()]) if len(frames) else np.empty((0, 4)),
        object_scores=scores[known],
    )
