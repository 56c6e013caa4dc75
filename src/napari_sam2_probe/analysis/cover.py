"""What a cover does to object pointers, within clips, and what is left of it when it is gone.

Pooled over clips, distance and obscured fraction also correlate where some clips are both further from their twins and
more covered than others. And a frame at 0 % after a cover is no frame at 0 % before it: SAM 2 remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_sam2_probe.analysis.bootstrap import Clusters

_LEAST_FRAMES = 5


@dataclass(frozen=True)
class CoverEffect:
    """Distances of a clip's pointers from its clean twin's, and what covers the object.

    Attributes
    ----------
    pearson, spearman
        Mean over clips of the correlation over each clip's own frames; clips of fewer than five frames, or in which
        one of the two doesn't vary, have none.
    before, after
        Mean over clips of the clip's mean distance on frames at 0 %, before the first covered frame and after it.
    difference
        After less before, over clips that have both.
    clips
        How many have a correlation within, frames before, frames after, both.
    """

    pearson: Estimate
    spearman: Estimate
    before: Estimate
    after: Estimate
    difference: Estimate
    clips: tuple[int, int, int, int]


def cover_effect(
    distances: Sequence[ArrayLike],
    obscured_fractions: Sequence[ArrayLike],
    groups: Sequence[str] | Clusters,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> CoverEffect:
    """Measure what a cover does within clips.

    Parameters
    ----------
    distances, obscured_fractions
        (T,) of each clip; frames where either is NaN are left out.
    groups
        Source sequence of each clip, which is resampled as a whole, or `Clusters` of the clips.
    num_resamples, seed
        Of the bootstrap.
    """
    rows = np.full((len(groups), 4), np.nan)
    for k, (distance, fraction) in enumerate(zip(distances, obscured_fractions, strict=True)):
        both = np.stack([np.asarray(distance, np.float64), np.asarray(fraction, np.float64)])
        known = np.isfinite(both).all(axis=0)
        rows[k, :2] = _within(both[0, known], both[1, known])
        covered = np.flatnonzero(known & (both[1] > 0))
        if not covered.size:
            continue
        frames = np.arange(both.shape[1])
        free = known & (both[1] == 0)
        for column, chosen in ((2, free & (frames < covered[0])), (3, free & (frames > covered[0]))):
            if chosen.any():
                rows[k, column] = both[0, chosen].mean()
    how = {"num_resamples": num_resamples, "seed": seed}
    counts = np.isfinite(rows).sum(axis=0)
    change = rows[:, 3] - rows[:, 2]
    return CoverEffect(
        mean_estimate(rows[:, 0], groups, reason="no clip has a correlation of its own", **how),
        mean_estimate(rows[:, 1], groups, reason="no clip has a correlation of its own", **how),
        mean_estimate(rows[:, 2], groups, reason="no clip begins uncovered", **how),
        mean_estimate(rows[:, 3], groups, reason="no clip is uncovered after a cover", **how),
        mean_estimate(change, groups, reason="no clip is uncovered before and after a cover", **how),
        (int(counts[0]), int(counts[2]), int(counts[3]), int(np.isfinite(change).sum())),
    )


def _within(distance: NDArray[np.float64], fraction: NDArray[np.float64]) -> tuple[float, float]:
    """Return the correlation of values and of ranks over the frames of one clip."""
    if len(distance) < _LEAST_FRAMES or np.ptp(distance) == 0 or np.ptp(fraction) == 0:
        return float("nan"), float("nan")
    pearson = float(np.corrcoef(distance, fraction)[0, 1])
    return pearson, float(np.corrcoef(_ranks(distance), _ranks(fraction))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks, equal values sharing their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[which]
    return ranks
