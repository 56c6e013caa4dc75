"""Clips of one kind through SAM 2 with everything recorded that an experiment keeps."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import ResourceError
from napari_sam2_probe.models.device import is_out_of_memory
from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.probe.batch_size import clips_at_once
from napari_sam2_probe.probe.positions import STATISTICS
from napari_sam2_probe.probe.regions import RegionRecorder
from napari_sam2_probe.tracking.batch import BatchTracker
from napari_sam2_probe.tracking.results import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.batch_clips import BatchClip
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.probe.distance import FeatureOptions


@dataclass(frozen=True)
class ClipOutput:
    """What is kept of one clip; T frames, H x W the video, P positions.

    Attributes
    ----------
    masks
        (T, H, W) bool, as predicted.
    object_scores, predicted_iou
        (T,) float, NaN where there is none.
    positions
        The numbers of the P positions of the features; none for another system's masks.
    features
        (P, T, 3) float64, in the order of `napari_sam2_probe.common.feature_names.FEATURES`.
    gap_features
        The same (P, T, 3), had the object not been in the interjection; None where that was not asked for.
    arrays
        What else goes into the store, by name, time first.
    """

    masks: NDArray[np.bool_]
    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    positions: tuple[str, ...]
    features: NDArray[np.float64]
    arrays: Mapping[str, NDArray[np.float32]]
    gap_features: NDArray[np.float64] | None = None


def track_batch(
    loaded: Model,
    clips: Sequence[BatchClip],
    options: FeatureOptions,
    *,
    keep_maps: bool = False,
    absent: range = range(0),
    keep_embeddings: bool = True,
    at_once: int | None = None,
) -> Generator[int, None, list[ClipOutput]]:
    """Track and probe the clips of a batch, prompted with the true mask on the first frame.

    On a CPU they go through the model one by one, which takes little longer than all together and gives the numbers of
    single runs to the last bit.

    Parameters
    ----------
    loaded
        The model.
    clips
        Clips of one length.
    options
        How features are computed.
    keep_maps
        Whether mean and variance maps are wanted.
    absent
        Frames that are taken as if the object was not there for a second set of features; none: no such set.
    keep_embeddings
        Whether embeddings of regions are wanted beside their contrasts.
    at_once
        How many clips go through the model together; by default one on a CPU, and all elsewhere.

    Yields
    ------
    int
        How many frames were tracked since the last one; below 0 where some are tracked again, because the device's
        memory did not suffice for all clips together.

    Returns
    -------
    list of ClipOutput
        In the order of the clips.

    Raises
    ------
    InputError, ResourceError
        If a frame can't be read, or memory doesn't suffice.
    """
    if at_once is None:
        at_once = clips_at_once(loaded.device, len(clips))
    if len(clips) > at_once:
        parts: list[ClipOutput] = []
        for start in range(0, len(clips), at_once):
            some = clips[start : start + at_once]
            kept = {"keep_maps": keep_maps, "keep_embeddings": keep_embeddings}
            parts += yield from track_batch(loaded, some, options, **kept, absent=absent, at_once=at_once)
        return parts
    tracked = 0
    try:
        with closing(_track(loaded, clips, options, keep_maps, keep_embeddings, absent)) as steps:
            while True:
                try:
                    count = next(steps)
                except StopIteration as end:
                    outputs: list[ClipOutput] = end.value
                    return outputs
                tracked += count
                yield count
    except ResourceError as error:
        if len(clips) == 1 or error.__cause__ is None or not is_out_of_memory(error.__cause__):
            raise
    # Somebody else took of the device's memory since the size of batches was chosen.
    yield -tracked
    half = -(-len(clips) // 2)
    kept = {"keep_maps": keep_maps, "keep_embeddings": keep_embeddings}
    return (yield from track_batch(loaded, clips, options, **kept, absent=absent, at_once=half))


def _track(
    loaded: Model,
    clips: Sequence[BatchClip],
    options: FeatureOptions,
    keep_maps: bool,
    keep_embeddings: bool,
    absent: range,
) -> Generator[int, None, list[ClipOutput]]:
    num_frames = clips[0].frames.num_frames
    masks = [np.zeros((num_frames, clip.frames.height, clip.frames.width), bool) for clip in clips]
    scores = np.full((2, len(clips), num_frames), np.nan, np.float32)
    maps: dict[str, NDArray[np.float32]] = {}
    present = np.stack([clip.truth.object_present for clip in clips])
    otherwise = present & ~np.isin(np.arange(num_frames), absent)
    recorder = BatchRecorder(
        num_frames,
        present,
        options,
        keep_maps=keep_maps,
        also_present=otherwise if len(absent) else None,
        model=loaded.model,
    )
    others = [clip.other_masks for clip in clips]
    true_masks = [clip.true_masks for clip in clips]
    regions = RegionRecorder(num_frames, true_masks, others, embeddings=keep_embeddings, model=loaded.model)
    recorder.on_committed = regions.frame_committed
    sources = [clip.frames for clip in clips]
    prompts = [clip.true_masks[0] for clip in clips]
    session_options = SessionOptions.for_model(loaded, attention="sampled")
    with BatchTracker(loaded.model, sources, prompts, session_options, recorder) as tracker:
        for frame in tracker.track():
            for clip_masks, mask in zip(masks, frame.masks(), strict=True):
                clip_masks[frame.frame_idx] = mask
            scores[:, :, frame.frame_idx] = frame.object_scores, frame.predicted_iou
            for frame_idx, shown in recorder.take_maps(frame.frame_idx):
                _put_maps(maps, frame_idx, num_frames, shown)
            yield len(clips)
    features = recorder.values()
    gap_features = recorder.values(other=True) if len(absent) else None
    arrays = recorder.arrays() | regions.arrays() | maps
    positions = tuple(position.number for position in recorder.positions)
    return [
        ClipOutput(
            masks[k],
            scores[0, k],
            scores[1, k],
            positions,
            features[k],
            {name: a[k] for name, a in arrays.items()},
            None if gap_features is None else gap_features[k],
        )
        for k in range(len(clips))
    ]


def _put_maps(
    maps: dict[str, NDArray[np.float32]], frame_idx: int, num_frames: int, shown: Mapping[str, NDArray[np.float32]]
) -> None:
    """Put the statistics (B, 2, h, w) of one frame into arrays (B, T, h, w) by name."""
    for key, statistics in shown.items():
        for index, statistic in enumerate(STATISTICS):
            values = statistics[:, index]
            name = f"maps/{key}/{statistic}"
            if name not in maps:
                maps[name] = np.full((len(values), num_frames, *values.shape[1:]), np.nan, np.float32)
            maps[name][:, frame_idx] = values
