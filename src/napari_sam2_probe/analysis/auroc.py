"""The area under the ROC curve, with its grouped bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import (
    Clusters,
    Estimate,
    as_clusters,
    bounded,
    estimate_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the chance that a positive scores higher than a negative, ties counted half; NaN with one class only.

    Parameters
    ----------
    scores
        (N,) finite.
    positive
        (N,) bool.
    """
    numbers, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.bool_)
    wins = _wins(numbers[is_positive], np.sort(numbers[~is_positive]))
    pairs = is_positive.sum() * (~is_positive).sum()
    return float(wins.sum() / pairs) if pairs else float("nan")


def auroc_estimate(
    scores: ArrayLike, positive: ArrayLike, groups: ArrayLike | Clusters, *, num_resamples: int = 1000, seed: int = 0
) -> Estimate:
    """Estimate an AUROC with an interval by bootstrap over groups, the exact one where it reads as 0.00 or 1.00.

    With plain groups exactly what a bootstrap of the frames themselves gives, but in the time of one AUROC: the wins of
    the positives of one group over the negatives of another are counted once, and a resample only weighs these counts.
    Of two crossed groups a pair that is drawn several times isn't compared with copies of itself: the positives and
    negatives of a clip are more alike than those of different clips, and copies would count as different clips.

    Parameters
    ----------
    scores
        (N,); entries with NaN are left out.
    positive
        (N,) bool.
    groups
        (N,) what is resampled as a whole, or `Clusters`.
    num_resamples, seed
        The same seed gives the same interval.
    """
    numbers, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.bool_)
    # An infinite score has its rank like any other.
    known = ~np.isnan(numbers)
    if not known.any():
        return Estimate.missing("no frame has a score")
    numbers, is_positive, clusters = numbers[known], is_positive[known], as_clusters(groups).take(known)
    if is_positive.all() or not is_positive.any():
        return Estimate.missing("all frames are of one class", clusters.smallest)
    value, resampled = _resampled_crossed(numbers, is_positive, clusters, clusters.weights(num_resamples, seed))
    return bounded(estimate_of(value, resampled, clusters.smallest), clusters.smallest)


def auroc_difference(
    first: ArrayLike,
    second: ArrayLike,
    positive: ArrayLike,
    groups: ArrayLike | Clusters,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Estimate how much larger the AUROC of one score is than that of another on the same frames.

    Both are computed in the same resamples, so that what moves both alike doesn't widen the interval.

    Parameters
    ----------
    first, second
        (N,); frames where either is NaN are left out.
    positive
        (N,) bool.
    groups
        (N,) what is resampled as a whole, or `Clusters`.
    num_resamples, seed
        The same seed gives the same interval.
    """
    scores = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    known = np.asarray(~np.isnan(scores).any(axis=0), np.bool_)
    if not known.any():
        return Estimate.missing("no frame has both scores")
    scores, is_positive = scores[:, known], np.asarray(positive, dtype=np.bool_)[known]
    clusters = as_clusters(groups).take(known)
    if is_positive.all() or not is_positive.any():
        return Estimate.missing("all frames are of one class", clusters.smallest)
    weights = clusters.weights(num_resamples, seed)
    (value, resampled), (less, resampled_less) = (
        _resampled_crossed(one, is_positive, clusters, weights) for one in scores
    )
    return estimate_of(value - less, resampled - resampled_less, clusters.smallest)


def auroc_beside_others(
    score: ArrayLike,
    positive: ArrayLike,
    others: Sequence[tuple[ArrayLike, ArrayLike]],
    groups: ArrayLike | Clusters,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[Estimate, Estimate, Estimate]:
    """Estimate an AUROC, the mean of several others on the same frames, and how much larger the first is.

    Parameters
    ----------
    score, positive
        (N,) finite, and (N,) bool.
    others
        The same for each of the others, which may tell other classes.
    groups
        (N,) what is resampled as a whole, or `Clusters`.
    num_resamples, seed
        The same seed gives the same intervals.
    """
    clusters = as_clusters(groups)
    num_groups = clusters.smallest
    pairs = [(np.asarray(s, np.float64), np.asarray(p, np.bool_)) for s, p in ((score, positive), *others)]
    if any(p.all() or not p.any() for _, p in pairs):
        missing = Estimate.missing("all frames are of one class", num_groups)
        return missing, missing, missing
    weights = clusters.weights(num_resamples, seed)
    (value, resampled), *found = (_resampled_crossed(s, p, clusters, weights) for s, p in pairs)
    mean = float(np.mean([other for other, _ in found]))
    resampled_mean = np.mean([other for _, other in found], axis=0)
    return (
        bounded(estimate_of(value, resampled, num_groups), num_groups),
        estimate_of(mean, resampled_mean, num_groups),
        estimate_of(value - mean, resampled - resampled_mean, num_groups),
    )


def equal_error_threshold(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the threshold at or above which to call positive so that both kinds of error are equally frequent.

    That is, the share of negatives called positive (false alarms) and the share of positives missed differ least; of
    several such thresholds the highest. It lies halfway between two neighbouring scores. Unlike the threshold of
    largest hit rate minus false-alarm rate (Youden) it doesn't run to an end where scores tell nothing. NaN with one
    class only.

    Parameters
    ----------
    scores
        (N,); entries with NaN are left out.
    positive
        (N,) bool.
    """
    numbers, is_positive = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.bool_)
    known = ~np.isnan(numbers)
    numbers, is_positive = numbers[known], is_positive[known]
    if not is_positive.any() or is_positive.all():
        return float("nan")
    values, codes = np.unique(numbers, return_inverse=True)
    hits = np.bincount(codes, is_positive, minlength=len(values)) / is_positive.sum()
    alarms = np.bincount(codes, ~is_positive, minlength=len(values)) / (~is_positive).sum()
    # At index i everything from the i-th lowest score on is called positive.
    false_alarms, missed = np.cumsum(alarms[::-1])[::-1], np.cumsum(hits) - hits
    imbalance = np.abs(false_alarms - missed).round(12)
    best = len(values) - 1 - int(np.argmin(imbalance[::-1]))
    if best == 0:
        return float(values[0])
    below, above = float(values[best - 1]), float(values[best])
    middle = below + (above - below) / 2
    # Neighbouring floats have nothing between them, and infinity no middle.
    return middle if below < middle < above else above


def _resampled_crossed(
    scores: NDArray[np.float64], is_positive: NDArray[np.bool_], clusters: Clusters, weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    return _resampled(scores, is_positive, clusters.cells, weights, copies=not clusters.num_others)


def _resampled(
    scores: NDArray[np.float64],
    is_positive: NDArray[np.bool_],
    codes: NDArray[np.intp],
    weights: NDArray[np.float64],
    *,
    copies: bool = True,
) -> tuple[float, NDArray[np.float64]]:
    """Return the AUROC, and that of each resample: NaN for one that holds one class only.

    Without `copies` a group that was drawn several times isn't compared with copies of itself.
    """
    num_resamples, num_groups = weights.shape
    order = np.argsort(scores[is_positive], kind="stable")
    positives, of_positive = scores[is_positive][order], codes[is_positive][order]
    wins = np.zeros((num_groups, num_groups))
    for side in ("left", "right"):
        # From which positive on a negative is beaten; ties count in one of the two, which is half a win.
        first = np.searchsorted(positives, scores[~is_positive], side=side)
        places = first * num_groups + codes[~is_positive]
        counted = np.bincount(places, minlength=(len(positives) + 1) * num_groups).reshape(-1, num_groups)
        np.add.at(wins, of_positive, counted.cumsum(axis=0)[:-1] / 2)
    num_positive = np.bincount(of_positive, minlength=num_groups).astype(np.float64)
    num_negative = np.bincount(codes[~is_positive], minlength=num_groups).astype(np.float64)
    pairs = (weights @ num_positive) * (weights @ num_negative)
    won = ((weights @ wins) * weights).sum(axis=1)
    if not copies:
        among_copies = weights * (weights - 1)
        pairs -= among_copies @ (num_positive * num_negative)
        won -= among_copies @ np.diag(wins)
    resampled = np.full(num_resamples, np.nan)
    np.divide(won, pairs, out=resampled, where=pairs > 0)
    return float(wins.sum() / (num_positive.sum() * num_negative.sum())), resampled


def _wins(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many of `others` (sorted) each score beats, ties counted half."""
    below = np.searchsorted(others, scores, side="left")
    not_above = np.searchsorted(others, scores, side="right")
    wins: NDArray[np.float64] = (below + not_above) / 2
    return wins
