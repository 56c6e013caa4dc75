"""Clips of one kind through SAM 2 with everything recorded that an experiment keeps."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.runs.known import OBJECT_OF_INTEREST
from napari_sam2_probe.runs.run import STATISTICS
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.session import VideoSession

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.experiment.batch_clips import BatchClip
    from napari_sam2_probe.probe.distance import FeatureOptions
    from napari_sam2_probe.tracking.loaded import LoadedModel


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
        The P positions of the features, ``"1"`` to ``"5r"``; none for another system's masks.
    features
        (P, T, 3) float64, in the order of `napari_sam2_probe.probe.features.FEATURES`.
    arrays
        What else goes into the store, by name, time first.
    """

    masks: NDArray[np.bool_]
    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    positions: tuple[str, ...]
    features: NDArray[np.float64]
    arrays: Mapping[str, NDArray[np.float32]]


def track_batch(
    loaded: LoadedModel, clips: Sequence[BatchClip], options: FeatureOptions, *, keep_maps: bool = False
) -> Generator[int, None, list[ClipOutput]]:
    """Track and probe the clips of a batch, prompted with the true mask on the first frame.

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

    Yields
    ------
    int
        How many frames were tracked since the last one.

    Returns
    -------
    list of ClipOutput
        In the order of the clips.

    Raises
    ------
    InputError, ResourceError
        If a frame can't be read, or memory doesn't suffice.
    """
    outputs = []
    for clip in clips:
        outputs.append((yield from _track_one(loaded, clip, options, keep_maps)))
    return outputs


def _track_one(
    loaded: LoadedModel, clip: BatchClip, options: FeatureOptions, keep_maps: bool
) -> Generator[int, None, ClipOutput]:
    num_frames = clip.frames.num_frames
    masks = np.zeros((num_frames, clip.frames.height, clip.frames.width), bool)
    scores = np.full((2, num_frames), np.nan, np.float32)
    arrays: dict[str, NDArray[np.float32]] = {}

    def put(name: str, frame_idx: int, values: NDArray[np.float32]) -> None:
        if name not in arrays:
            arrays[name] = np.full((num_frames, *values.shape), np.nan, np.float32)
        arrays[name][frame_idx] = values

    recorder = ProbeRecorder(num_frames, options, {OBJECT_OF_INTEREST: clip.known.object_present})
    with (
        closing(recorder),
        VideoSession(loaded.model, clip.frames, loaded.session_options(), recorder) as session,
    ):
        session.add_prompt(Prompt.from_mask(0, OBJECT_OF_INTEREST, clip.true_masks[0]))
        for result in session.propagate():
            masks[result.frame_idx] = result.masks()[0]
            scores[:, result.frame_idx] = result.object_scores[0], result.predicted_iou[0]
            for record in recorder.take():
                for key, pointer in record.pointers.items():
                    put(
                        f"{key.removesuffix('_raw')}s{'_raw' if key.endswith('_raw') else ''}",
                        record.frame_idx,
                        pointer,
                    )
                for key, maps in record.maps.items() if keep_maps else ():
                    for statistic, values in zip(STATISTICS, maps, strict=True):
                        put(f"maps/{key}/{statistic}", record.frame_idx, values)
            yield 1
        features = recorder.features(OBJECT_OF_INTEREST).values.copy()
    positions = tuple(position.number for position in recorder.positions)
    return ClipOutput(masks, scores[0], scores[1], positions, features, arrays)
