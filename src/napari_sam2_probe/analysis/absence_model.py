"""A linear model that tells from all features of a frame whether the object is absent, judged on what it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.analysis.bootstrap import group_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Transform = Literal["log", "none"]
"""What is done to features first: their logarithm is taken, or nothing."""


def cross_validated_scores(
    values: NDArray[np.float64],
    absent: NDArray[np.bool_],
    groups: NDArray[Any],
    other_values: NDArray[np.float64],
    other_groups: NDArray[Any],
    *,
    num_folds: int,
    transform: Transform,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score frames, each by a model that was fitted without its group.

    Parameters
    ----------
    values
        (N, 3) features of the frames that models are fitted to; finite.
    absent
        (N,) whether the object is not in the frame.
    groups
        (N,) what is held out as a whole: source sequences.
    other_values, other_groups
        (M, 3) and (M,) of frames that are only scored.
    num_folds
        Folds of the cross-validation; as many as there are groups, if these are fewer.
    transform
        What is done to features before they are standardised.

    Returns
    -------
    scores, other_scores
        (N,) and (M,) float64, log-odds of absence. NaN where no model could be fitted without the frame's group.
    """
    scores, other_scores = np.full(len(values), np.nan), np.full(len(other_values), np.nan)
    fold_of_group = _folds(groups, num_folds)
    folds = np.array([fold_of_group[group] for group in groups], dtype=np.int64)
    other_folds = np.array([fold_of_group.get(group, -1) for group in other_groups], dtype=np.int64)
    for fold in (*range(max(fold_of_group.values(), default=-1) + 1), -1):
        held_out, others = folds == fold, other_folds == fold
        if not held_out.any() and not others.any():
            continue
        model = _LinearModel.fit(values[~held_out], absent[~held_out], transform)
        if model is not None:
            scores[held_out], other_scores[others] = model(values[held_out]), model(other_values[others])
    return scores, other_scores


def _folds(groups: NDArray[Any], num_folds: int) -> dict[Any, int]:
    """Deal groups to folds so that folds have about as many frames each: the largest group first, to the smallest fold.

    A single group is a fold of its own, for which no model can be fitted.
    """
    codes, num_groups = group_codes(groups)
    if not num_groups:
        return {}
    names, sizes = np.unique(groups), np.bincount(codes, minlength=num_groups)
    filled = np.zeros(max(1, min(num_folds, num_groups)), dtype=np.int64)
    fold_of_group = {}
    for group in np.argsort(-sizes, kind="stable"):
        fold = int(np.argmin(filled))
        filled[fold] += sizes[group]
        fold_of_group[names[group]] = fold
    return fold_of_group


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
