"""How many times as large a feature is on some frames as on ordinary frames of the same clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate
from napari_sam2_probe.common.feature_names import LONG_WINDOW

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.reports.subject import Subject


def rise(subject: Subject, kind: str, position: str, feature: str, frames: range, *, placebo: bool = False) -> Estimate:
    """Estimate the factor between the feature on `frames` and on ordinary frames, the geometric mean over clips.

    Of each clip the means over its frames are compared. Ordinary frames lie in prefix and suffix, are not the first
    of the suffix (it is compared with frames before the interjection), and none of their references is a prompted
    frame or missing.

    Parameters
    ----------
    subject
        The experiment.
    kind, position, feature
        Which clips, and what of them.
    frames
        Where the factor is looked for.
    placebo
        Whether to measure it on the same clips without the change, compared as if the object was absent.
    """
    table = subject.placebo_features if placebo else subject.features
    factors, clips = _factors(subject, table, kind, position, feature, frames)
    known = (factors > 0).to_numpy()
    logs, groups = np.log(factors.to_numpy()[known]), Clusters.of_rows(clips[known])
    estimate = mean_estimate(logs, groups, num_resamples=subject.num_resamples, seed=subject.seed)
    return estimate.exp()


def rise_difference(subject: Subject, first: str, second: str, position: str, feature: str, frames: range) -> Estimate:
    """Estimate how many times as large the rise is in one kind of clip as in another, over clips of the same base.

    Parameters
    ----------
    subject, position, feature, frames
        As for `rise`.
    first, second
        Kinds whose clips of the same number have the same base.

    Returns
    -------
    Estimate
        The geometric mean over pairs of clips; above 1 where the first kind rises more.
    """
    logs = []
    for kind in (first, second):
        factors, _ = _factors(subject, subject.features, kind, position, feature, frames)
        logs.append({_number(clip): float(np.log(value)) for clip, value in factors.items() if value > 0})
    both = [number for number in logs[0] if number in logs[1]]
    table = subject.results.frames
    rows = table[table["kind"] == first].drop_duplicates("clip")
    made_of = rows.assign(number=[_number(clip) for clip in rows["clip"]]).set_index("number")
    estimate = mean_estimate(
        np.array([logs[0][number] - logs[1][number] for number in both]),
        Clusters.of_rows(made_of.loc[both]),
        num_resamples=subject.num_resamples,
        seed=subject.seed,
        reason="no two clips of the same base",
    )
    return estimate.exp()


def _number(clip: object) -> str:
    """Return the number of a clip, which clips of the same base share."""
    return str(clip).rpartition("-")[2]


def _factors(
    subject: Subject, table: pd.DataFrame, kind: str, position: str, feature: str, frames: range
) -> tuple[pd.Series[float], pd.DataFrame]:
    """Return by clip the factor between `frames` and ordinary frames, and what the clip is made of."""
    rows = table[(table["kind"] == kind) & (table["position"] == position)]
    prefix, middle, _ = subject.results.lengths
    ordinary = rows[
        ~rows["frame"].between(prefix, prefix + middle)
        & rows["object_present"].astype(bool)
        & ~rows["prompted_reference"].astype(bool)
        & (rows["window"] >= LONG_WINDOW)
    ]
    usual, here = _means(ordinary, feature), _means(rows[rows["frame"].isin(frames)], feature)
    both = usual.index.intersection(here.index)
    made_of = rows.drop_duplicates("clip").set_index("clip")[["base_sequence", "distractor_sequences"]]
    return here[both] / usual[both], made_of.loc[both]


def _means(rows: pd.DataFrame, feature: str) -> pd.Series[float]:
    finite = rows[np.isfinite(rows[feature]) & (rows[feature] > 0)]
    means: pd.Series[float] = finite.groupby("clip")[feature].mean()
    return means
