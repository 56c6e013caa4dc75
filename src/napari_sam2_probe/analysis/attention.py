"""How evenly attention is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def share_entropy(shares: ArrayLike) -> NDArray[np.float64]:
    """Return how evenly attention is spread over the entries of a bank: 0 all on one, 1 the same on each.

    Parameters
    ----------
    shares
        (..., E): what each entry received; they sum to 1.

    Returns
    -------
    entropy
        (...) float64: Shannon's entropy over its largest value, log E; NaN for a bank of one entry.
    """
    values = np.asarray(shares, dtype=np.float64)
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    entropy: NDArray[np.float64] = -(values * logs).sum(axis=-1) / np.log(values.shape[-1])
    return entropy
