"""What a cover does to the object pointers of an experiment: distances from the clean twins' and correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters
from napari_sam2_probe.analysis.cover import CoverEffect, cover_effect
from napari_sam2_probe.analysis.pointers import ObscurationResponse, obscuration_response, twin_distances
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.reports.examples import ClipFrames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.results import ExperimentResults


@dataclass(frozen=True)
class Cover:
    """Pointer distance against obscured fraction over all clips of a kind, without prompted frames.

    Attributes
    ----------
    clips
        Their names.
    stored, raw
        Pooled over frames, for the pointer as stored (4) and before the gate (4r); intervals by source sequence.
    stored_effect, raw_effect
        Within clips, and before and after the cover.
    """

    clips: tuple[str, ...]
    stored: ObscurationResponse
    raw: ObscurationResponse
    stored_effect: CoverEffect
    raw_effect: CoverEffect


def measure_cover(results: ExperimentResults, kind: str, *, num_resamples: int, seed: int) -> Cover | None:
    """Measure what a cover does in all clips of a kind that have their clean twin; None where there is none."""
    done = set(results.clips("clean"))
    twins = results.frames[results.frames["kind"] == kind].drop_duplicates("clip")
    clusters = Clusters.of_rows(twins)
    clips: list[str] = []
    used: list[int] = []
    fractions: list[NDArray[np.float64]] = []
    distances: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    for index, (clip, twin) in enumerate(zip(twins["clip"], twins["twin"], strict=True)):
        if twin not in done:
            continue
        changed, clean = ClipFrames(results, kind, clip), ClipFrames(results, "clean", twin)
        try:
            found = [pointer_distance(changed, clean, raw=raw) for raw in (False, True)]
        except InputError:
            continue
        prompted = changed.rows["prompted"].to_numpy(dtype=np.bool_)
        clips.append(clip)
        used.append(index)
        fractions.append(changed.obscured_fraction)
        for raw, distance in zip((False, True), found, strict=True):
            # The pointer of a prompted frame is made otherwise than all others.
            distances[raw].append(np.where(prompted, np.nan, distance))
    if not clips:
        return None
    how = {"num_resamples": num_resamples, "seed": seed}
    groups = clusters.take(np.array(used))
    stored, raw_response = (
        obscuration_response(distances[raw], fractions, source_sequences=groups, **how) for raw in (False, True)
    )
    effects = (cover_effect(distances[raw], fractions, groups, **how) for raw in (False, True))
    return Cover(tuple(clips), stored, raw_response, *effects)


def pointer_distance(changed: ClipFrames, clean: ClipFrames, *, raw: bool) -> NDArray[np.float64]:
    """Return the distance (T,) of each pointer to the twin's on the same source frame."""
    pointers = [one.results.pointers(one.kind, one.clip, raw=raw) for one in (changed, clean)]
    return twin_distances(pointers[0], changed.source_frames, pointers[1], clean.source_frames)
