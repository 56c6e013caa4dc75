r"""What a separation means: features on changed frames beside what they are where nothing changed.

Distances look back to the last reference, and references stand still while the object is absent. So absent frames look
further back than present ones, and that alone makes them look far. Three numbers tell how much of a separation is that:

* *as in the paper*: AUROC of the frames of the change against the other frames, all clips pooled,
  :math:`P(x_{changed} > x_{other}) + \tfrac12 P(x_{changed} = x_{other})`;
* *placebo*: the same, on clips in which nothing changes but whose references stand still alike: chance is 0.5;
* *matched*: AUROC of the changed frames against the same frames of the same clips without the change, pooled over
  clips, :math:`P(x > k) + \tfrac12 P(x = k)`: chance is 0.5, and nothing but the change differs, neither frame nor gap.
  It asks whether one threshold for all clips would tell the change.
* *paired*: the share of frames that are farther than the same frame of the same clip without the change, ties half:
  chance is 0.5. It asks whether the change moves the position at all, and sees smaller effects, since what differs
  between clips falls out.

Clips have two sources of randomness, the sequence they are made from and the one that is put in. Intervals are by
bootstrap over both at once (Owen, *The pigeonhole bootstrap*, 2007): a resample weighs a clip by the product of how
often its two sequences were drawn. Intervals over one of them alone are too narrow where both matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc, auroc_difference, auroc_estimate
from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, bounded, mean_estimate
from napari_sam2_probe.analysis.stage_alarms import GATED
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, LONG_WINDOW, SHORT_TERM

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

CONTROL_COLUMNS = (
    "kind",
    "position",
    "feature",
    *("auroc", "auroc_low", "auroc_high", "auroc_within"),
    *("auroc_placebo", "auroc_placebo_low", "auroc_placebo_high"),
    *("auroc_matched", "auroc_matched_low", "auroc_matched_high"),
    *("paired_share", "paired_share_low", "paired_share_high", "farther_share"),
    *("clips", "base_sequences", "distractor_sequences", "dropped_frames"),
)
"""Columns of `Controls.table`, and of ``report/tables/separability.csv``."""

_CLIP = ["number", "frame"]

_PAIR_COLUMNS = (
    *("kind", "position", "feature", "clip", "frame", "base_sequence", "distractor_sequences", "changed", "kept"),
)


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """How controls are computed; stored beside the results.

    Attributes
    ----------
    full_window
        Whether only frames with all five references of the long-term window are used.
    num_resamples, seed
        Of the bootstrap.
    """

    full_window: bool = True
    num_resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Controls:
    """Separations with their controls.

    Attributes
    ----------
    table
        A row for each kind with a change, position and feature; columns `CONTROL_COLUMNS`. ``auroc_within`` is the mean
        over clips of each clip's own AUROC; ``auroc_matched`` is pooled over clips; ``paired_share`` the share of
        frames farther than the same frame of the same clip without the change (ties half); ``farther_share`` the share
        of clips whose changed frames are, in the mean, farther (ties half); ``dropped_frames`` how many frames of the
        clips were left out because the feature is missing at any position, or is a distance of 0 between two gated
        vectors.
    dropped
        How many frames of each kind and feature were left out, and why: columns kind, feature, reason, frames.
    pairs
        What the matched numbers are made of: columns kind, position, feature, clip, frame, base_sequence,
        distractor_sequences, and the feature ``changed`` and ``kept``.
    options
        How.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    pairs: pd.DataFrame
    options: ControlOptions

    def matched(self, kind: str, feature: str, position: str) -> Estimate:
        """Return the matched AUROC of one feature at one position, pooled over clips, with its resamples."""
        rows = self.pairs[(self.pairs["kind"] == kind) & (self.pairs["feature"] == feature)]
        rows = rows[rows["position"] == position]
        if not len(rows):
            return Estimate.missing("no frame is there with and without the change")
        return _matched(rows, self.options)

    def paired(self, kind: str, feature: str, position: str) -> Estimate:
        """Return the share of frames farther than the same frame of the same clip without the change."""
        return self.pick("paired_share", kind, feature, position)

    def pick(self, name: str, kind: str, feature: str, position: str) -> Estimate:
        """Return one of the numbers of `table`, by the name of its column, with its interval."""
        table = self.table
        rows = table[(table["kind"] == kind) & (table["feature"] == feature) & (table["position"] == position)]
        if not len(rows):
            return Estimate.missing("not measured")
        row = rows.iloc[0]
        value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
        return Estimate(value, low, high, resting_on(row))

    def matched_difference(self, kind: str, feature: str, first: str, second: str) -> Estimate:
        """Estimate how much larger the matched AUROC is at one position than at another, on the same frames."""
        rows = self.pairs[(self.pairs["kind"] == kind) & (self.pairs["feature"] == feature)]
        one, other = (rows[rows["position"] == position] for position in (first, second))
        values = ["changed", "kept"]
        both = one.merge(other[["clip", "frame", *values]], on=["clip", "frame"], suffixes=("", "_other"))
        if not len(both):
            return Estimate.missing("no frame is there with and without the change")
        first_scores, other_scores = (
            both[[f"{name}{end}" for name in values]].to_numpy(np.float64).T.ravel() for end in ("", "_other")
        )
        positive, clusters = _against_kept(both)
        how = {"num_resamples": self.options.num_resamples, "seed": self.options.seed}
        return auroc_difference(first_scores, other_scores, positive, clusters, **how)

    def effect(self, kind: str, feature: str, position: str, other: str = "") -> Estimate:
        """Estimate how many times as far changed frames are as the same frames without the change.

        The geometric mean over clips of each clip's over its frames. With the name of an `other` kind of change: how
        many times as large that factor is as the other's, over clips of the same number, which have the same base.
        """
        by_clip = self._logs(kind, feature, position)
        if other:
            theirs = self._logs(other, feature, position)["log"]
            by_clip = by_clip.assign(log=by_clip["log"] - theirs.reindex(by_clip.index))
        by_clip = by_clip[np.isfinite(by_clip["log"])]
        if not len(by_clip):
            return Estimate.missing("no clip is there with both")
        return mean_estimate(
            by_clip["log"],
            Clusters.of_rows(by_clip),
            num_resamples=self.options.num_resamples,
            seed=self.options.seed,
        ).exp()

    def _logs(self, kind: str, feature: str, position: str) -> pd.DataFrame:
        """Return by the number of a clip the mean of log(changed / kept), and what the clip is made of."""
        rows = self.pairs
        rows = rows[(rows["kind"] == kind) & (rows["feature"] == feature) & (rows["position"] == position)]
        rows = rows[(rows["changed"] > 0) & (rows["kept"] > 0)]
        logs = np.log(rows["changed"].astype(np.float64) / rows["kept"].astype(np.float64))
        rows = rows.assign(log=logs, number=[str(clip).rpartition("-")[2] for clip in rows["clip"]])
        grouped = rows.groupby("number")
        return grouped[["base_sequence", "distractor_sequences"]].first().assign(log=grouped["log"].mean())


def resting_on(row: Mapping[str, Any] | pd.Series) -> int:
    """Return how many sequences a row of `Controls.table` rests on: of bases and of distractors the fewer."""
    others = int(row["distractor_sequences"])
    # One that is the same in all clips isn't drawn.
    return min(int(row["base_sequences"]), others) if others > 1 else int(row["base_sequences"])


def measure_controls(
    features: pd.DataFrame,
    gap_features: pd.DataFrame,
    frames: pd.DataFrame,
    kept: Mapping[str, str],
    options: ControlOptions | None = None,
) -> Controls:
    """Measure separations beside their controls.

    Parameters
    ----------
    features
        A features table: columns kind, clip, base_sequence, frame, position, window and `FEATURE_COLUMNS`.
    gap_features
        The same columns, of clips that show what others are without their change, computed as if the object was not
        there in the interjection. May be empty: then there is no placebo where references would stand still.
    frames
        A table of frames: kind, clip, frame, stage, object_present, distractor_sequences.
    kept
        By kind with a change, the kind that shows the same clips (by number) without it; ``""`` for none.
        Clips of both that keep the object are taken from `gap_features` where they are there.
    options
        How.
    """
    import pandas as pd

    options = options or ControlOptions()
    about = frames[["kind", "clip", "frame", "stage", "object_present", "distractor_sequences"]]
    rows: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    found: list[pd.DataFrame] = []
    for kind, kept_kind in kept.items():
        # Kinds that keep the object are compared as if it was absent too, so that all are alike but for the change.
        as_if = _of_kind(gap_features, about, kind)
        mine = as_if if len(as_if) else _of_kind(features, about, kind)
        if not len(mine):
            continue
        without = _of_kind(gap_features, about, kept_kind) if kept_kind else mine.iloc[:0]
        for feature in FEATURE_COLUMNS:
            used, reasons = _usable(mine, feature, options)
            used_without, _ = _usable(without, feature, options)
            dropped += [
                {"kind": kind, "feature": feature, "reason": reason, "frames": count}
                for reason, count in reasons.items()
            ]
            for position in sorted(mine["position"].unique()):
                mine_here, without_here = (rows_of[rows_of["position"] == position] for rows_of in (used, used_without))
                pairs = _pairs(mine_here, without_here, feature)
                found.append(pairs.assign(kind=kind, position=position, feature=feature)[list(_PAIR_COLUMNS)])
                row = _row(mine_here, without_here, pairs, feature, options)
                left_out = sum(reasons.values())
                rows.append({"kind": kind, "position": position, "feature": feature, **row, "dropped_frames": left_out})
    return Controls(
        pd.DataFrame(rows, columns=list(CONTROL_COLUMNS)),
        pd.DataFrame(dropped, columns=["kind", "feature", "reason", "frames"]),
        pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(_PAIR_COLUMNS)),
        options,
    )


def _of_kind(features: pd.DataFrame, about: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the rows of a kind with what is known of their frames, and the number that clips of one base share."""
    rows = features[features["kind"] == kind].drop(columns=["object_present"], errors="ignore")
    rows = rows.merge(about, on=["kind", "clip", "frame"], how="left")
    return rows.assign(number=[str(clip)[len(kind) :] for clip in rows["clip"]])


def _usable(rows: pd.DataFrame, feature: str, options: ControlOptions) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of frames that have the feature at all positions, and how many others there were, by reason.

    The first frame after a change is left out: its reference lies before the change.
    """
    if not len(rows):
        return rows, {}
    positions = rows["position"].nunique()
    last = rows.loc[rows["stage"] == "interjection", "frame"].max()
    kept = rows[rows["frame"] != last + 1]
    if options.full_window:
        kept = kept[kept["window"] >= LONG_WINDOW]
    values = kept[feature].to_numpy(np.float64)
    gated = kept["position"].isin(GATED).to_numpy() & (kept[SHORT_TERM.column].to_numpy(np.float64) == 0)
    state = kept.assign(missing=~np.isfinite(values), gated=gated)
    by_frame = state.groupby(_CLIP)
    missing, gated_frames = by_frame["missing"].any(), by_frame["gated"].any()
    complete = by_frame["position"].size() == positions
    good = complete & ~missing & ~gated_frames
    reasons = {
        "missing": int((missing | ~complete).sum()),
        "distance of 0 between gated vectors": int((gated_frames & ~missing & complete).sum()),
    }
    names = good.index[good.to_numpy()]
    return kept.set_index(_CLIP).loc[names].reset_index() if len(names) else kept.iloc[:0], reasons


def _row(
    mine: pd.DataFrame, without: pd.DataFrame, pairs: pd.DataFrame, feature: str, options: ControlOptions
) -> dict[str, Any]:
    clusters = Clusters.of_rows(mine)
    return {
        **_columns("auroc", _separation(mine, feature, options)),
        "auroc_within": _within(mine, feature),
        **_columns("auroc_placebo", _separation(without, feature, options)),
        **_against(pairs, options),
        "clips": int(mine["clip"].nunique()),
        "base_sequences": clusters.num_bases,
        "distractor_sequences": clusters.num_others,
    }


def _separation(rows: pd.DataFrame, feature: str, options: ControlOptions) -> Estimate:
    changed = (rows["stage"] == "interjection").to_numpy()
    if not len(rows) or changed.all() or not changed.any():
        return Estimate.missing("there is nothing to tell apart")
    how = {"num_resamples": options.num_resamples, "seed": options.seed}
    return auroc_estimate(rows[feature].to_numpy(np.float64), changed, Clusters.of_rows(rows), **how)


def _within(rows: pd.DataFrame, feature: str) -> float:
    values = [
        auroc(of_clip[feature].to_numpy(np.float64), (of_clip["stage"] == "interjection").to_numpy())
        for _, of_clip in rows.groupby("clip")
    ]
    found = [value for value in values if np.isfinite(value)]
    return float(np.mean(found)) if found else float("nan")


def _pairs(mine: pd.DataFrame, without: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Return the changed frames that are there without the change too, with both values."""
    changed = mine[mine["stage"] == "interjection"]
    pairs = changed.merge(without[[*_CLIP, feature]], on=_CLIP, suffixes=("", "_kept"))
    return pairs.rename(columns={feature: "changed", f"{feature}_kept": "kept"})


def _against(pairs: pd.DataFrame, options: ControlOptions) -> dict[str, float]:
    """Compare changed frames with the same ones without the change: pooled, in pairs, and clip by clip."""
    if not len(pairs):
        missing = Estimate.missing("no frame is there with and without the change")
        columns = (_columns(name, missing) for name in ("auroc_matched", "paired_share"))
        return {name: value for one in columns for name, value in one.items()} | {"farther_share": float("nan")}
    share = mean_estimate(
        _farther(pairs), Clusters.of_rows(pairs), num_resamples=options.num_resamples, seed=options.seed
    )
    by_clip = _farther(pairs.groupby("clip")[["changed", "kept"]].mean())
    return {
        **_columns("auroc_matched", _matched(pairs, options)),
        **_columns("paired_share", bounded(share, share.num_groups)),
        "farther_share": float(by_clip.mean()),
    }


def _matched(pairs: pd.DataFrame, options: ControlOptions) -> Estimate:
    positive, clusters = _against_kept(pairs)
    scores = pairs[["changed", "kept"]].to_numpy(np.float64).T.ravel()
    return auroc_estimate(scores, positive, clusters, num_resamples=options.num_resamples, seed=options.seed)


def _farther(pairs: pd.DataFrame) -> pd.Series[float]:
    """Return 1 where the changed one is farther, 0 where the kept one is, half where they are equal."""
    farther: pd.Series[float] = (pairs["changed"] > pairs["kept"]) + 0.5 * (pairs["changed"] == pairs["kept"])
    return farther


def _against_kept(pairs: pd.DataFrame) -> tuple[NDArray[np.bool_], Clusters]:
    """Return which of the changed frames, and the same without the change below them, is which; and their clusters."""
    import pandas as pd

    return np.repeat([True, False], len(pairs)), Clusters.of_rows(pd.concat([pairs, pairs]))


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
