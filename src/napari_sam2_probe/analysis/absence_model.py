"""A linear model that tells from all features of a frame whether the object is absent, judged on what it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.analysis.sequence_folds import sequence_folds

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

Transform = Literal["log", "none"]
"""What is done to features first: their logarithm is taken, or nothing."""

_REPEATS = 5
"""How many sets of sequences are held out for each fold, where clips are not in groups without a common sequence."""


def cross_validated_scores(
    values: NDArray[np.float64],
    absent: NDArray[np.bool_],
    fitted_kind: NDArray[np.bool_],
    sequences: Sequence[Collection[str]],
    clip_of: NDArray[np.intp],
    *,
    num_folds: int,
    transform: Transform,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Score frames, each by models that were fitted without any sequence that its clip shows.

    Parameters
    ----------
    values
        (N, 3) features; finite.
    absent
        (N,) whether the object is not in the frame.
    fitted_kind
        (N,) whether models may be fitted to a frame; others are only scored.
    sequences
        Of each of C clips, all that it shows footage of.
    clip_of
        (N,) the clip of each frame.
    num_folds
        Folds of the cross-validation, at most one a group of clips without a sequence in common; where there are no
        such groups, some sequences are held out several times (`sequence_folds`).
    transform
        What is done to features before they are standardised.
    seed
        Of the folds.

    Returns
    -------
    scores
        (N,) float64, log-odds of absence, the mean where several models may judge a frame. NaN where none could be
        fitted without the clip's sequences.
    """
    total, count = np.zeros(len(values)), np.zeros(len(values))
    for fitted, judged in sequence_folds(sequences, num_folds=num_folds, repeats=_REPEATS, seed=seed):
        rows, asked = fitted[clip_of] & fitted_kind, judged[clip_of]
        model = _LinearModel.fit(values[rows], absent[rows], transform) if rows.any() and asked.any() else None
        if model is not None:
            total[asked] += model(values[asked])
            count[asked] += 1
    scores = np.full(len(values), np.nan)
    np.divide(total, count, out=scores, where=count > 0)
    return scores


@dataclass(frozen=True)
class _LinearModel:
    """Logistic regression on standardised (log) features."""

    transform: Transform
    floor: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    @classmethod
    def fit(cls, values: NDArray[np.float64], absent: NDArray[np.bool_], transform: Transform) -> _LinearModel | None:
        """Fit to frames; None if they are all of one class."""
        if absent.all() or not absent.any():
            return None
        from sklearn.linear_model import LogisticRegression

        floor = np.min(values, axis=0, where=values > 0, initial=np.inf)
        floor[~np.isfinite(floor)] = 1
        model = cls(transform, floor, np.zeros(3), np.ones(3), np.zeros(3), 0.0)
        seen = model._transformed(values)
        mean, scale = seen.mean(axis=0), seen.std(axis=0)
        scale[scale == 0] = 1
        # Both classes count alike, however many frames they have, so that a score of 0 favours neither.
        fitted = LogisticRegression(class_weight="balanced", max_iter=1000).fit((seen - mean) / scale, absent)
        return cls(transform, floor, mean, scale, fitted.coef_[0], float(fitted.intercept_[0]))

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of absence."""
        standardised = (self._transformed(values) - self.mean) / self.scale
        scores: NDArray[np.float64] = standardised @ self.coefficients + self.intercept
        return scores

    def _transformed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.maximum(values, self.floor)) if self.transform == "log" else values
