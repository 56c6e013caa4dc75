"""A calibrated logistic regression that tells from the signals of a frame whether the object is about to be lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import group_codes
from napari_sam2_probe.common.stretches import stretches_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LOSS = 0.5
"""An object is lost on a frame whose J is below this."""

SIGNALS = (
    "object_score",
    "predicted_iou",
    "candidate_disagreement",
    "d1_4r",
    "d5_4r",
    "d1_5r",
    "d5_5r",
    "attention_entropy",
)
"""What a run records of every frame; ``d1_4r`` is the short-term distance at position 4r, ``d5_5r`` the long-term one
at 5r."""

DISTANCES = ("d1_4r", "d5_4r", "d1_5r", "d5_5r")
"""Signals of which the logarithm is taken."""

_LEAST_DISTANCE = 1e-6


@dataclass(frozen=True)
class LossModel:
    """A calibrated logistic regression.

    Attributes
    ----------
    signals
        What it takes, names of `SIGNALS`.
    mean, scale, coefficients
        (S,) float64 each: signals (distances as logarithms) are standardised; one that is missing counts as its mean.
    intercept
        Of the regression.
    slope, shift
        Platt's calibration: the log-odds are ``slope * score + shift``.
    """

    signals: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float
    slope: float = 1.0
    shift: float = 0.0

    def log_odds(self, values: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
        """Return the calibrated log-odds of loss (N,) from the signals (N,) by name; NaN where all are missing."""
        columns = _columns(values, self.signals)
        known = np.isfinite(columns)
        standardised = np.where(known, (columns - self.mean) / self.scale, 0.0)
        score = standardised @ self.coefficients + self.intercept
        return np.where(known.any(axis=1), self.slope * score + self.shift, np.nan)

    def probability(self, values: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
        """Return the probability of loss (N,); NaN where all signals are missing."""
        return sigmoid(self.log_odds(values))


def losses_ahead(region: NDArray[np.floating], horizon: int, *, threshold: float = LOSS) -> NDArray[np.float64]:
    """Return for each frame whether the object is lost on one of the next frames.

    Parameters
    ----------
    region
        (T,) J of each frame of a clip, NaN where there is none (absent or prompted).
    horizon
        How many frames ahead, k: frames t + 1 to t + k.
    threshold
        J below which the object is lost.

    Returns
    -------
    losses
        (T,) float64: 1, 0, or NaN where none of these frames has a J, or the clip ends before and none was lost.
    """
    num_frames = len(region)
    losses = np.full(num_frames, np.nan)
    for t in range(num_frames):
        ahead = region[t + 1 : t + 1 + horizon]
        known = ahead[np.isfinite(ahead)]
        if known.size and (known < threshold).any():
            losses[t] = 1
        elif known.size and t + horizon < num_frames:
            losses[t] = 0
    return losses


def doubtful_stretches(probability: NDArray[np.floating], threshold: float = 0.5) -> list[tuple[int, int]]:
    """Return the stretches of frames on which loss is likely, as first and last frame.

    Parameters
    ----------
    probability
        (T,) of one object; NaN where there is none.
    threshold
        From which probability on a frame is doubtful.
    """
    return stretches_of(np.nan_to_num(probability, nan=0.0) >= threshold)


def next_doubtful_frame(probability: NDArray[np.floating], after: int = -1, threshold: float = 0.5) -> int | None:
    """Return where the next stretch of doubtful frames begins after a frame; None where there is none."""
    starts = [first for first, _ in doubtful_stretches(probability, threshold) if first > after]
    return starts[0] if starts else None


def _columns(values: Mapping[str, NDArray[np.floating]], signals: Sequence[str]) -> NDArray[np.float64]:
    columns = []
    for signal in signals:
        column = np.asarray(values[signal], dtype=np.float64)
        columns.append(np.log(np.maximum(column, _LEAST_DISTANCE)) if signal in DISTANCES else column)
    return np.stack(columns, axis=1)


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into probabilities."""
    probability: NDArray[np.float64] = 0.5 * (1 + np.tanh(log_odds / 2))
    return probability


def _regression(
    values: Mapping[str, NDArray[np.float64]],
    losses: NDArray[np.float64],
    rows: NDArray[np.bool_],
    signals: Sequence[str],
) -> LossModel | None:
    """Fit to the rows; None if they are all of one class."""
    labels = losses[rows] > 0
    if labels.all() or not labels.any():
        return None
    from sklearn.linear_model import LogisticRegression

    columns = _columns(values, signals)[rows]
    known = np.isfinite(columns)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, columns, 0).sum(axis=0) / counts
    scale = np.sqrt((np.where(known, columns - mean, 0) ** 2).sum(axis=0) / counts)
    scale[scale == 0] = 1
    standardised = np.where(known, (columns - mean) / scale, 0.0)
    fitted = LogisticRegression(max_iter=1000).fit(standardised, labels)
    return LossModel(tuple(signals), mean, scale, fitted.coef_[0].copy(), float(fitted.intercept_[0]))


def fit_loss_model(
    values: Mapping[str, NDArray[np.float64]],
    losses: NDArray[np.float64],
    rows: NDArray[np.bool_],
    base: NDArray[np.str_],
    signals: Sequence[str],
    num_folds: int = 4,
) -> LossModel | None:
    """Fit to some rows, and calibrate on source sequences that the regression was not fitted to.

    Parameters
    ----------
    values
        The signals (N,) by name.
    losses
        (N,): 1 where the object is lost on one of the next frames, 0 where it isn't; anything outside of `rows`.
    rows
        (N,) what is fitted to.
    base
        (N,) source sequences.
    signals
        What the model takes.
    num_folds
        Into how many parts source sequences are dealt for the calibration.

    Returns
    -------
    LossModel or None
        None where all rows are of one class; not calibrated where there is one source sequence.
    """
    model = _regression(values, losses, rows, signals)
    codes, num_groups = group_codes(base[rows])
    if model is None or num_groups < 2:
        return model
    scores = np.full(len(losses), np.nan)
    fold = np.full(len(losses), -1)
    fold[rows] = codes % min(num_folds, num_groups)
    for k in range(min(num_folds, num_groups)):
        part = _regression(values, losses, rows & (fold != k), signals)
        if part is not None:
            held_out = rows & (fold == k)
            scores[held_out] = part.log_odds({name: column[held_out] for name, column in values.items()})
    calibrated = rows & np.isfinite(scores)
    labels = losses[calibrated] > 0
    if labels.all() or not labels.any():
        return model
    from sklearn.linear_model import LogisticRegression

    # Weak regularisation keeps the slope finite where classes are separable.
    platt = LogisticRegression(C=100.0, max_iter=1000).fit(scores[calibrated, None], labels)
    return replace(model, slope=float(platt.coef_[0, 0]), shift=float(platt.intercept_[0]))
