"""Linear CKA: how alike two representations of the same things are, up to rotation and scale.

The unbiased estimate (Song et al., Feature Selection via Dependence Maximization, JMLR 2012; Nguyen, Raghu, Kornblith,
Do Wide and Deep Networks Learn the Same Things?, ICLR 2021): the usual one is near 1 for any two representations of
fewer things than channels, whatever they hold. It may be below 0 by chance where there is nothing in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, group_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_LEAST = 4
_QUANTILE = 1.959963984540054


def unbiased_cka(first: ArrayLike, second: ArrayLike) -> float:
    """Return the linear CKA of two representations of the same N things.

    Parameters
    ----------
    first, second
        (N, C) and (N, D), finite.

    Returns
    -------
    float
        At most 1; 1 where one is a rotation and scaling of the other, near 0 where they have nothing in common. NaN
        for fewer than 4 things, or where one of the two doesn't vary.
    """
    kernels = [_kernel(np.asarray(values, np.float64)) for values in (first, second)]
    return _cka(*kernels)


def cka_estimate(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]],
    groups: ArrayLike,
) -> Estimate:
    """Return the mean unbiased linear CKA of pairs of representations, with an interval by jackknife over groups.

    A bootstrap would put the same thing into a resample twice, which makes any two representations look alike. For the
    same reason things that resemble each other, such as frames of a clip, belong into pairs of their own.

    Parameters
    ----------
    pairs
        Each (N, C) and (N, D) of the same N things; rows with NaN in either are left out.
    groups
        (N,) what is left out as a whole.
    """
    names = np.asarray(groups)
    codes, number = group_codes(names)
    prepared = []
    for first, second in pairs:
        a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
        known = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
        prepared.append((_kernel(a[known]), _kernel(b[known]), codes[known]))
    value = _mean([_cka(a, b) for a, b, _ in prepared])
    if not np.isfinite(value):
        return Estimate.missing("too few things, or nothing that varies", number)
    if number < 2:
        return Estimate(value, float("nan"), float("nan"), number, "only one source sequence")
    without = []
    for group in range(number):
        kept = [(a, b, np.flatnonzero(own != group)) for a, b, own in prepared]
        without.append(_mean([_cka(a[np.ix_(k, k)], b[np.ix_(k, k)]) for a, b, k in kept]))
    spread = np.array([one for one in without if np.isfinite(one)])
    if spread.size < 2:
        return Estimate(value, float("nan"), float("nan"), number, "too few things without a source sequence")
    error = float(np.sqrt((spread.size - 1) / spread.size * ((spread - spread.mean()) ** 2).sum()))
    return Estimate(value, value - _QUANTILE * error, value + _QUANTILE * error, number)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _kernel(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the products of all pairs, after taking away the mean, which changes nothing but rounding."""
    centred = values - values.mean(axis=0) if len(values) else values
    products: NDArray[np.float64] = centred @ centred.T
    return products


def _cka(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if len(first) < _LEAST:
        return float("nan")
    both, own, other = (_hsic(a, b) for a, b in ((first, second), (first, first), (second, second)))
    if not (own > 0 and other > 0):
        return float("nan")
    return float(both / np.sqrt(own * other))


def _hsic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the unbiased estimate of HSIC (Song et al., equation 5)."""
    n = len(first)
    a, b = first - np.diag(np.diag(first)), second - np.diag(np.diag(second))
    rows_a, rows_b = a.sum(axis=1), b.sum(axis=1)
    value = (a * b).sum() + rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * rows_a @ rows_b
    return float(value / (n * (n - 3)))
