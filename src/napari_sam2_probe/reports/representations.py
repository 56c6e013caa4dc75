"""What the positions of an experiment hold: linear probes, object or context, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.analysis.cka import cka_estimate, unbiased_cka
from napari_sam2_probe.analysis.linear_probe import ProbeData, ProbeScore, probe_classes, probe_numbers
from napari_sam2_probe.analysis.object_or_context import ObjectOrContext, object_or_context
from napari_sam2_probe.analysis.regions import REGIONS, TOKENS, sampled_frames
from napari_sam2_probe.decoder.boxes import box_iou
from napari_sam2_probe.experiments.embeddings import (
    ClipSet,
    arrays,
    clip_set,
    embedded_positions,
    frame_embeddings,
    has_array,
)
from napari_sam2_probe.experiments.sequences import clip_sequences
from napari_sam2_probe.probe.positions import BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.results import ExperimentResults

PRESENT_INTERJECTION = "object present (interjection)"
PRESENT_REMOVAL = "object present (object removal)"
TOKEN = "token in mask"
LOOK_ALIKE = "which of two look-alikes"
COVER = "object or what covers it"
BOX = "box"

TASKS = {
    PRESENT_INTERJECTION: "interjection",
    PRESENT_REMOVAL: "object-removal",
    TOKEN: "clean",
    LOOK_ALIKE: "three-object",
    COVER: "obscuration",
    BOX: "clean",
}
"""What is probed for, and in which kind of clips."""

_OBJECT, _OTHER, _CONTEXT = (REGIONS.index(name) for name in ("object", "other", "context"))


@dataclass(frozen=True)
class Representations:
    """What was measured.

    Attributes
    ----------
    positions
        Of which embeddings are kept, in the order of tables.
    probes
        By task and position.
    mean_box, box_gain
        By position, the mean IoU of always guessing the mean box, on the rows of the task ``box``, and how much better
        the probe is.
    shares
        By position, whether it speaks of the object or of the context.
    alike
        By two positions, their CKA over clean clips, mean over frames.
    kept
        By kind and position, the CKA (T,) of each frame with the last frame of the prefix, over clips.
    """

    positions: tuple[str, ...]
    probes: Mapping[tuple[str, str], ProbeScore]
    mean_box: Mapping[str, Estimate]
    box_gain: Mapping[str, Estimate]
    shares: Mapping[str, ObjectOrContext]
    alike: Mapping[tuple[str, str], Estimate]
    kept: Mapping[tuple[str, str], NDArray[np.float64]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return not (self.probes or self.shares or self.alike)


def measure_representations(
    results: ExperimentResults, kinds: Sequence[str], positions: Sequence[str], *, num_resamples: int, seed: int
) -> Representations:
    """Measure what the positions of an experiment hold; nothing where no embeddings are kept.

    Parameters
    ----------
    results
        The experiment.
    kinds
        Kinds of which clips are done.
    positions
        Numbers of positions.
    num_resamples, seed
        Of every bootstrap.
    """
    found = _Measuring(results, tuple(kinds), {"num_resamples": num_resamples, "seed": seed})
    there = [kind for kind in kinds if len(found.clips(kind))]
    kept = embedded_positions(results, found.clips(there[0]), positions) if there and results.has_model else []
    # Vectors are kept by every version; without maps beside them there is nothing to compare.
    if not any(BY_NUMBER[position].is_map for position in kept):
        return Representations((), {}, {}, {}, {}, {}, {})
    probes: dict[tuple[str, str], ProbeScore] = {}
    mean_box: dict[str, Estimate] = {}
    box_gain: dict[str, Estimate] = {}
    shares: dict[str, ObjectOrContext] = {}
    for position in kept:
        for task, kind in TASKS.items():
            if kind not in there:
                continue
            if task == BOX:
                score, mean_box[position], box_gain[position] = found.box(position)
            else:
                score = found.classes(task, kind, position)
            if score.rows:
                probes[task, position] = score
        if {"clean", "context-removal", "object-removal"} <= set(there):
            shares[position] = found.share(position)
    alike = {(a, b): found.alike(a, b) for k, a in enumerate(kept) for b in kept[k + 1 :]} if "clean" in there else {}
    timelines: dict[tuple[str, str], NDArray[np.float64]] = {
        (kind, position): found.kept(kind, position)
        for kind in ("clean", "interjection", "object-removal", "context-removal")
        if kind in there
        for position in kept
    }
    return Representations(tuple(kept), probes, mean_box, box_gain, shares, alike, timelines)


class _Measuring:
    """One experiment, with what is read more than once."""

    def __init__(self, results: ExperimentResults, kinds: tuple[str, ...], how: dict[str, int]) -> None:
        self._results, self._kinds, self._how = results, kinds, how
        self._clips: dict[str, ClipSet] = {}
        self._sequences: dict[str, dict[str, frozenset[str]]] = {}
        self._embeddings: dict[tuple[str, str], list[NDArray[np.float32]]] = {}

    def clips(self, kind: str) -> ClipSet:
        if kind not in self._clips:
            self._clips[kind] = clip_set(self._results, kind)
        return self._clips[kind]

    def sequences(self, kind: str) -> Mapping[str, Collection[str]]:
        if kind not in self._sequences:
            self._sequences[kind] = clip_sequences(self._results, kind)
        return self._sequences[kind]

    def embeddings(self, kind: str, position: str) -> list[NDArray[np.float32]]:
        if (kind, position) not in self._embeddings:
            self._embeddings[kind, position] = frame_embeddings(self._results, self.clips(kind), position)
        return self._embeddings[kind, position]

    def classes(self, task: str, kind: str, position: str) -> ProbeScore:
        data = self._present(kind, position) if task.startswith("object present") else self._tokens(task, position)
        if data is None:
            missing = Estimate.missing("nothing to probe")
            return ProbeScore(missing, missing, missing, 0, 0)
        return probe_classes(data, self.sequences(kind), **self._how)

    def box(self, position: str) -> tuple[ProbeScore, Estimate, Estimate]:
        """Probe for the box on sampled frames of clean clips, from the grid of a map or from a vector."""
        clips, place = self.clips("clean"), BY_NUMBER[position]
        frames = sampled_frames(sum(self._results.lengths))
        rows: list[NDArray[np.float32]]
        if place.is_map:
            rows = [grid.reshape(len(grid), -1) for grid in arrays(self._results, clips, f"grids/{place.key}")]
        else:
            rows = [one[frames] for one in self.embeddings("clean", position)]
        edges = [self._edges(clip)[frames] for clip in clips.names]
        data = _stacked(clips, rows, edges)
        known = np.asarray(np.isfinite(np.asarray(data.targets, np.float64)).all(axis=1), np.bool_)
        data = data.take(known)
        return probe_numbers(data, self.sequences("clean"), box_iou, **self._how)

    def share(self, position: str) -> ObjectOrContext:
        """Tell object from context: pairs with the object's context removed, and with another object pasted in."""
        prefix, middle, suffix = self._results.lengths
        change = np.arange(prefix, prefix + middle)
        # As many frames before the change, and after the first one behind it; never the prompted one.
        before = range(max(1, prefix - middle), prefix)
        after = range(prefix + middle + 1, min(prefix + 2 * middle + 1, prefix + middle + suffix))
        around = np.array([*before, *after])
        pairs = []
        for other, frames in (("context-removal", change), ("object-removal", around)):
            clean, changed = self.clips("clean"), self.clips(other)
            both = min(len(clean), len(changed))
            first, second = (
                np.stack([one[frames].mean(axis=0) for one in self.embeddings(kind, position)[:both]])
                for kind in ("clean", other)
            )
            pairs.append(((first, second), clean.base[:both], changed.others[:both]))
        (same_object, first_base, _), (same_context, second_base, pasted) = pairs
        return object_or_context(same_object, first_base, same_context, second_base, pasted, **self._how)

    def alike(self, first: str, second: str) -> Estimate:
        """Compare two positions over clean clips, frame by frame."""
        a, b = (np.stack(self.embeddings("clean", position)) for position in (first, second))
        frames = sampled_frames(sum(self._results.lengths))
        return cka_estimate([(a[:, t], b[:, t]) for t in frames], self.clips("clean").base)

    def kept(self, kind: str, position: str) -> NDArray[np.float64]:
        """Compare each frame with the last one of the prefix, over clips."""
        stacked = np.stack(self.embeddings(kind, position))
        last = stacked[:, self._results.lengths[0] - 1]
        values = np.full(stacked.shape[1], np.nan)
        for t in range(stacked.shape[1]):
            known = np.isfinite(last).all(axis=1) & np.isfinite(stacked[:, t]).all(axis=1)
            values[t] = unbiased_cka(last[known], stacked[known, t])
        return values

    def _present(self, kind: str, position: str) -> ProbeData:
        clips, frames = self.clips(kind), self._results.frames
        own = frames[frames["kind"] == kind]
        rows, labels = [], []
        prefix, middle, _ = self._results.lengths
        # Frames near the change, so that the two classes are about as many and as late.
        taken = np.arange(max(1, prefix - middle), prefix + 2 * middle)
        for clip, values in zip(clips.names, self.embeddings(kind, position), strict=True):
            present = own[own["clip"] == clip].sort_values("frame")["object_present"].to_numpy(dtype=np.bool_)
            use = taken[taken < len(present)]
            rows.append(values[use])
            labels.append(~present[use])
        return _stacked(clips, rows, labels)

    def _tokens(self, task: str, position: str) -> ProbeData | None:
        place, kind = BY_NUMBER[position], TASKS[task]
        clips = self.clips(kind)
        if not place.is_map or not has_array(self._results, clips, f"tokens/{place.key}"):
            return None
        other = _CONTEXT if task == TOKEN else _OTHER
        rows, labels = [], []
        for tokens in arrays(self._results, clips, f"tokens/{place.key}"):
            # Frames on which both regions have tokens, so that classes are equally frequent in every clip.
            both = np.isfinite(tokens[:, [_OBJECT, other]]).all(axis=(1, 2, 3))
            pair = tokens[both][:, [_OBJECT, other]]
            rows.append(pair.reshape(-1, pair.shape[-1]))
            labels.append(np.tile(np.repeat([True, False], TOKENS), int(both.sum())))
        return _stacked(clips, rows, labels)

    def _edges(self, clip: str) -> NDArray[np.float64]:
        frames = self._results.frames
        own = frames[(frames["kind"] == "clean") & (frames["clip"] == clip)].sort_values("frame")
        return own[["true_xmin", "true_ymin", "true_xmax", "true_ymax"]].to_numpy(dtype=np.float64)


def _stacked(clips: ClipSet, rows: Sequence[NDArray[np.floating]], targets: Sequence[NDArray[np.generic]]) -> ProbeData:
    lengths = [len(one) for one in rows]
    return ProbeData(
        np.concatenate(rows),
        np.concatenate(targets),
        np.repeat(np.asarray(clips.names), lengths),
        np.repeat(np.asarray(clips.base), lengths),
        np.repeat(np.asarray(clips.others), lengths),
    )
