"""Scores of whole data sets of clips: J&F by stage, false positives, re-identification, object score.

Every measure is first computed for each clip, then averaged over clips, each counting alike; intervals are by
bootstrap over source sequences, of bases and of what is put in where that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc_estimate
from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("prefix", "interjection", "suffix")
"""The three parts of a clip."""

ALL_STAGES = "all"
"""Stands for the whole clip."""

REIDENTIFICATION_STAGE = "suffix - prefix"
"""Stands for the difference of two parts."""

CLIP_TABLE_COLUMNS = (
    "kind",
    "stage",
    "measure",
    "value",
    "low",
    "high",
    "num_clips",
    "num_sequences",
    "reason",
)
"""Columns of what `clip_table` returns."""

MEASURES = ("J", "F", "J&F", "false_positive_rate", "reidentification", "object_score_auroc")
"""What the column ``measure`` holds."""


@dataclass(frozen=True, slots=True)
class ClipTableOptions:
    """How the intervals are made.

    Attributes
    ----------
    num_resamples, seed
        Of the bootstrap over source sequences.
    """

    num_resamples: int = 1000
    seed: int = 0


def clip_table(frames: pd.DataFrame, options: ClipTableOptions | None = None) -> pd.DataFrame:
    """Return the scores of every kind of clip, with 95 % intervals by bootstrap over source sequences.

    Parameters
    ----------
    frames
        A frames table: columns kind, clip, base_sequence, frame, stage, object_present, object_score, prompted,
        region, boundary and false_positive, a row for each clip and frame.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        A row for each kind, stage and measure, columns `CLIP_TABLE_COLUMNS`:

        * ``J``, ``F``, ``J&F`` for each of `STAGES` and ``"all"``: mean over clips of the clip's mean over the
          frames that have a score (present, not prompted).
        * ``false_positive_rate``, stage ``"all"``: mean over clips of the share of absent frames on which something
          was predicted; only for kinds with absent frames.
        * ``reidentification``, stage ``"suffix - prefix"``: mean over clips of the suffix's J&F minus the prefix's; 0
          where objects are found again as well as they were tracked before.
        * ``object_score_auroc``, stage ``"all"``: the chance that SAM 2's object score is higher on a present frame
          than on an absent one, prompted frames (whose score is a dummy) left out; only for kinds with absent frames.

        ``num_clips`` and ``num_sequences`` are those that have the measure. Where it is missing, ``value`` is NaN and
        ``reason`` says why; where only the interval is, ``low`` and ``high`` are NaN.
    """
    import pandas as pd

    options = options or ClipTableOptions()
    rows = []
    for kind, of_kind in frames.groupby("kind", sort=True):
        estimates = {**_region_and_boundary(of_kind, options), **_reidentification(of_kind, options)}
        if not of_kind["object_present"].astype(bool).all():
            estimates |= _false_positives(of_kind, options) | _object_score(of_kind, options)
        for (stage, measure), (estimate, num_clips) in estimates.items():
            rows.append(
                {
                    "kind": kind,
                    "stage": stage,
                    "measure": measure,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "num_clips": num_clips,
                    "num_sequences": estimate.num_groups,
                    "reason": estimate.reason,
                }
            )
    return pd.DataFrame(rows, columns=list(CLIP_TABLE_COLUMNS))


_Estimates = dict[tuple[str, str], tuple[Estimate, int]]


def per_clip(frames: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each clip, from which `clip_table` averages.

    Parameters
    ----------
    frames
        As for `clip_table`.

    Returns
    -------
    pandas.DataFrame
        A row for each kind and clip, in this order: columns kind, clip, base_sequence (and distractor_sequences where
        `frames` has it), then ``J_prefix`` and so on
        for each of J, F, J&F and each stage and ``all``, ``reidentification`` and ``false_positive_rate``; NaN where a
        clip has no such frames.
    """
    scored = frames[np.isfinite(frames["region"]) & np.isfinite(frames["boundary"])]
    scored = scored.assign(**{"J": scored["region"], "F": scored["boundary"]})
    scored["J&F"] = (scored["J"] + scored["F"]) / 2
    made_of = [name for name in ("base_sequence", "distractor_sequences") if name in frames]
    clips = frames.groupby(["kind", "clip"], sort=True)[made_of].first()
    for stage in (*STAGES, ALL_STAGES):
        of_stage = scored if stage == ALL_STAGES else scored[scored["stage"] == stage]
        means = of_stage.groupby(["kind", "clip"])[["J", "F", "J&F"]].mean()
        for measure in ("J", "F", "J&F"):
            clips[f"{measure}_{stage}"] = means[measure].astype(np.float64)
    clips["reidentification"] = clips["J&F_suffix"] - clips["J&F_prefix"]
    absent = frames[~frames["object_present"].astype(bool)]
    rates = absent.assign(wrong=absent["false_positive"].astype(np.float64)).groupby(["kind", "clip"])["wrong"].mean()
    clips["false_positive_rate"] = rates.astype(np.float64)
    return clips.reset_index()


def _region_and_boundary(frames: pd.DataFrame, options: ClipTableOptions) -> _Estimates:
    clips = per_clip(frames)
    return {
        (stage, measure): _mean(clips, f"{measure}_{stage}", options, "no present frame has a score here")
        for stage in (ALL_STAGES, *STAGES)
        for measure in ("J", "F", "J&F")
    }


def _reidentification(frames: pd.DataFrame, options: ClipTableOptions) -> _Estimates:
    estimate = _mean(
        per_clip(frames), "reidentification", options, "no clip has scored frames in both prefix and suffix"
    )
    return {(REIDENTIFICATION_STAGE, "reidentification"): estimate}


def _false_positives(frames: pd.DataFrame, options: ClipTableOptions) -> _Estimates:
    estimate = _mean(per_clip(frames), "false_positive_rate", options, "no absent frame was tracked")
    return {(ALL_STAGES, "false_positive_rate"): estimate}


def _object_score(frames: pd.DataFrame, options: ClipTableOptions) -> _Estimates:
    tracked = frames[~frames["prompted"].astype(bool) & np.isfinite(frames["object_score"])]
    estimate = auroc_estimate(
        tracked["object_score"],
        tracked["object_present"].to_numpy(dtype=np.bool_),
        Clusters.of_rows(tracked),
        num_resamples=options.num_resamples,
        seed=options.seed,
    )
    return {(ALL_STAGES, "object_score_auroc"): (estimate, tracked["clip"].nunique())}


def _mean(clips: pd.DataFrame, column: str, options: ClipTableOptions, reason: str) -> tuple[Estimate, int]:
    estimate = mean_estimate(
        clips[column],
        Clusters.of_rows(clips),
        num_resamples=options.num_resamples,
        seed=options.seed,
        reason=reason,
    )
    return estimate, int(np.isfinite(clips[column]).sum())
