"""Whether a position speaks of the object or of the context, from pairs of clips that share one of the two.

After Islam et al., Shape or Texture: Understanding Discriminative Features in CNNs (ICLR 2021): what two things have in
common is what the channels that agree on them stand for. Pairs that share the object: a clean clip and the same with
its context removed. Pairs that share the context: a clean clip and the same with another object pasted in, which is
then the object of interest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, estimate_of, group_codes, group_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST_PAIRS = 4


@dataclass(frozen=True)
class ObjectOrContext:
    """What a position's channels have in common.

    Attributes
    ----------
    same_object, same_context
        Mean over channels of the correlation, over pairs that share it, of the channel's two values.
    object_share
        ``same_object / (same_object + same_context)``, correlations below 0 counted as 0: 1 where the position speaks
        of the object alone, 0 where of the context alone.
    pairs
        How many pairs of each kind there are.
    """

    same_object: Estimate
    same_context: Estimate
    object_share: Estimate
    pairs: tuple[int, int]


def object_or_context(
    object_pairs: tuple[NDArray[np.floating], NDArray[np.floating]],
    object_groups: Sequence[str],
    context_pairs: tuple[NDArray[np.floating], NDArray[np.floating]],
    context_groups: Sequence[str],
    context_others: Sequence[str] | None = None,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> ObjectOrContext:
    """Compare how well the channels of a position agree on objects and on contexts.

    Parameters
    ----------
    object_pairs
        Two (N, C) arrays: in row k the two clips of a pair that share the object. Rows with NaN are left out.
    object_groups
        (N,) source sequences.
    context_pairs, context_groups
        The same of pairs that share the context.
    context_others
        (N,) the sequence that is put into each of these; it is drawn too.
    num_resamples, seed
        Of the bootstrap over source sequences, the same for both kinds of pairs.
    """
    first, object_names = _known(object_pairs, object_groups)
    second, context_names = _known(context_pairs, context_groups)
    others = None if context_others is None else _known(context_pairs, context_others)[1]
    pairs = (len(object_names), len(context_names))
    names = np.concatenate([object_names, context_names])
    if min(pairs) < _LEAST_PAIRS:
        missing = Estimate.missing(f"there are fewer than {_LEAST_PAIRS} pairs")
        return ObjectOrContext(missing, missing, missing, pairs)
    codes, number = group_codes(names)
    weights = np.concatenate([np.ones((1, number)), group_weights(number, num_resamples, seed)])
    of_object, of_context = weights[:, codes[: pairs[0]]], weights[:, codes[pairs[0] :]]
    pasted = Clusters.of(context_names, others)
    if pasted.num_others:
        drawn = group_weights(pasted.num_others, num_resamples, seed + 1)[:, pasted.others[pasted.cells]]
        of_context = of_context * np.concatenate([np.ones((1, drawn.shape[1])), drawn])
        number = min(number, pasted.num_others)
    agreements = [mean_correlation(*first, of_object), mean_correlation(*second, of_context)]
    positive = [np.maximum(agreement, 0) for agreement in agreements]
    total = positive[0] + positive[1]
    share = np.divide(positive[0], total, out=np.full_like(total, np.nan), where=total > 0)
    reason = "no channel varies"
    same_object, same_context, object_share = (
        estimate_of(float(values[0]), values[1:], number, reason=reason) for values in (*agreements, share)
    )
    return ObjectOrContext(same_object, same_context, object_share, pairs)


def mean_correlation(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over channels of the correlation over rows, for each resample.

    Parameters
    ----------
    first, second
        (N, C) finite.
    weights
        (R, N) how often each row is in each resample.

    Returns
    -------
    means
        (R,) float64; channels that don't vary in a resample are left out, NaN where none does.
    """
    # A resample of two crossed groups may hold nothing: no channel varies then.
    count = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    # About the same origin, so that little is lost where values are far from 0.
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    mean_a, mean_b = weights @ a / count, weights @ b / count
    spread_a = weights @ a**2 / count - mean_a**2
    spread_b = weights @ b**2 / count - mean_b**2
    together = weights @ (a * b) / count - mean_a * mean_b
    varies = (spread_a > 1e-12 * np.maximum(a.var(axis=0), 1e-300)) & (
        spread_b > 1e-12 * np.maximum(b.var(axis=0), 1e-300)
    )
    correlation = np.full_like(together, np.nan)
    np.divide(together, np.sqrt(np.abs(spread_a * spread_b)), out=correlation, where=varies)
    known = varies.sum(axis=1)
    total = np.where(varies, np.clip(correlation, -1, 1), 0).sum(axis=1)
    means = np.full(len(total), np.nan)
    np.divide(total, known, out=means, where=known > 0)
    return means


def _known(
    pairs: tuple[NDArray[np.floating], NDArray[np.floating]], groups: Sequence[str]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.str_]]:
    first, second = (np.asarray(one, dtype=np.float64) for one in pairs)
    known = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    return (first[known], second[known]), np.asarray(groups, dtype=np.str_)[known]
