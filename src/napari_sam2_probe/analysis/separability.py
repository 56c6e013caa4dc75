"""Whether features tell frames without the object from frames with it (figures 18, 19, 21, 22, 24-27, 29, 30).

Three features of a frame (`FEATURE_COLUMNS`) at one position inside SAM 2, each alone and all together in a linear
model, are judged as a detector of absent frames. Everything is resampled by source sequence, of bases and of what is
put into them. The linear model never scores a clip that shows any sequence that it was fitted to, nor is a threshold
used on a clip that shows any that it was set on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.absence_model import Transform, cross_validated_scores
from napari_sam2_probe.analysis.auroc import auroc_difference, auroc_estimate, equal_error_threshold
from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, bounded, mean_estimate
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, LONG_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

COMBINED = "combined"
"""Name of the linear combination of all three."""

THRESHOLD_KIND = "interjection"
"""The kind whose threshold others are judged at."""

SEPARABILITY_COLUMNS = (
    "position",
    "feature",
    "kind",
    "measure",
    "value",
    "low",
    "high",
    "threshold",
    "num_absent",
    "num_present",
    "num_sequences",
    "reason",
)
"""Columns of `Separability.table`."""

DIFFERENCE_COLUMNS = (
    "position",
    "other",
    "feature",
    "kind",
    "value",
    "low",
    "high",
    "num_absent",
    "num_present",
    "num_sequences",
    "reason",
)
"""Columns of `Separability.differences`."""


@dataclass(frozen=True, slots=True)
class SeparabilityOptions:
    """How separability is measured; stored beside the results.

    Attributes
    ----------
    transform
        What the linear model sees: ``"log"``, the logarithm of each feature (they are positive and heavy-tailed; a
        zero counts as the smallest positive value that the model was fitted on), or ``"none"``. A single feature's
        AUROC is the same either way.
    num_folds
        Folds of the cross-validation: into how many parts sequences are dealt.
    prompted_references
        Whether frames whose references hold a prompted frame are used, as in the paper.
    full_window
        Whether only frames with all five references of the long-term window are used.
    num_resamples, seed
        Of the bootstrap.
    """

    transform: Transform = "log"
    num_folds: int = 3
    prompted_references: bool = True
    full_window: bool = False
    num_resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Separability:
    """How well absent frames are told from present ones.

    Attributes
    ----------
    table
        A row for each position, feature (the three and ``"combined"``) and kind, columns `SEPARABILITY_COLUMNS`:

        * ``measure``: ``"auroc"`` for kinds with absent frames, the chance that an absent frame scores higher than a
          present one; ``"false_alarm_rate"`` for the others, the share of their frames that score at or above
          ``threshold``.
        * ``value, low, high``: the measure and its 95 % interval; NaN where there is none, then ``reason`` says why.
        * ``threshold``: of the score (the feature itself; log-odds for ``"combined"``), where on interjection clips
          as many present frames score higher as absent ones score lower (equal error). Each frame is judged by the
          threshold of those clips that show none of its clip's sequences; the column has their median over frames.
          They are taken as given: the interval of a false-alarm rate doesn't hold their uncertainty.
        * ``num_absent, num_present, num_sequences``: what it rests on; of the sequences that clips are made from and
          those that are put in, the fewer.
    scores
        The linear model's score of each frame used, out of fold: columns kind, clip, base_sequence, frame, position,
        object_present, score (log-odds of absence with both classes weighed alike; NaN where no model could be
        fitted).
    options
        How it was measured.
    differences
        For kinds with absent frames, a row for each pair of positions that was recorded, feature and kind,
        columns `DIFFERENCE_COLUMNS`: how much larger the AUROC at ``position`` is than at ``other``, on the frames
        that can be used at both and in the same resamples. Of 4 and 4r, or 5 and 5r, it is the gate's share.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    options: SeparabilityOptions
    differences: pd.DataFrame


def separability(
    features: pd.DataFrame, options: SeparabilityOptions | None = None, *, pairs: Sequence[tuple[str, str]] = ()
) -> Separability:
    """Measure how well each feature, and all together, tell absent from present frames.

    Parameters
    ----------
    features
        A features table: columns kind, clip, base_sequence, frame, position, object_present, prompted_reference,
        window and `FEATURE_COLUMNS`, a row for each frame and position. With a column distractor_sequences intervals
        are over both sources of randomness and no sequence is on both sides of a fold; without, clips count as made of
        their base alone. Frames where one of the three features is missing or infinite are left out of everything, so
        that all are judged on the same frames.
    options
        How.
    pairs
        Numbers of positions whose AUROCs are compared; pairs that were not both recorded are left out.
    """
    import pandas as pd

    options = options or SeparabilityOptions()
    used = usable_frames(features, options)
    # A position or kind none of whose frames can be used still has its row, which says so.
    positions = sorted(features["position"].unique())
    kinds = _kinds_in_order(features["kind"].unique().tolist())
    rows: list[dict[str, Any]] = []
    scored_at: dict[str, pd.DataFrame] = {}
    with_absent = set(features["kind"][~features["object_present"].astype(bool)])
    for position in positions:
        at_position = used[used["position"] == position]
        scored = _with_combined_scores(at_position, kinds, with_absent, options)
        for feature in (*FEATURE_COLUMNS, COMBINED):
            rows.extend(_rows(scored, str(position), feature, kinds, with_absent, options))
        scored_at[str(position)] = scored
    made_of = [name for name in ("base_sequence", "distractor_sequences") if name in used]
    names = ["kind", "clip", *made_of, "frame", "position", "object_present", "score"]
    scores = [scored.rename(columns={COMBINED: "score"})[names] for scored in scored_at.values()]
    return Separability(
        table=pd.DataFrame(rows, columns=list(SEPARABILITY_COLUMNS)),
        scores=pd.concat(scores, ignore_index=True) if scores else pd.DataFrame(columns=names),
        options=options,
        differences=pd.DataFrame(
            _differences(scored_at, pairs, [kind for kind in kinds if kind in with_absent], options),
            columns=list(DIFFERENCE_COLUMNS),
        ),
    )


def usable_frames(features: pd.DataFrame, options: SeparabilityOptions) -> pd.DataFrame:
    """Return the rows of a features table that separability is measured on."""
    keep = np.isfinite(features[list(FEATURE_COLUMNS)].to_numpy(dtype=np.float64)).all(axis=1)
    if not options.prompted_references:
        keep &= ~features["prompted_reference"].to_numpy(dtype=np.bool_)
    if options.full_window:
        keep &= features["window"].to_numpy() >= LONG_WINDOW
    used: pd.DataFrame = features[keep]
    return used


def _kinds_in_order(kinds: Sequence[str]) -> list[str]:
    """Interjection first, as the others are judged at its threshold."""
    return sorted(kinds, key=lambda kind: (kind != THRESHOLD_KIND, kind))


def _rows(
    scored: pd.DataFrame,
    position: str,
    feature: str,
    kinds: Sequence[str],
    with_absent: set[str],
    options: SeparabilityOptions,
) -> Iterator[dict[str, Any]]:
    thresholds = held_out_thresholds(scored, feature)
    for kind in kinds:
        here = (scored["kind"] == kind).to_numpy()
        frames, threshold = scored[here], thresholds[here]
        absent = ~frames["object_present"].to_numpy(dtype=np.bool_)
        values = frames[feature].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        if kind in with_absent:
            measure = "auroc"
            estimate = _auroc(values, absent, frames, options)
        else:
            measure = "false_alarm_rate"
            estimate = _false_alarm_rate(values, threshold, frames, options)
        yield {
            "position": position,
            "feature": feature,
            "kind": kind,
            "measure": measure,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "threshold": float(np.median(threshold[np.isfinite(threshold)]))
            if np.isfinite(threshold).any()
            else float("nan"),
            "num_absent": int((absent & known).sum()),
            "num_present": int((~absent & known).sum()),
            "num_sequences": estimate.num_groups,
            "reason": estimate.reason,
        }


def _differences(
    scored_at: dict[str, pd.DataFrame],
    pairs: Sequence[tuple[str, str]],
    kinds: Sequence[str],
    options: SeparabilityOptions,
) -> Iterator[dict[str, Any]]:
    wanted = ["kind", "clip", "frame", *FEATURE_COLUMNS, COMBINED]
    for position, other in pairs:
        if position not in scored_at or other not in scored_at:
            continue
        both = scored_at[position].merge(
            scored_at[other][wanted], on=["kind", "clip", "frame"], suffixes=("", "_other")
        )
        for feature in (*FEATURE_COLUMNS, COMBINED):
            for kind in kinds:
                frames = both[both["kind"] == kind]
                absent = ~frames["object_present"].to_numpy(dtype=np.bool_)
                pair = frames[[feature, f"{feature}_other"]].to_numpy(dtype=np.float64)
                known = np.isfinite(pair).all(axis=1)
                estimate = auroc_difference(
                    pair[:, 0],
                    pair[:, 1],
                    absent,
                    Clusters.of_rows(frames),
                    num_resamples=options.num_resamples,
                    seed=options.seed,
                )
                yield {
                    "position": position,
                    "other": other,
                    "feature": feature,
                    "kind": kind,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "num_absent": int((absent & known).sum()),
                    "num_present": int((~absent & known).sum()),
                    "num_sequences": estimate.num_groups,
                    "reason": estimate.reason,
                }


def held_out_thresholds(scored: pd.DataFrame, feature: str, setting: pd.DataFrame | None = None) -> NDArray[np.float64]:
    """Return for each row the equal-error threshold of `THRESHOLD_KIND` clips that show none of its clip's sequences.

    Parameters
    ----------
    scored
        Columns kind, clip, base_sequence, object_present and `feature`; distractor_sequences where it is known.
    feature
        What the threshold is of.
    setting
        The rows that thresholds are set on, if not those of `scored`.

    Returns
    -------
    thresholds
        (N,) NaN where no clip is left to set one on.
    """
    setting = scored if setting is None else setting
    setting = setting[setting["kind"] == THRESHOLD_KIND]
    values, absent = setting[feature].to_numpy(np.float64), ~setting["object_present"].to_numpy(dtype=np.bool_)
    of_setting, shown = shown_sequences(setting), shown_sequences(scored)
    found: dict[frozenset[str], float] = {}
    for names in set(shown.values()):
        others = {clip: not (sequences & names) for clip, sequences in of_setting.items()}
        kept = setting["clip"].map(others).to_numpy(dtype=np.bool_)
        found[names] = equal_error_threshold(values[kept], absent[kept])
    return np.array([found[shown[clip]] for clip in scored["clip"]], dtype=np.float64)


def shown_sequences(rows: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return by clip all sequences that it is made of: ``base_sequence``, and ``distractor_sequences`` if there."""
    of_clip = rows.drop_duplicates("clip")
    others = of_clip["distractor_sequences"].fillna("") if "distractor_sequences" in of_clip else [""] * len(of_clip)
    return {
        str(clip): frozenset([str(base), *(name for name in str(other).split("/") if name)])
        for clip, base, other in zip(of_clip["clip"], of_clip["base_sequence"], others, strict=True)
    }


def _auroc(
    values: NDArray[np.float64], absent: NDArray[np.bool_], frames: pd.DataFrame, options: SeparabilityOptions
) -> Estimate:
    if not values.size:
        return Estimate.missing("no frame has all three features")
    if absent.all() or not absent.any():
        return Estimate.missing(f"no {'present' if absent.all() else 'absent'} frame has all three features")
    if np.isnan(values).all():
        return Estimate.missing("no linear model could be fitted without the clips' own source sequences")
    clusters = Clusters.of_rows(frames)
    return auroc_estimate(values, absent, clusters, num_resamples=options.num_resamples, seed=options.seed)


def _false_alarm_rate(
    values: NDArray[np.float64], threshold: NDArray[np.float64], frames: pd.DataFrame, options: SeparabilityOptions
) -> Estimate:
    if len(values) and np.isnan(threshold).all():
        return Estimate.missing(
            f"no threshold, as {THRESHOLD_KIND} clips of other sequences have no such score, or are not there"
        )
    alarms = np.where(np.isfinite(values) & np.isfinite(threshold), values >= threshold, np.nan)
    clusters = Clusters.of_rows(frames)
    estimate = mean_estimate(
        alarms,
        clusters,
        num_resamples=options.num_resamples,
        seed=options.seed,
        reason="no frame has all three features",
    )
    return bounded(estimate, estimate.num_groups)


def _with_combined_scores(
    frames: pd.DataFrame, kinds: Sequence[str], with_absent: set[str], options: SeparabilityOptions
) -> pd.DataFrame:
    """Return the frames with the linear model's score as one more column.

    Kinds with absent frames have a model each, cross-validated. The others are scored by the interjection's: each
    frame by models that were fitted without any of its clip's sequences.
    """
    scores = np.full(len(frames), np.nan)
    of_kind = frames["kind"].to_numpy()
    values = frames[list(FEATURE_COLUMNS)].to_numpy(dtype=np.float64)
    absent = ~frames["object_present"].to_numpy(dtype=np.bool_)
    shown = shown_sequences(frames)
    for kind in kinds:
        if kind not in with_absent:
            continue
        own = of_kind == kind
        scored = own | ~np.isin(of_kind, list(with_absent)) if kind == THRESHOLD_KIND else own
        clips, clip_of = np.unique(frames["clip"].to_numpy(dtype=str)[scored], return_inverse=True)
        scores[scored] = cross_validated_scores(
            values[scored],
            absent[scored],
            own[scored],
            [shown[clip] for clip in clips],
            clip_of.astype(np.intp),
            num_folds=options.num_folds,
            transform=options.transform,
            seed=options.seed,
        )
    return frames.assign(**{COMBINED: scores})
