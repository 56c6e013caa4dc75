"""Will SAM 2 lose the object soon? A calibrated probability from what a run records anyway.

Loss is a J below 0.5 on at least one of the next k frames. A logistic regression on what is known when frame t is done
(nothing of later frames), its log-odds calibrated by Platt's method on sequences that it was not fitted to, for each of
several k. It is judged on clips that share no sequence with those it was fitted to, beside the same made of the object
score alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc_difference, auroc_estimate
from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate
from napari_sam2_probe.analysis.loss_model import (
    LOSS,
    SIGNALS,
    LossModel,
    fit_loss_model,
    losses_ahead,
    sigmoid,
)
from napari_sam2_probe.analysis.sequence_folds import sequence_folds
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import interval

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

HORIZONS = (1, 5, 10)
"""How many frames ahead is looked."""

BASELINE = ("object_score",)
"""What the warning must beat."""

BINS = 5
"""Points of a calibration curve."""


@dataclass(frozen=True)
class Calibration:
    """How often what was given some probability came true.

    Attributes
    ----------
    predicted, observed, low, high
        (B,) float64: mean probability of each bin of equally many frames, the share of losses, and its 95 % interval
        by bootstrap over sequences.
    num_frames
        (B,) frames in each.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    num_frames: NDArray[np.int64]


@dataclass(frozen=True)
class Judgement:
    """How good warnings were on sequences they were not fitted to.

    Attributes
    ----------
    auroc, auroc_baseline, auroc_gain
        All signals, the object score alone, and the difference on the same frames.
    brier, brier_baseline, brier_gain
        Mean squared error of the probability; the gain is how much smaller it is than the baseline's.
    brier_constant
        Of always saying the share of losses, which knows no signal.
    calibration
        Of all signals.
    frames, losses, clips
        What it rests on.
    """

    auroc: Estimate
    auroc_baseline: Estimate
    auroc_gain: Estimate
    brier: Estimate
    brier_baseline: Estimate
    brier_gain: Estimate
    brier_constant: float
    calibration: Calibration
    frames: int
    losses: int
    clips: int


@dataclass(frozen=True)
class HorizonWarning:
    """The warning for one k.

    Attributes
    ----------
    horizon
        How many frames ahead.
    model, baseline
        Fitted to all clips: all signals, and the object score alone.
    everywhere, held
        Judged on all frames, and on those whose own J is at least 0.5: only there is loss still to come.
    """

    horizon: int
    model: LossModel
    baseline: LossModel
    everywhere: Judgement
    held: Judgement


@dataclass(frozen=True)
class WarningOptions:
    """How warnings are fitted and judged.

    Attributes
    ----------
    horizons
        How many frames ahead is looked.
    num_folds, repeats
        As of `sequence_folds`.
    num_resamples, seed
        Of the bootstrap over source sequences, and of the folds.
    """

    horizons: tuple[int, ...] = HORIZONS
    num_folds: int = 3
    repeats: int = 5
    num_resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class LossWarning:
    """Warnings of loss for one model.

    Attributes
    ----------
    checkpoint, sha256
        The model whose runs they were fitted to; no SHA-256 where it was untrained.
    horizons
        One for each k, in rising order.
    sequences
        What they were fitted to.
    options
        How.
    """

    checkpoint: str
    sha256: str | None
    horizons: tuple[HorizonWarning, ...]
    sequences: tuple[str, ...]
    options: WarningOptions = field(default_factory=WarningOptions)

    def __repr__(self) -> str:
        ahead = ", ".join(str(one.horizon) for one in self.horizons)
        return f"<LossWarning for {self.checkpoint}, {ahead} frames ahead, from {len(self.sequences)} sequences>"

    def at(self, horizon: int) -> HorizonWarning:
        """Return the warning that looks so many frames ahead.

        Raises
        ------
        InputError
            If there is none.
        """
        for one in self.horizons:
            if one.horizon == horizon:
                return one
        there = ", ".join(str(one.horizon) for one in self.horizons)
        raise InputError(f"The warning looks {there} frames ahead, not {horizon}: choose one of these.")

    def __str__(self) -> str:
        """Return what it is worth, a few lines."""
        lines = [f"Warns of a loss (J below {LOSS:g}) by the checkpoint {self.checkpoint}, from:"]
        lines += [f"  {', '.join(SIGNALS)}", f"fitted to {', '.join(self.sequences)}."]
        for one in self.horizons:
            ahead = "the next frame" if one.horizon == 1 else f"the next {one.horizon} frames"
            lines += [f"Within {ahead}: {verdict(one)}"]
        return "\n".join(lines)

    def check_made_for(self, checkpoint: str, sha256: str | None) -> None:
        """Make sure that a run was made with the model that it was fitted to.

        Raises
        ------
        InputError
            If it wasn't.
        """
        if self.sha256 != sha256 or (sha256 is None and self.checkpoint != checkpoint):
            raise InputError(
                f"The warning was fitted to runs of {self.checkpoint} and the run was made with {checkpoint}, whose "
                "numbers mean something else: fit one with 'sam2-probe warning fit'."
            )


def verdict(warning: HorizonWarning) -> str:
    """Say in a sentence whether the warning beats the object score alone, where the object is still held."""
    judged = warning.held
    if not np.isfinite(judged.auroc.value):
        return f"it can't be judged ({judged.auroc.reason})."
    gain = judged.auroc_gain
    numbers = (
        f"AUROC {_said(judged.auroc)} against {_said(judged.auroc_baseline)} of the object score alone (difference "
        f"{interval(gain.value, gain.low, gain.high, 3)}), on {judged.frames} frames that still hold the object, "
        f"{judged.losses} of them before a loss"
    )
    if not np.isfinite(gain.low):
        return f"{numbers}. There is too little for an interval, so it can't be told whether it is better."
    if gain.low > 0:
        return f"{numbers}. It is better than the object score alone."
    if gain.high < 0:
        return f"{numbers}. It is WORSE than the object score alone."
    return f"{numbers}. It is NO BETTER than the object score alone, as far as can be told."


def fit_warning(
    frames: pd.DataFrame,
    sequences: Mapping[str, Collection[str]],
    options: WarningOptions | None = None,
    *,
    checkpoint: str = "",
    sha256: str | None = None,
) -> LossWarning:
    """Fit warnings to clips whose true masks are known, and judge them on sequences held out.

    Parameters
    ----------
    frames
        A row a frame: columns clip, base_sequence, frame, region (J, NaN where there is none), prompted, and
        `SIGNALS`. `clip` names a clip of one kind, frames in order.
    sequences
        By clip, all sequences that it shows footage of.
    options
        How.
    checkpoint, sha256
        The model.

    Raises
    ------
    InputError
        If there is no loss, nothing but losses, or a single source sequence.
    """
    options = options or WarningOptions()
    table = frames.sort_values(["clip", "frame"], kind="stable").reset_index(drop=True)
    clips = table["clip"].to_numpy()
    names = list(dict.fromkeys(clips))
    values = {signal: table[signal].to_numpy(dtype=np.float64) for signal in SIGNALS}
    region = table["region"].to_numpy(dtype=np.float64)
    base = table["base_sequence"].to_numpy()
    usable = ~table["prompted"].to_numpy(dtype=np.bool_) & np.isfinite(values["object_score"])
    folds = list(
        sequence_folds(
            [sequences[name] for name in names],
            num_folds=options.num_folds,
            repeats=options.repeats,
            seed=options.seed,
        )
    )
    place = {name: k for k, name in enumerate(names)}
    clip_of = np.array([place[name] for name in clips], dtype=np.intp)
    horizons = []
    for horizon in sorted(options.horizons):
        losses = np.concatenate([losses_ahead(region[clips == name], horizon) for name in names])
        known = usable & np.isfinite(losses)
        _check_fittable(losses[known], base[known])
        judged = {
            which: _out_of_fold(values, losses, known, base, clip_of, folds, which) for which in (SIGNALS, BASELINE)
        }
        models = {which: fit_loss_model(values, losses, known, base, which) for which in (SIGNALS, BASELINE)}
        full, alone = models[SIGNALS], models[BASELINE]
        assert full is not None
        assert alone is not None
        holding = known & (region >= LOSS)
        horizons.append(
            HorizonWarning(
                horizon,
                full,
                alone,
                *(
                    judge(judged[SIGNALS], judged[BASELINE], losses, rows, base, clips, options)
                    for rows in (known, holding)
                ),
            )
        )
    shown = sorted(frozenset().union(*(sequences[name] for name in names)))
    return LossWarning(checkpoint, sha256, tuple(horizons), tuple(shown), options)


def _check_fittable(losses: NDArray[np.float64], base: NDArray[np.str_]) -> None:
    if not losses.size or losses.min() == losses.max():
        what = "no frame to fit to" if not losses.size else "no loss" if losses.max() == 0 else "nothing but losses"
        raise InputError(f"A warning of loss can't be fitted: there is {what}. Use more clips, or harder ones.")
    if len(set(base)) < 2:
        raise InputError("A warning of loss can't be fitted to a single source sequence: use more sequences.")


def _out_of_fold(
    values: Mapping[str, NDArray[np.float64]],
    losses: NDArray[np.float64],
    known: NDArray[np.bool_],
    base: NDArray[np.str_],
    clip_of: NDArray[np.intp],
    folds: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    signals: Sequence[str],
) -> NDArray[np.float64]:
    """Return the probability (N,) given by models that know no sequence of the frame's clip; NaN where there is none.

    Where a clip is judged in several folds, its mean log-odds count.
    """
    total, count = np.zeros(len(losses)), np.zeros(len(losses))
    for fitted, judged in folds:
        model = fit_loss_model(values, losses, known & fitted[clip_of], base, signals)
        if model is None:
            continue
        rows = known & judged[clip_of]
        total[rows] += model.log_odds({name: column[rows] for name, column in values.items()})
        count[rows] += 1
    log_odds = np.full(len(losses), np.nan)
    np.divide(total, count, out=log_odds, where=count > 0)
    return sigmoid(log_odds)


def judge(
    probability: NDArray[np.float64],
    baseline: NDArray[np.float64],
    losses: NDArray[np.float64],
    rows: NDArray[np.bool_],
    base: NDArray[np.str_],
    clips: NDArray[np.str_],
    options: WarningOptions,
) -> Judgement:
    """Judge probabilities (N,) of held-out frames beside those of the object score alone, on some `rows` (N,)."""
    rows = rows & np.isfinite(probability) & np.isfinite(baseline)
    given, alone, groups = probability[rows], baseline[rows], base[rows]
    lost = losses[rows] > 0
    how = {"num_resamples": options.num_resamples, "seed": options.seed}
    reason = "no frame of a sequence that could be held out"
    errors, errors_alone = (given - lost) ** 2, (alone - lost) ** 2
    share = float(lost.mean()) if lost.size else float("nan")
    return Judgement(
        auroc_estimate(given, lost, groups, **how),
        auroc_estimate(alone, lost, groups, **how),
        auroc_difference(given, alone, lost, groups, **how),
        mean_estimate(errors, groups, reason=reason, **how),
        mean_estimate(errors_alone, groups, reason=reason, **how),
        mean_estimate(errors_alone - errors, groups, reason=reason, **how),
        share * (1 - share),
        calibration_curve(given, lost, groups, **how),
        int(lost.size),
        int(lost.sum()),
        len(set(clips[rows])),
    )


def calibration_curve(
    probability: NDArray[np.float64],
    lost: NDArray[np.bool_],
    groups: NDArray[np.str_],
    *,
    bins: int = BINS,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Return how often what was given some probability came true, in bins of equally many frames.

    Parameters
    ----------
    probability, lost, groups
        (N,) each; groups are resampled as a whole.
    bins
        How many, at most one a frame.
    num_resamples, seed
        Of the bootstrap.
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    observed = [
        mean_estimate(lost[part].astype(np.float64), groups[part], num_resamples=num_resamples, seed=seed)
        for part in parts
    ]
    return Calibration(
        np.array([probability[part].mean() for part in parts]),
        np.array([one.value for one in observed]),
        np.array([one.low for one in observed]),
        np.array([one.high for one in observed]),
        np.array([part.size for part in parts], dtype=np.int64),
    )


def _said(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
