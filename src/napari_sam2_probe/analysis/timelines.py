"""Features over time of whole data sets: mean and median per frame (figures 16, 17, 20, 23, 28)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, group_sums, interval
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, LONG_TERM, LONG_WINDOW

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TIMELINE_COLUMNS = (
    "kind",
    "position",
    "feature",
    "frame",
    "mean",
    "mean_low",
    "mean_high",
    "median",
    "median_low",
    "median_high",
    "num_clips",
    "num_sequences",
    "present_share",
)
"""Columns of what `feature_timelines` returns."""


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """How timelines are computed.

    Attributes
    ----------
    full_window
        Whether the long-term distance begins where its window is full. With two or three references the variance in
        its denominator makes it tens to hundreds of times what it is later.
    prompted_references
        Whether frames whose references hold a prompted frame are used, as in the paper.
    num_resamples, seed
        Of the bootstrap over source sequences, of bases and of what is put in where that is known.
    """

    full_window: bool = True
    prompted_references: bool = True
    num_resamples: int = 1000
    seed: int = 0


def feature_timelines(features: pd.DataFrame, options: TimelineOptions | None = None) -> pd.DataFrame:
    """Return mean and median over clips per frame, each with a 95 % interval by bootstrap over source sequences.

    Parameters
    ----------
    features
        A features table: columns kind, clip, base_sequence, frame, position, object_present, prompted_reference,
        window and `FEATURE_COLUMNS`; with a column distractor_sequences intervals are over these too.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        A row for each kind, position, feature and frame, columns `TIMELINE_COLUMNS`. Clips whose feature is missing
        or infinite on a frame are left out there; where none is left everything is NaN and ``num_clips`` 0. With one
        source sequence the intervals are NaN. ``present_share`` is the share of these clips whose object is present
        on the frame (0 on absent frames, which figures mark).
    """
    import pandas as pd

    options = options or TimelineOptions()
    parts = []
    for (kind, position), rows in features.groupby(["kind", "position"], sort=True):
        for feature in FEATURE_COLUMNS:
            values = rows[feature].to_numpy(dtype=np.float64).copy()
            if feature == LONG_TERM.column and options.full_window:
                values[rows["window"].to_numpy() < LONG_WINDOW] = np.nan
            if not options.prompted_references:
                values[rows["prompted_reference"].to_numpy(dtype=np.bool_)] = np.nan
            part = _timeline(rows.assign(value=np.where(np.isfinite(values), values, np.nan)), options)
            parts.append(part.assign(kind=str(kind), position=str(position), feature=feature))
    if not parts:
        return pd.DataFrame(columns=list(TIMELINE_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(TIMELINE_COLUMNS)]


def _timeline(rows: pd.DataFrame, options: TimelineOptions) -> pd.DataFrame:
    import pandas as pd

    table = rows.pivot(index="clip", columns="frame", values="value").sort_index()
    present = rows.pivot(index="clip", columns="frame", values="object_present").sort_index().to_numpy(dtype=np.float64)
    clusters = Clusters.of_rows(rows.drop_duplicates("clip").set_index("clip").loc[table.index])
    values = table.to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    codes, num_groups = clusters.cells, len(clusters.bases)
    weights = clusters.weights(options.num_resamples, options.seed)

    num_clips = known.sum(axis=0)
    mean, median = np.full(len(num_clips), np.nan), np.full(len(num_clips), np.nan)
    ends = np.full((4, len(num_clips)), np.nan)
    num_sequences = np.zeros(len(num_clips), dtype=np.int64)
    share = np.full(len(num_clips), np.nan)
    for index in np.flatnonzero(num_clips):
        here = known[:, index]
        numbers = values[here, index]
        mean[index], median[index] = numbers.mean(), np.median(numbers)
        num_sequences[index] = len(np.unique(clusters.bases[codes[here]]))
        share[index] = present[here, index].mean()
        if num_sequences[index] > 1:
            sums, counts = group_sums(numbers, codes[here], num_groups), np.bincount(codes[here], minlength=num_groups)
            total = weights @ counts
            # A resample may hold none of the sequences that have the feature here.
            means = (weights @ sums)[total > 0] / total[total > 0]
            ends[:2, index] = interval(means)
            ends[2:, index] = interval(resampled_medians(numbers, codes[here], weights))
    return pd.DataFrame(
        {
            "frame": table.columns.to_numpy(),
            "mean": mean,
            "mean_low": ends[0],
            "mean_high": ends[1],
            "median": median,
            "median_low": ends[2],
            "median_high": ends[3],
            "num_clips": num_clips,
            "num_sequences": num_sequences,
            "present_share": share,
        }
    )


def resampled_medians(
    values: NDArray[np.float64], codes: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the median of each resample.

    Parameters
    ----------
    values
        (N,) finite.
    codes
        (N,) the group of each.
    weights
        (R, G) whole numbers, how often each group is in each resample.

    Returns
    -------
    medians
        (R,) what ``numpy.median`` gives of each resample written out; NaN for one without any value.
    """
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    # How many of the lowest i values each group holds: a resample's count up to there is one product with its weights,
    # so the value in the middle is found by bisection without writing resamples out.
    counts = np.zeros((len(values) + 1, weights.shape[1]))
    counts[np.arange(1, len(values) + 1), codes[order]] = 1
    np.cumsum(counts, axis=0, out=counts)
    total = weights @ counts[-1]
    # The two in the middle, counted from 0; of an odd number they are one.
    middle = [_first_beyond((total - 1) // 2, counts, weights), _first_beyond(total // 2, counts, weights)]
    medians = np.full(len(weights), np.nan)
    drawn = total > 0
    medians[drawn] = (in_order[middle[0][drawn]] + in_order[middle[1][drawn]]) / 2
    return medians


def _first_beyond(
    rank: NDArray[np.float64], counts: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the index of the first value up to which a resample holds more than `rank` values."""
    low, high = np.zeros(len(rank), dtype=np.intp), np.full(len(rank), len(counts) - 2, dtype=np.intp)
    while (low < high).any():
        middle = (low + high) // 2
        enough = np.einsum("rg,rg->r", counts[middle + 1], weights) > rank
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle + 1, high))
    return low
