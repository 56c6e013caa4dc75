"""Object pointers: where they go over time, and how far from where they would be.

The paper, sections 4.1.1 (pointers in two dimensions) and 4.2 (pointers of an obscured object).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import as_clusters, interval
from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_sam2_probe.analysis.bootstrap import Clusters

# Bounds the memory of a bootstrap of correlations.
_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class PointerProjection:
    """The pointers of one or of several runs in two dimensions.

    Attributes
    ----------
    coordinates
        A (T, 2) float64 array for each run, in time order; NaN where there is no pointer.
    components
        (2, C) float64 principal axes, of length 1; 0 where the pointers don't vary in another direction.
    mean
        (C,) float64, the pointer at the origin.
    explained_variance_ratio
        (2,) float64, the share of the pointers' variance along each axis; 0 where there is none.
    """

    coordinates: tuple[NDArray[np.float64], ...]
    components: NDArray[np.float64]
    mean: NDArray[np.float64]
    explained_variance_ratio: NDArray[np.float64]


def project_pointers(runs: Sequence[NDArray[np.floating]]) -> PointerProjection:
    """Project pointers on the two axes along which those of all runs together vary most (PCA).

    The sign of an axis is arbitrary; here the entry of largest magnitude is positive, so that the same pointers
    always give the same picture.

    Parameters
    ----------
    runs
        A (T, C) array for each run. Rows with NaN are no pointers.

    Raises
    ------
    InputError
        If there is no pointer at all, or they are of models whose pointers differ in length.
    """
    arrays = [np.asarray(run, dtype=np.float64) for run in runs]
    _check_lengths(arrays)
    valid = [np.isfinite(array).all(axis=1) for array in arrays]
    pooled = [array[rows] for array, rows in zip(arrays, valid, strict=True)]
    if not any(len(rows) for rows in pooled):
        raise InputError("There is no object pointer to project: track at least one frame first.")
    pointers = np.concatenate(pooled)
    mean = pointers.mean(axis=0)
    _, singular, axes = np.linalg.svd(pointers - mean, full_matrices=False)

    # Equal pointers differ from their mean by rounding, and the axes of rounding errors mean nothing.
    rounding = np.finfo(np.float64).eps * max(pointers.shape) * float(np.abs(pointers).max()) * len(pointers)
    singular = np.where(singular > rounding, singular, 0.0)
    rank = min(2, int(np.count_nonzero(singular)))
    components = np.zeros((2, pointers.shape[1]))
    components[:rank] = axes[:rank]
    largest = np.abs(components).argmax(axis=1)
    components[components[np.arange(2), largest] < 0] *= -1

    ratio = np.zeros(2)
    if rank:
        ratio[:rank] = singular[:rank] ** 2 / (singular**2).sum()
    coordinates = tuple((array - mean) @ components.T for array in arrays)
    for projected, rows in zip(coordinates, valid, strict=True):
        projected[~rows] = np.nan
    return PointerProjection(coordinates, components, mean, ratio)


def twin_distances(
    pointers: NDArray[np.floating],
    frames: Sequence[Hashable],
    twin_pointers: NDArray[np.floating],
    twin_frames: Sequence[Hashable],
) -> NDArray[np.float64]:
    """Return how far each pointer of a clip is from its twin's pointer on the same source frame (L2).

    Parameters
    ----------
    pointers, twin_pointers
        (T, C) and (T', C).
    frames, twin_frames
        What says that two frames are the same: the clip's ``source_frame``, or pairs of source sequence and source
        frame where a clip holds frames of several sequences. A frame that the twin holds twice is matched with its
        first.

    Returns
    -------
    distances
        (T,) float64; NaN where the twin lacks the frame or either has no pointer.

    Raises
    ------
    InputError
        If they are of models whose pointers differ in length.
    """
    _check_lengths((pointers, twin_pointers))
    distances = np.full(len(pointers), np.nan)
    for index, other in same_frames(frames, twin_frames):
        distances[index] = np.linalg.norm(np.subtract(pointers[index], twin_pointers[other], dtype=np.float64))
    return distances


def same_frames(frames: Sequence[Hashable], twin_frames: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the indices of each frame of a clip and of the frame of its twin that shows the same.

    Parameters
    ----------
    frames, twin_frames
        As in `twin_distances`.
    """
    places: dict[Hashable, int] = {}
    for index, key in enumerate(twin_frames):
        places.setdefault(key, index)
    return [(index, places[key]) for index, key in enumerate(frames) if key in places]


def _check_lengths(pointers: Sequence[NDArray[np.floating]]) -> None:
    lengths = sorted({array.shape[1] for array in pointers})
    if len(lengths) > 1:
        raise InputError(
            f"Object pointers of {' and '.join(map(str, lengths))} numbers can't be compared: choose runs of one model."
        )


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation over the frames of several clips.

    Attributes
    ----------
    name
        ``"Pearson"`` or ``"Spearman"``.
    coefficient
        NaN where one of the two quantities doesn't vary or there are fewer than 3 frames.
    interval
        95 % by bootstrap over clips (or coarser groups); None where there is only one to resample, or no coefficient.
    naive_p_value
        The textbook p-value. It takes frames as independent, which frames of one clip are not.
    num_clips, num_frames
        What it was computed from.
    num_groups, group
        How many of what are resampled; ``num_groups`` is None for clips.
    """

    name: str
    coefficient: float
    interval: tuple[float, float] | None
    naive_p_value: float
    num_clips: int
    num_frames: int
    num_groups: int | None = None
    group: str = "clip"

    def __str__(self) -> str:
        """Return the result in words, with what it rests on."""
        if np.isnan(self.coefficient):
            return f"{self.name}: undefined ({self.num_frames} frames, or a quantity that doesn't vary)"
        value = f"{self.name} {self.coefficient:.2f}"
        if self.interval is None:
            alone = f"one {self.group}, so no interval"
            return f"{value} ({alone}; naive p = {self.naive_p_value:.2g}, frames as if independent)"
        low, high = self.interval
        resampled = self.num_clips if self.num_groups is None else self.num_groups
        return f"{value} [{low:.2f}, {high:.2f}] (95 %, bootstrap over {resampled} {self.group}s)"


@dataclass(frozen=True)
class ObscurationResponse:
    """Pointer distance against obscured fraction, one entry a frame that has both.

    Attributes
    ----------
    distance
        (N,) float64, L2 to the twin's pointer.
    obscured_fraction
        (N,) float64 in [0, 1].
    clip_index
        (N,) int64, which of the given clips the frame belongs to.
    frame_index
        (N,) int64, which frame of that clip it is.
    pearson, spearman
        Over all these frames, those at 0 % too.
    """

    distance: NDArray[np.float64]
    obscured_fraction: NDArray[np.float64]
    clip_index: NDArray[np.int64]
    frame_index: NDArray[np.int64]
    pearson: Correlation
    spearman: Correlation

    @property
    def unobscured(self) -> NDArray[np.bool_]:
        """(N,) bool: nothing covers the object; what distance there is has another cause (figure 10, circled)."""
        result: NDArray[np.bool_] = self.obscured_fraction == 0
        return result


def obscuration_response(
    distances: Sequence[ArrayLike],
    obscured_fractions: Sequence[ArrayLike],
    *,
    source_sequences: Sequence[str] | Clusters | None = None,
    num_resamples: int = 2000,
    seed: int = 0,
) -> ObscurationResponse:
    """Correlate pointer distance with obscured fraction over the frames of one or several clips.

    Parameters
    ----------
    distances, obscured_fractions
        A (T,) array for each clip, in the same order; frames where either is NaN are left out.
    source_sequences
        The source sequence of each clip, or `Clusters` of the clips; given, whole sequences are drawn instead of
        clips.
    num_resamples
        Bootstrap resamples. Whole clips are drawn, because frames of a clip are not independent.
    seed
        The same seed gives the same intervals.
    """
    clips: list[NDArray[np.float64]] = []
    origin: list[NDArray[np.int64]] = []
    for index, (distance, fraction) in enumerate(zip(distances, obscured_fractions, strict=True)):
        both = np.stack([np.asarray(distance, np.float64), np.asarray(fraction, np.float64)])
        frames = np.flatnonzero(np.isfinite(both).all(axis=0))
        if frames.size:
            clips.append(both[:, frames])
            origin.append(np.stack([np.full(frames.size, index), frames]))
    pooled = np.concatenate(clips, axis=1) if clips else np.empty((2, 0))
    places = np.concatenate(origin, axis=1) if origin else np.empty((2, 0), dtype=np.int64)
    of_clips = as_clusters(np.arange(len(distances)) if source_sequences is None else source_sequences)
    clusters = of_clips.take(places[0])
    num_groups = clusters.smallest
    weights = clusters.weights(num_resamples, seed) if num_groups > 1 else None

    def correlation(name: str) -> Correlation:
        coefficient = _coefficients(pooled, np.ones((1, pooled.shape[1])), by_rank=name == "Spearman")[0]
        ends = None
        if weights is not None and np.isfinite(coefficient):
            ends = _interval(pooled, clusters.cells, weights, by_rank=name == "Spearman")
        by_sequence = source_sequences is not None
        return Correlation(
            name,
            float(coefficient),
            ends,
            _naive_p_value(float(coefficient), pooled.shape[1]),
            len(clips),
            pooled.shape[1],
            num_groups if by_sequence else None,
            "source sequence" if by_sequence else "clip",
        )

    return ObscurationResponse(
        distance=pooled[0],
        obscured_fraction=pooled[1],
        clip_index=places[0],
        frame_index=places[1],
        pearson=correlation("Pearson"),
        spearman=correlation("Spearman"),
    )


def _interval(
    pairs: NDArray[np.float64], codes: NDArray[np.intp], weights: NDArray[np.float64], *, by_rank: bool
) -> tuple[float, float]:
    at_once = max(1, _NUMBERS_AT_ONCE // pairs.shape[1])
    resampled = [
        _coefficients(pairs, weights[start : start + at_once][:, codes], by_rank=by_rank)
        for start in range(0, len(weights), at_once)
    ]
    # A resample of clips that don't vary has no correlation.
    return interval(np.concatenate(resampled))


def _coefficients(pairs: NDArray[np.float64], weights: NDArray[np.float64], *, by_rank: bool) -> NDArray[np.float64]:
    """Return the correlation of each resample.

    Parameters
    ----------
    pairs
        (2, N).
    weights
        (R, N) whole numbers, how often each pair is in each resample.
    by_rank
        Whether to correlate ranks in the resample (Spearman) instead of values (Pearson).

    Returns
    -------
    coefficients
        (R,); NaN for fewer than 3 pairs, or where one of the two doesn't vary.
    """
    count = weights.sum(axis=1)
    if not pairs.shape[1]:
        return np.full(len(weights), np.nan)
    deviations = []
    for values in pairs:
        numbers = _ranks(values, weights) if by_rank else values[None]
        mean = (weights * numbers).sum(axis=1) / np.maximum(count, 1)
        deviations.append(numbers - mean[:, None])
    first, second = deviations
    spreads = np.stack([(weights * d * d).sum(axis=1) for d in deviations])
    # Not judged by the spreads: what rounding leaves of quantities that don't vary is no variance.
    varies = np.stack([_varies(values, weights) for values in pairs]).all(axis=0)
    coefficients = np.full(len(weights), np.nan)
    np.divide(
        (weights * first * second).sum(axis=1),
        np.sqrt(spreads.prod(axis=0)),
        out=coefficients,
        where=varies & (count >= 3),
    )
    clipped: NDArray[np.float64] = np.clip(coefficients, -1, 1)
    return clipped


def _varies(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether a resample holds two different values, (R,)."""
    drawn = weights > 0
    lowest = np.where(drawn, values, np.inf).min(axis=1)
    highest = np.where(drawn, values, -np.inf).max(axis=1)
    varies: NDArray[np.bool_] = highest > lowest
    return varies


def _ranks(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank (R, N) of each value in each resample, equal values sharing their mean rank."""
    distinct, which = np.unique(values, return_inverse=True)
    order = np.argsort(which, kind="stable")
    begins = np.searchsorted(which[order], np.arange(len(distinct)))
    times = np.add.reduceat(weights[:, order], begins, axis=1)
    ranks = np.cumsum(times, axis=1) - times + (times + 1) / 2
    result: NDArray[np.float64] = ranks[:, which]
    return result


def _naive_p_value(coefficient: float, num_frames: int) -> float:
    if np.isnan(coefficient):
        return float("nan")
    from scipy.special import betainc

    # Student's t test of r with n - 2 degrees of freedom, two-sided, in closed form.
    degrees = num_frames - 2
    return float(betainc(degrees / 2, 0.5, 1 - coefficient**2))
