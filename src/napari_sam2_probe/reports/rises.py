"""How many times as large a feature is on some frames as on ordinary frames of the same clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, mean_estimate

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.reports.subject import Subject


def rise(subject: Subject, kind: str, position: str, feature: str, frames: range) -> Estimate:
    """Estimate the factor between the feature on `frames` and on ordinary frames, the geometric mean over clips.

    Of each clip the means over its frames are compared. Ordinary frames lie in prefix and suffix, are not the first
    of the suffix (it is compared with frames before the interjection), and none of their references is a prompted
    frame or missing.

    Parameters
    ----------
    subject
        The experiment.
    kind, position, feature
        What is looked at.
    frames
        Where the factor is looked for.
    """
    table = subject.results.features
    rows = table[(table["kind"] == kind) & (table["position"] == position)]
    prefix, middle, _ = subject.results.lengths
    ordinary = rows[
        ~rows["frame"].between(prefix, prefix + middle)
        & rows["object_present"].astype(bool)
        & ~rows["prompted_reference"].astype(bool)
        & (rows["window"] >= 5)
    ]
    usual, here = _means(ordinary, feature), _means(rows[rows["frame"].isin(frames)], feature)
    both = usual.index.intersection(here.index)
    sequences = rows.drop_duplicates("clip").set_index("clip")["base_sequence"]
    factors = here[both].to_numpy() / usual[both].to_numpy()
    logs = np.log(factors[factors > 0])
    groups = sequences[both].to_numpy()[factors > 0]
    estimate = mean_estimate(logs, groups, num_resamples=subject.num_resamples, seed=subject.seed)
    value, low, high = np.exp([estimate.value, estimate.low, estimate.high])
    return Estimate(float(value), float(low), float(high), estimate.num_groups, estimate.reason)


def _means(rows: pd.DataFrame, feature: str) -> pd.Series[float]:
    finite = rows[np.isfinite(rows[feature]) & (rows[feature] > 0)]
    means: pd.Series[float] = finite.groupby("clip")[feature].mean()
    return means
