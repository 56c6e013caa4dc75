"""From a run to what figures draw: the one place where runs, videos and true masks meet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.pointers import same_frames, twin_distances
from napari_sam2_probe.evaluation.metrics.clips import ClipScores, score_clip
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.figures.composite import Composite, MapPair
from napari_sam2_probe.figures.features import FeatureRun
from napari_sam2_probe.figures.filmstrip import FilmFrame
from napari_sam2_probe.figures.scores import ScoreRun
from napari_sam2_probe.probe.positions import BY_KEY, BY_NUMBER, MEMORY_FEATURES_DENSE
from napari_sam2_probe.probe.status import PassKind, describe_status
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST, ClipTruth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video import Video


def composite_positions(run: ProbeRun) -> list[str]:
    """Return what the paper's composite shows of a run beside the frame (figures 7, 8, 11, 12): no ungated twins.

    Where memories are no maps, the map that they are made of stands for them.
    """
    dense = MEMORY_FEATURES_DENSE.key
    return [BY_KEY[key].number for key in run.map_keys if BY_KEY[key].is_main or key == dense]


@dataclass(frozen=True)
class ClipView:
    """A run on a clip, with the clip's frames and true masks.

    Attributes
    ----------
    run
        The run.
    sequence
        The video it was made on.
    label
        Its name in legends and titles.
    obj_index
        Which of the run's objects is viewed.
    """

    run: ProbeRun
    sequence: Video
    label: str
    obj_index: int = 0

    @property
    def obj_id(self) -> int:
        """The id of the object that is viewed."""
        return int(self.run.object_ids[self.obj_index])

    @property
    def truth(self) -> ClipTruth | None:
        """What the clip's recipe tells of its frames; None for a video without one."""
        return self.run.truth

    @property
    def kind(self) -> str:
        """The kind of transformed clip; ``"clean"`` for any other video."""
        recipe = self.truth.recipe if self.truth else None
        return str(recipe["kind"]) if recipe else "clean"

    @property
    def object_present(self) -> NDArray[np.bool_]:
        """(T,) bool: by the recipe for the object of interest, else by SAM 2's own score.

        A frame that was not tracked is not known to lack the object.
        """
        present: NDArray[np.bool_] = self.run.object_present[self.obj_index] | ~self.run.tracked[self.obj_index]
        return present if self.truth is None or self.obj_id != OBJECT_OF_INTEREST else self.truth.object_present

    @property
    def interjection(self) -> NDArray[np.bool_] | None:
        """(T,) bool: frames where the object or its context was taken away; None if there are none."""
        if self.truth is None:
            return None
        changed = ~(self.truth.object_present & self.truth.context_present)
        return changed if changed.any() else None

    def true_mask(self, frame_idx: int) -> NDArray[np.bool_] | None:
        """Return the true visible mask (H, W) of the object on a frame, where it is known."""
        labels = self.sequence.mask(frame_idx)
        return None if labels is None else labels == self.obj_id

    @cached_property
    def predicted_masks(self) -> NDArray[np.bool_]:
        """(T, H, W) bool."""
        masks: NDArray[np.bool_] = self.run.masks_per_object[self.obj_index]
        return masks

    @cached_property
    def region_similarity(self) -> NDArray[np.float64]:
        """(T,) J of tracked frames whose object is there; NaN on prompted ones and where no true mask is known."""
        values = np.full(self.run.num_frames, np.nan)
        for t in np.flatnonzero(self.run.tracked[self.obj_index] & ~self.run.prompted[self.obj_index]):
            truth = self.true_mask(int(t))
            if truth is not None and self.object_present[t]:
                values[t] = region_similarity(truth, self.predicted_masks[t])
        return values

    @cached_property
    def scores(self) -> ClipScores:
        """J&F by stage and false positives."""
        truth = np.stack([_or_empty(self.true_mask(t), self.predicted_masks[0]) for t in range(self.run.num_frames)])
        absent = np.flatnonzero(~self.object_present)
        present = self.object_present
        if len(absent):
            lengths = (int(absent[0]), len(absent), len(present) - int(absent[-1]) - 1)
        else:
            lengths = (12, 4, len(present) - 16) if len(present) > 16 else (len(present), 0, 0)
        return score_clip(truth.astype(np.uint8), self.predicted_masks.astype(np.uint8), present, lengths=lengths)

    def composite(self, frame_idx: int, positions: Sequence[str] | None = None, label: str = "") -> Composite:
        """Return the paper's composite of one frame; of `composite_positions` unless others are asked for."""
        shown = composite_positions(self.run) if positions is None else positions
        return Composite(
            frame=self.sequence.frames.read(frame_idx),
            maps=tuple(self._map_pair(frame_idx, number) for number in shown),
            label=label or self.label,
            # This frame's alone: a long video's masks together may not fit into memory.
            mask=self.run.masks_per_object[self.obj_index, frame_idx],
            object_id=self.obj_id,
            frame_idx=frame_idx,
        )

    def features(self) -> FeatureRun:
        """Return the features over time."""
        table = self.run.features
        features = self.run.info.get("parameters", {}).get("features", {})
        return FeatureRun(
            label=self.label,
            kind=self.kind,
            table=table[table["object_id"] == self.obj_id],
            object_present=self.object_present,
            prompted=self.run.prompted[self.obj_index],
            prompted_references=features.get("prompted_references", True),
            tracked=self.run.tracked[self.obj_index],
        )

    def object_scores(self) -> ScoreRun:
        """Return object score and predicted IoU over time, with J beside."""
        return ScoreRun(
            label=self.label,
            kind=self.kind,
            object_scores=self.run.object_scores[self.obj_index],
            predicted_iou=self.run.predicted_iou[self.obj_index],
            object_present=self.object_present,
            prompted=self.run.prompted[self.obj_index],
            iou=self.region_similarity,
        )

    def film_frame(self, frame_idx: int, note: str = "") -> FilmFrame:
        """Return one frame with predicted and true mask."""
        truth = self.true_mask(frame_idx)
        return FilmFrame(
            frame_idx=frame_idx,
            frame=self.sequence.frames.read(frame_idx),
            predicted={self.obj_id: self.predicted_masks[frame_idx]},
            truth={} if truth is None else {self.obj_id: truth},
            object_scores={self.obj_id: float(self.run.object_scores[self.obj_index, frame_idx])},
            note=note,
        )

    def pointers(self, *, raw: bool = False) -> NDArray[np.float32]:
        """Return the object pointers (T, C), ungated ones if `raw`."""
        pointers: NDArray[np.float32] = (self.run.object_pointers_raw if raw else self.run.object_pointers)[
            self.obj_index
        ]
        return pointers

    def distance_to(self, twin: ClipView, *, raw: bool = False) -> NDArray[np.float64]:
        """Return the L2 distance (T,) of each pointer to the twin's on the same source frame."""
        return twin_distances(
            self.pointers(raw=raw), self.source_frames(), twin.pointers(raw=raw), twin.source_frames()
        )

    def frames_of_twin(self, twin: ClipView) -> dict[int, int]:
        """Return for each frame that the twin has too the number of the twin's frame that shows the same."""
        return dict(same_frames(self.source_frames(), twin.source_frames()))

    def source_frames(self) -> list[Any]:
        """Return what each frame shows: its source sequence and frame where a recipe tells, else its own number."""
        if self.truth is None:
            return list(range(self.run.num_frames))
        return list(zip(self.truth.source_sequence, self.truth.source_frame.tolist(), strict=True))

    def _map_pair(self, frame_idx: int, number: str) -> MapPair:
        key = BY_NUMBER[number].key
        status = int(self.run.status(key)[self.obj_index, frame_idx])
        return MapPair(
            position=number,
            mean=self.run.maps(key, "mean")[self.obj_index, frame_idx],
            variance=self.run.maps(key, "variance")[self.obj_index, frame_idx],
            status=unusual_status(key, status),
        )


def unusual_status(key: str, status: int) -> str:
    """Return what is out of the ordinary about a map, in words for the reader; empty on a frame that was tracked."""
    return "" if status == PassKind.TRACKED else describe_status(key, status)


def _or_empty(mask: NDArray[np.bool_] | None, like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.zeros_like(like) if mask is None else mask
