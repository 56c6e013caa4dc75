"""The one way in which intervals are made: a bootstrap that draws whole groups.

Frames of a clip are not independent, nor are clips of one sequence. So groups (source sequences; clips where there is
nothing coarser) are drawn with replacement, as many as there are, and each brings all that belongs to it. A resample
is then nothing but a weight for each group, how often it was drawn, and most statistics follow from sums over groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.95
"""The share of resamples between the two ends of an interval."""

LEAST_GROUPS = 6
"""With fewer groups, all of one sign would still be chance more often than once in twenty: nothing can be claimed."""

_READS_AS_END = 0.005
"""A share this close to 0 or 1 reads as 0.00 or 1.00."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value
        From all the data; NaN where there is none.
    low, high
        The ends of the 95 % interval (percentiles of the resamples); NaN where there is none.
    num_groups
        Groups with data, which is what the interval rests on.
    reason
        Why the value or its interval is missing; empty where nothing is.
    resampled
        (num_resamples,) what each resample gave, where it is known: for intervals of several numbers at once
        (`familywise`). It isn't stored, and doesn't count when estimates are compared.
    """

    value: float
    low: float
    high: float
    num_groups: int
    reason: str = ""
    resampled: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def missing(cls, reason: str, num_groups: int = 0) -> Estimate:
        """Return no number, and why."""
        return cls(float("nan"), float("nan"), float("nan"), num_groups, reason)

    def exp(self) -> Estimate:
        """Return the estimate of the factor of which this is the logarithm."""
        value, low, high = np.exp([self.value, self.low, self.high]).tolist()
        resampled = None if self.resampled is None else np.exp(self.resampled)
        return replace(self, value=value, low=low, high=high, resampled=resampled)

    def __str__(self) -> str:
        """Return it as text; what is missing is said."""
        if np.isnan(self.value):
            return f"none ({self.reason})"
        if np.isnan(self.low):
            return f"{self.value:.3f} (no interval: {self.reason})"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Clusters:
    """What entries have in common: the sequence they are made from, and the one that is put into it.

    Attributes
    ----------
    cells
        (N,) which pair of the two an entry is of.
    bases, others
        (K,) the two sequences of each pair, as numbers.
    num_bases, num_others
        How many there are; no others where entries have none, or have several, or all have the same.
    """

    cells: NDArray[np.intp]
    bases: NDArray[np.intp]
    others: NDArray[np.intp]
    num_bases: int
    num_others: int

    @classmethod
    def of(cls, bases: ArrayLike, others: ArrayLike | None = None, separator: str = "/") -> Clusters:
        """Group entries by both names (N,); where another sequence is missing or several, by the first alone."""
        bases = np.asarray(bases)
        names = np.zeros(0, np.str_) if others is None else np.asarray(others)
        crossed = len(names) > 0 and all(name and separator not in name for name in names)
        return cls._of_codes(bases, names if crossed else np.zeros(len(bases), np.intp))

    @classmethod
    def of_rows(cls, rows: pd.DataFrame) -> Clusters:
        """Group the rows of a table by ``base_sequence`` and, where there is that column, ``distractor_sequences``."""
        others = rows["distractor_sequences"].fillna("").to_numpy(str) if "distractor_sequences" in rows else None
        return cls.of(rows["base_sequence"].to_numpy(), others)

    @classmethod
    def _of_codes(cls, bases: NDArray[np.generic], others: NDArray[np.generic]) -> Clusters:
        base_codes, num_bases = group_codes(bases)
        other_codes, num_others = group_codes(others)
        if num_others < 2:
            # What is the same in all entries can't be drawn: the interval is for that one sequence.
            other_codes, num_others = np.zeros(len(base_codes), np.intp), 0
        pairs, cells = np.unique(np.stack([base_codes, other_codes], axis=1), axis=0, return_inverse=True)
        return cls(cells.ravel().astype(np.intp), pairs[:, 0], pairs[:, 1], num_bases, num_others)

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.cells)

    @property
    def smallest(self) -> int:
        """The number of independent groups that an interval rests on: the smaller of the two."""
        return min(self.num_bases, self.num_others) if self.num_others else self.num_bases

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Clusters:
        """Return the same of some of the entries, (N,) bool or their numbers."""
        cells = self.cells[chosen]
        return Clusters._of_codes(self.bases[cells], self.others[cells])

    def weights(self, num_resamples: int, seed: int) -> NDArray[np.float64]:
        """Draw resamples: the weight of each pair, the product of how often its two sequences were drawn.

        Returns
        -------
        weights
            (num_resamples, K) float64.
        """
        weights = group_weights(self.num_bases, num_resamples, seed)[:, self.bases]
        if self.num_others:
            # Another stream: a name that is in both roles is drawn for each.
            weights = weights * group_weights(self.num_others, num_resamples, seed + 1)[:, self.others]
        return weights


def as_clusters(groups: ArrayLike | Clusters) -> Clusters:
    """Return `groups` as clusters: names (N,) are sequences that entries are made from."""
    return groups if isinstance(groups, Clusters) else Clusters.of(groups)


def bounded(estimate: Estimate, num_groups: int) -> Estimate:
    """Widen the interval of a share that reads as 0.00 or 1.00 to the exact one (Clopper and Pearson).

    A bootstrap can't see beyond what was drawn: where all groups agree, or nearly, its interval has no width, or nearly
    none, and seems to leave no doubt. It is widened to the exact interval of `num_groups` independent trials with the
    same share. If all of them agree the lower bound is ``0.025 ** (1 / num_groups)``: a smaller share would give that
    less than once in 40 times.
    """
    if not (np.isfinite(estimate.low) and num_groups):
        return estimate
    tail, share = (1 - COVERAGE) / 2, estimate.value
    low, high = estimate.low, estimate.high
    if share > 1 - _READS_AS_END:
        low = min(low, _beta_quantile(tail, share * num_groups, (1 - share) * num_groups + 1))
    if share < _READS_AS_END:
        high = max(high, 1 - _beta_quantile(tail, (1 - share) * num_groups, share * num_groups + 1))
    return replace(estimate, low=low, high=high)


def _beta_quantile(level: float, a: float, b: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, level)) if a > 0 else 0.0


def group_codes(groups: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """Give each group a number, in sorted order of their names.

    Returns
    -------
    codes
        (N,) which group each entry belongs to.
    num_groups
        How many there are.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    return codes.astype(np.intp), len(names)


def group_weights(num_groups: int, num_resamples: int, seed: int) -> NDArray[np.float64]:
    """Draw resamples: how often each group is in each of them.

    Returns
    -------
    weights
        (num_resamples, num_groups) float64 whole numbers; each row sums to `num_groups`.
    """
    drawn = np.random.default_rng(seed).integers(num_groups, size=(num_resamples, num_groups))
    # All rows counted at once: each gets its own range of bins.
    bins = drawn + np.arange(num_resamples)[:, None] * num_groups
    counts = np.bincount(bins.ravel(), minlength=num_resamples * num_groups)
    return counts.reshape(num_resamples, num_groups).astype(np.float64)


def group_sums(values: NDArray[np.floating], codes: NDArray[np.intp], num_groups: int) -> NDArray[np.float64]:
    """Sum over the entries of each group.

    Parameters
    ----------
    values
        (N, ...) finite numbers.
    codes, num_groups
        As from `group_codes`.

    Returns
    -------
    sums
        (num_groups, ...) float64.
    """
    sums = np.zeros((num_groups, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the 95 % interval; resamples without a value (NaN) are left out."""
    finite = resampled[np.isfinite(resampled)]
    if not finite.size:
        return float("nan"), float("nan")
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def estimate_of(
    value: float, resampled: NDArray[np.float64], num_groups: int, *, reason: str = "", what: str = "source sequence"
) -> Estimate:
    """Put a value and its resamples together; with fewer than two groups there is no interval.

    Parameters
    ----------
    value
        From all the data.
    resampled
        (num_resamples,) the same statistic of each resample.
    num_groups
        Groups with data.
    reason
        Why `value` is NaN, where it is.
    what
        What a group is, in the singular.
    """
    if np.isnan(value):
        return Estimate.missing(reason, num_groups)
    if num_groups < 2:
        return Estimate(value, float("nan"), float("nan"), num_groups, f"only one {what}")
    return Estimate(value, *interval(resampled), num_groups, resampled=resampled)


def familywise(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Widen the intervals of several estimates so that all of them hold at once in 95 of 100 cases (max-T).

    In each resample the largest deviation of any estimate counts, in units of half its own interval at that side; the
    95 % quantile of that over resamples is how much wider all intervals must be. Far out in the tails few groups vary
    more than their resamples show, so that this normal quantile is exchanged for Student's. Estimates whose resamples
    were drawn with the same seed over the same sequences go together; others count as independent, which is never too
    narrow. So do those that were read from a file, whose resamples aren't known: their deviations are drawn from a
    normal distribution.
    Those without an interval are returned as they are and don't count.
    """
    counted = [k for k, one in enumerate(estimates) if np.isfinite(one.low)]
    sizes = {len(resamples) for k in counted if (resamples := estimates[k].resampled) is not None}
    if len(sizes) != 1:
        return list(estimates)
    largest = np.zeros(sizes.pop())
    rng = np.random.default_rng(0)
    for k in counted:
        largest = np.maximum(largest, _deviations(estimates[k], len(largest), rng))
    found = list(estimates)
    for k in counted:
        one = found[k]
        times = _student(max(1.0, float(np.quantile(largest, COVERAGE))), one.num_groups)
        found[k] = replace(
            one, low=one.value - times * (one.value - one.low), high=one.value + times * (one.high - one.value)
        )
    return found


def _deviations(one: Estimate, num_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how far each resample (num_resamples,) lies from the value, in half widths at that side."""
    if one.resampled is None:
        from scipy.special import ndtri

        normal: NDArray[np.float64] = np.abs(rng.standard_normal(num_resamples)) / ndtri(1 - (1 - COVERAGE) / 2)
        return normal
    deviation = one.resampled - one.value
    half = np.where(deviation > 0, one.high - one.value, one.value - one.low)
    ratio = np.divide(np.abs(deviation), half, out=np.zeros_like(deviation), where=half > 0)
    ratio[~np.isfinite(ratio)] = 0
    return ratio


def _student(times: float, num_groups: int) -> float:
    """Exchange a number of half widths of a normal 95 % interval for what few groups need."""
    from scipy.special import ndtr, ndtri, stdtrit

    half = ndtri(1 - (1 - COVERAGE) / 2)
    return float(stdtrit(max(num_groups - 1, 1), ndtr(times * half)) / half)


def stored_fields(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the dictionary of a dataclass that is written to a file: estimates without their resamples.

    To be passed to `dataclasses.asdict` as ``dict_factory``.
    """
    return {name: value for name, value in items if name != "resampled"}


def mean_estimate(
    values: ArrayLike,
    groups: ArrayLike | Clusters,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
    reason: str = "no values",
) -> Estimate:
    """Estimate a mean over all entries.

    Parameters
    ----------
    values
        (N,) numbers; entries with NaN are left out.
    groups
        (N,) what is resampled as a whole, or `Clusters`.
    num_resamples, seed
        The same seed gives the same interval.
    reason
        The text where there is no value.
    """
    numbers = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(numbers)
    if not finite.any():
        return Estimate.missing(reason)
    numbers, clusters = numbers[finite], as_clusters(groups).take(finite)
    weights = clusters.weights(num_resamples, seed)
    num_cells = len(clusters.bases)
    sums = np.bincount(clusters.cells, numbers, minlength=num_cells)
    counts = np.bincount(clusters.cells, minlength=num_cells).astype(np.float64)
    total = weights @ counts
    # Of two crossed groups a resample may hold no pair at all.
    resampled = np.divide(weights @ sums, total, out=np.full(num_resamples, np.nan), where=total > 0)
    return estimate_of(float(numbers.mean()), resampled, clusters.smallest)
