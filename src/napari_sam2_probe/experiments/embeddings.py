"""What an experiment keeps of embeddings, gathered over clips for contrasts, probes and comparisons of positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters
from napari_sam2_probe.analysis.regions import REGIONS
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.positions import BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.results import ExperimentResults

MOST_CLIPS = 100
"""Of each kind, what probes and comparisons of positions are made of at most."""

_FRAME = REGIONS.index("frame")


@dataclass(frozen=True)
class ClipSet:
    """Some clips of one kind.

    Attributes
    ----------
    kind
        Their kind.
    names
        The clips, in the order of the experiment.
    base
        The source sequence of each.
    others
        The sequences put into each, with a slash between two; empty for none.
    """

    kind: str
    names: tuple[str, ...]
    base: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def clusters(self) -> Clusters:
        """What they have in common: the sequences that they are made from, and those put in."""
        return Clusters.of(np.asarray(self.base), np.asarray(self.others))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.names)


def clip_set(results: ExperimentResults, kind: str, most: int | None = MOST_CLIPS) -> ClipSet:
    """Return the clips of a kind that are done, the first `most` of them (all if None)."""
    frames = results.frames
    names = results.clips(kind)[:most]
    rows = frames[frames["kind"] == kind].drop_duplicates("clip").set_index("clip").loc[names]
    base, others = (tuple(map(str, rows[name].fillna(""))) for name in ("base_sequence", "distractor_sequences"))
    return ClipSet(kind, tuple(names), base, others)


def has_array(results: ExperimentResults, clips: ClipSet, name: str) -> bool:
    """Return whether an experiment keeps an array of these clips; one of an earlier version, or without, doesn't."""
    if not len(clips):
        return False
    try:
        results.array(clips.kind, clips.names[0], name)
    except InputError:
        return False
    return True


def arrays(results: ExperimentResults, clips: ClipSet, name: str) -> list[NDArray[np.float32]]:
    """Return an array of each clip, by its name in the store."""
    return [results.array(clips.kind, clip, name) for clip in clips.names]


def frame_embeddings(results: ExperimentResults, clips: ClipSet, position: str) -> list[NDArray[np.float32]]:
    """Return of each clip what a position is on the whole frame, (T, C): the vector, or the mean over a map.

    Parameters
    ----------
    results, clips
        The clips.
    position
        Its number in tables.
    """
    place = BY_NUMBER[position]
    if not place.is_map:
        return [results.vectors(clips.kind, clip, place.key) for clip in clips.names]
    return [array[:, _FRAME] for array in arrays(results, clips, f"regions/{place.key}")]


def embedded_positions(results: ExperimentResults, clips: ClipSet, positions: Sequence[str]) -> list[str]:
    """Return those positions of which embeddings are kept."""
    kept = []
    for number in positions:
        place = BY_NUMBER.get(number)
        if place is None:
            continue
        name = f"regions/{place.key}" if place.is_map else place.array
        if has_array(results, clips, name):
            kept.append(number)
    return kept
