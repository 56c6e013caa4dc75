"""The one way in which intervals are made: a bootstrap that draws whole groups.

Frames of a clip are not independent, nor are clips of one sequence. So groups (source sequences; clips where there is
nothing coarser) are drawn with replacement, as many as there are, and each brings all that belongs to it. A resample
is then nothing but a weight for each group, how often it was drawn, and most statistics follow from sums over groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.95
"""The share of resamples between the two ends of an interval."""


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
    """

    value: float
    low: float
    high: float
    num_groups: int
    reason: str = ""

    @classmethod
    def missing(cls, reason: str, num_groups: int = 0) -> Estimate:
        """Return no number, and why."""
        return cls(float("nan"), float("nan"), float("nan"), num_groups, reason)

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
        How many there are; no others where entries have none, or have several.
    """

    cells: NDArray[np.intp]
    bases: NDArray[np.intp]
    others: NDArray[np.intp]
    num_bases: int
    num_others: int

    @classmethod
    def of(cls, bases: NDArray[np.str_], others: NDArray[np.str_], separator: str = "/") -> Clusters:
        """Group entries by both names (N,); where another sequence is missing or several, by the first alone."""
        crossed = len(others) > 0 and all(name and separator not in name for name in others)
        base_codes, num_bases = group_codes(bases)
        other_codes, num_others = group_codes(others) if crossed else (np.zeros(len(bases), np.intp), 0)
        pairs, cells = np.unique(np.stack([base_codes, other_codes], axis=1), axis=0, return_inverse=True)
        return cls(cells.ravel().astype(np.intp), pairs[:, 0], pairs[:, 1], num_bases, num_others)

    @property
    def smallest(self) -> int:
        """The number of independent groups that an interval rests on: the smaller of the two."""
        return min(self.num_bases, self.num_others) if self.num_others else self.num_bases

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


def crossed_mean(values: NDArray[np.float64], clusters: Clusters, num_resamples: int, seed: int) -> Estimate:
    """Estimate a mean, with an interval over both sources of randomness.

    Parameters
    ----------
    values
        (N,) finite.
    clusters
        Of the entries.
    num_resamples, seed
        The same seed gives the same interval.
    """
    num_cells = len(clusters.bases)
    weights = clusters.weights(num_resamples, seed)
    sums = np.bincount(clusters.cells, values, minlength=num_cells)
    counts = np.bincount(clusters.cells, minlength=num_cells).astype(np.float64)
    total = weights @ counts
    resampled = np.divide(weights @ sums, total, out=np.full(num_resamples, np.nan), where=total > 0)
    return estimate_of(float(values.mean()), resampled, clusters.num_bases)


def bounded(estimate: Estimate, num_groups: int) -> Estimate:
    """Widen the interval of a share that is 0 or 1 in every resample to the exact one (Clopper and Pearson).

    A bootstrap of what is always the same has no width, and says that there is no doubt. For `num_groups` groups that
    all agree, a share below ``0.025 ** (1 / num_groups)`` would give that less than once in 40 times.
    """
    if estimate.low != estimate.high or estimate.value not in (0.0, 1.0):
        return estimate
    bound = ((1 - COVERAGE) / 2) ** (1 / max(num_groups, 1))
    low, high = (bound, 1.0) if estimate.value == 1 else (0.0, 1 - bound)
    return Estimate(estimate.value, low, high, estimate.num_groups, estimate.reason)


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
    return Estimate(value, *interval(resampled), num_groups)


def mean_estimate(
    values: ArrayLike, groups: ArrayLike, *, num_resamples: int = 1000, seed: int = 0, reason: str = "no values"
) -> Estimate:
    """Estimate a mean over all entries.

    Parameters
    ----------
    values
        (N,) numbers; entries with NaN are left out.
    groups
        (N,) what is resampled as a whole.
    num_resamples, seed
        The same seed gives the same interval.
    reason
        The text where there is no value.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    finite = np.isfinite(numbers)
    if not finite.any():
        return Estimate.missing(reason)
    numbers = numbers[finite]
    codes, num_groups = group_codes(names[finite])
    weights = group_weights(num_groups, num_resamples, seed)
    sums, counts = group_sums(numbers, codes, num_groups), np.bincount(codes, minlength=num_groups)
    return estimate_of(float(numbers.mean()), (weights @ sums) / (weights @ counts), num_groups)
