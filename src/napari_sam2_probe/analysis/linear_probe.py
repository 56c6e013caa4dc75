"""Linear probes: what can be read off an embedding with weights alone, on sequences not fitted to.

Ridge regression on standardised embeddings, in closed form; for two classes it regresses on -1 and 1. Beside every
score stands that of the same probe with labels shuffled by clip: what is left between them (selectivity) is what the
embedding holds, not what a probe of so many weights can learn by heart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc_beside_others
from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate
from napari_sam2_probe.analysis.sequence_folds import sequence_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

PENALTY = 0.1
"""The squared weights count this much for each row that is fitted to."""

SHUFFLES = 5
"""How often labels are shuffled; one shuffle of few clips may happen to be like the truth, or unlike it."""

MOST_ROWS = 4000
"""Of more rows, as many are drawn."""


@dataclass(frozen=True)
class ProbeScore:
    """How well something is read off an embedding.

    Attributes
    ----------
    value
        AUROC of two classes, or a mean score of numbers.
    shuffled
        The same with labels shuffled by clip.
    selectivity
        The difference, on the same rows.
    rows, clips
        What was judged.
    """

    value: Estimate
    shuffled: Estimate
    selectivity: Estimate
    rows: int
    clips: int


@dataclass(frozen=True)
class ProbeData:
    """Rows to fit a probe to and to judge it on.

    Attributes
    ----------
    embeddings
        (N, C); rows with NaN are left out.
    targets
        (N,) bool for two classes, (N, D) float64 for numbers.
    clips
        (N,) the clip of each row.
    base
        (N,) its source sequence.
    others
        (N,) the sequences put into it (`Clusters.of`); None where there are none.
    """

    embeddings: NDArray[np.floating]
    targets: NDArray[np.generic]
    clips: NDArray[np.str_]
    base: NDArray[np.str_]
    others: NDArray[np.str_] | None = None

    @property
    def clusters(self) -> Clusters:
        """What rows have in common."""
        return Clusters.of(self.base, self.others)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> ProbeData:
        """Return some of the rows, (M,) their numbers or (N,) bool."""
        others = None if self.others is None else self.others[rows]
        return ProbeData(self.embeddings[rows], self.targets[rows], self.clips[rows], self.base[rows], others)

    def known(self, seed: int) -> ProbeData:
        """Return the rows without NaN, at most `MOST_ROWS` of them."""
        rows = np.flatnonzero(np.isfinite(self.embeddings).all(axis=1))
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
        taken = self.take(rows)
        return replace(taken, embeddings=np.asarray(taken.embeddings, np.float64))


def ridge(
    embeddings: NDArray[np.float64], targets: NDArray[np.float64], others: NDArray[np.float64], penalty: float = PENALTY
) -> NDArray[np.float64]:
    """Fit a ridge regression and return what it says of other embeddings.

    Parameters
    ----------
    embeddings, targets
        (N, C) and (N, D).
    others
        (M, C).
    penalty
        As `PENALTY`.

    Returns
    -------
    predictions
        (M, D) float64.
    """
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    seen, asked = (embeddings - mean) / scale, (others - mean) / scale
    middle = targets.mean(axis=0)
    rows, channels = seen.shape
    penalty *= rows
    if channels <= rows:
        weights = np.linalg.solve(seen.T @ seen + penalty * np.eye(channels), seen.T @ (targets - middle))
    else:
        # The same in as many equations as there are rows.
        weights = seen.T @ np.linalg.solve(seen @ seen.T + penalty * np.eye(rows), targets - middle)
    predictions: NDArray[np.float64] = asked @ weights + middle
    return predictions


def held_out_predictions(
    data: ProbeData,
    targets: NDArray[np.float64],
    sequences: Mapping[str, Collection[str]],
    *,
    num_folds: int = 3,
    repeats: int = 3,
    seed: int = 0,
    centred: bool = False,
) -> NDArray[np.float64]:
    """Return what probes say of rows (N, D) whose sequences they don't know; NaN where there is none.

    Where a clip is judged in several folds, the mean. `sequences` names by clip all that it shows footage of. If
    `centred`, the mean of what was fitted to is taken away: held-out classes lie on the other side of it, which alone
    puts a probe that knows nothing below chance.
    """
    names = list(dict.fromkeys(data.clips))
    place = {name: k for k, name in enumerate(names)}
    clip_of = np.array([place[name] for name in data.clips], dtype=np.intp)
    total, count = np.zeros(targets.shape), np.zeros(len(targets))
    shown = [sequences[name] for name in names]
    for fitted, judged in sequence_folds(shown, num_folds=num_folds, repeats=repeats, seed=seed):
        rows, asked = fitted[clip_of], judged[clip_of]
        if not asked.any() or np.ptp(targets[rows], axis=0).max(initial=0) == 0:
            continue
        embeddings = np.asarray(data.embeddings, np.float64)
        said = ridge(embeddings[rows], targets[rows], embeddings[asked])
        total[asked] += said - targets[rows].mean(axis=0) if centred else said
        count[asked] += 1
    predictions = np.full(targets.shape, np.nan)
    np.divide(total, count[:, None], out=predictions, where=count[:, None] > 0)
    return predictions


def probe_classes(
    data: ProbeData, sequences: Mapping[str, Collection[str]], *, num_resamples: int = 1000, seed: int = 0
) -> ProbeScore:
    """Probe for one of two classes; with labels shuffled, a coin decides for each clip whether its two are turned.

    Parameters
    ----------
    data
        With bool targets.
    sequences
        By clip, all that it shows footage of.
    num_resamples, seed
        Of the bootstrap over source sequences, and of folds and labels.
    """
    data = data.known(seed)
    labels = np.asarray(data.targets, dtype=np.bool_)
    if not len(labels) or labels.all() or not labels.any():
        missing = Estimate.missing("rows of one class only" if len(labels) else "no rows")
        return ProbeScore(missing, missing, missing, len(labels), 0)
    names = np.array(sorted(set(data.clips)))
    rng = np.random.default_rng(seed)
    targets = [labels]
    for _ in range(SHUFFLES):
        # A coin for each clip: with just half of them, what is held out is turned less where the rest is turned more.
        turned = set(names[rng.random(len(names)) < 0.5])
        targets.append(labels ^ np.array([clip in turned for clip in data.clips]))
    numbers = np.where(np.stack(targets, axis=1), 1.0, -1.0)
    scores = held_out_predictions(data, numbers, sequences, seed=seed, centred=True)
    known = np.asarray(np.isfinite(scores).all(axis=1), np.bool_)
    # Shuffled ones are judged by the labels that they were fitted to.
    pairs = [(scores[known, k], target[known]) for k, target in enumerate(targets)]
    if not known.any():
        missing = Estimate.missing("no sequence could be held out")
        return ProbeScore(missing, missing, missing, 0, 0)
    value, chance, gain = auroc_beside_others(
        *pairs[0], pairs[1:], data.clusters.take(known), num_resamples=num_resamples, seed=seed
    )
    return ProbeScore(value, chance, gain, int(known.sum()), len(set(data.clips[known])))


def probe_numbers(
    data: ProbeData,
    sequences: Mapping[str, Collection[str]],
    score: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[ProbeScore, Estimate, Estimate]:
    """Probe for numbers (N, D); with labels shuffled, clips have each other's.

    Parameters
    ----------
    data
        With targets (N, D) float64.
    sequences
        By clip, all that it shows footage of.
    score
        Says (N,) how good predictions (N, D) are beside the truth (N, D), such as the IoU of boxes.
    num_resamples, seed
        Of the bootstrap over source sequences, and of folds and labels.

    Returns
    -------
    score
        Its value is the mean score.
    baseline
        The mean score of always guessing the mean of what is fitted to.
    gain
        How much better the probe is, on the same rows.
    """
    data = data.known(seed)
    truth = np.asarray(data.targets, dtype=np.float64)
    if len(truth) < 2:
        missing = Estimate.missing("no rows")
        return ProbeScore(missing, missing, missing, len(truth), 0), missing, missing
    names = sorted(set(data.clips))
    order = np.random.default_rng(seed).permutation(len(names))
    other = truth.copy()
    for name, taken in zip(names, order, strict=True):
        rows, source = np.flatnonzero(data.clips == name), np.flatnonzero(data.clips == names[taken])
        other[rows] = truth[source[np.arange(len(rows)) % len(source)]]
    blind = replace(data, embeddings=np.zeros((len(truth), 1)))
    real, shuffled, mean = (
        score(held_out_predictions(rows, target, sequences, seed=seed), target)
        for rows, target in ((data, truth), (data, other), (blind, truth))
    )
    known = np.isfinite(real) & np.isfinite(shuffled)
    reason = "no sequence could be held out"
    value, chance, selectivity, baseline, gain = (
        mean_estimate(values[known], data.clusters.take(known), reason=reason, num_resamples=num_resamples, seed=seed)
        for values in (real, shuffled, real - shuffled, mean, real - mean)
    )
    return ProbeScore(value, chance, selectivity, int(known.sum()), len(set(data.clips[known]))), baseline, gain
