"""Numbers from tables of causes: attention and effect by age, edits after a change, recovery by patches.

Every measure is first computed for each clip, then averaged over clips. Intervals are by bootstrap over source
sequences; where every clip has footage of one other sequence, over both (the weights of base and distractor
multiplied), since neither is drawn for each clip by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

CLIP = ["kind", "clip", "base_sequence", "distractor_sequences"]
"""The columns that name a clip and what it was made from."""

MATTERS = 0.01
"""An entry is said to matter where, dropped alone, it changes the mask by more than this, as 1 - IoU, in the mean."""


@dataclass(frozen=True, slots=True)
class CauseOptions:
    """How intervals are made.

    Attributes
    ----------
    num_resamples, seed
        Of every bootstrap.
    """

    num_resamples: int = 1000
    seed: int = 0


def by_age(blame: pd.DataFrame, options: CauseOptions | None = None) -> pd.DataFrame:
    """Return how much each entry of the bank is attended to, and what the mask changes without it, by its age.

    Parameters
    ----------
    blame
        The table of blame of an experiment: a row an entry, blamed frame and clip.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        A row for each kind of entry, role and age (NaN for entries of prompted frames, whose age says little):
        columns entry, role, age, then ``attention`` and ``effect`` (1 - IoU with the mask as it was) with ``_low`` and
        ``_high``, and num_clips.
    """
    import pandas as pd

    options = options or CauseOptions()
    single = blame[np.isfinite(blame["entry_frame"])].assign(effect=-blame["delta_iou"])
    single = single.assign(age=single["age"].where(single["role"] == "recent"))
    rows = []
    keys = ["entry", "role", "age"]
    for key, of_age in single.groupby(keys, sort=True, dropna=False):
        row = dict(zip(keys, key, strict=True))
        clips = of_age.groupby(CLIP, dropna=False)[["attention", "effect"]].mean().reset_index()
        for name in ("attention", "effect"):
            row |= _columns(name, clip_mean(clips, name, options))
        rows.append(row | {"num_clips": len(clips)})
    columns = [*keys, *(f"{n}{end}" for n in ("attention", "effect") for end in ("", "_low", "_high")), "num_clips"]
    return pd.DataFrame(rows, columns=columns)


def oldest_that_matters(ages: pd.DataFrame, entry: str) -> int | None:
    """Return the greatest age of recent entries whose mean effect is above `MATTERS`; None if there is none.

    Parameters
    ----------
    ages
        From `by_age`.
    entry
        ``memory`` or ``pointer``.
    """
    rows = ages[(ages["entry"] == entry) & (ages["role"] == "recent") & (ages["effect"] > MATTERS)]
    return int(rows["age"].max()) if len(rows) else None


def attention_against_cause(
    blame: pd.DataFrame, options: CauseOptions | None = None
) -> dict[str, tuple[Estimate, int]]:
    """Return the rank correlation of attention share and effect over the entries of a frame.

    Parameters
    ----------
    blame, options
        As in `by_age`.

    Returns
    -------
    dict
        For ``all`` entries and for each kind alone: the mean over clips of the mean over blamed frames of Spearman's
        correlation, and how many clips have one. Frames whose entries all have the same effect have none.
    """
    from scipy.stats import rankdata

    options = options or CauseOptions()
    single = blame[np.isfinite(blame["entry_frame"])].assign(effect=-blame["delta_iou"])

    def spearman(frame: pd.DataFrame) -> float:
        ranks = [rankdata(frame[name].to_numpy(np.float64)) for name in ("attention", "effect")]
        if len(frame) < 3 or any(np.ptp(rank) == 0 for rank in ranks) or frame["attention"].isna().any():
            return float("nan")
        return float(np.corrcoef(*ranks)[0, 1])

    found = {}
    for name, rows in (("all", single), *((e, single[single["entry"] == e]) for e in ("memory", "pointer"))):
        found[name] = _per_clip(rows, [*CLIP, "frame"], spearman, options)
    return found


def suffix_table(suffix: pd.DataFrame, options: CauseOptions | None = None) -> pd.DataFrame:
    """Return what J after the change becomes under each edit, minus what it was, by kind of clip.

    Parameters
    ----------
    suffix
        The table of edits after the change of an experiment: a row an edit, frame and clip.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        Columns kind, edit, ``delta_j`` with ``_low`` and ``_high``, median_delta_j, unedited_j, iou (with the mask
        without the edit), num_clips, num_sequences.
    """
    import pandas as pd

    options = options or CauseOptions()
    scored = suffix[np.isfinite(suffix["J"]) & np.isfinite(suffix["unedited_J"])]
    scored = scored.assign(delta_j=scored["J"] - scored["unedited_J"])
    rows = []
    for (kind, edit), of_edit in scored.groupby(["kind", "edit"], sort=False):
        clips = of_edit.groupby(CLIP, dropna=False)[["delta_j", "unedited_J", "iou_with_unedited"]].mean().reset_index()
        estimate = clip_mean(clips, "delta_j", options)
        rows.append(
            {
                "kind": kind,
                "edit": edit,
                **_columns("delta_j", estimate),
                "median_delta_j": float(clips["delta_j"].median()),
                "unedited_j": float(clips["unedited_J"].mean()),
                "iou": float(clips["iou_with_unedited"].mean()),
                "num_clips": len(clips),
                "num_sequences": estimate.num_groups,
            }
        )
    columns = ["kind", "edit", "delta_j", "delta_j_low", "delta_j_high", "median_delta_j"]
    return pd.DataFrame(rows, columns=[*columns, "unedited_j", "iou", "num_clips", "num_sequences"])


def groups_after_change(blame: pd.DataFrame, options: CauseOptions | None = None) -> pd.DataFrame:
    """Return what becomes of the first frame after the change without groups of what it reads, by kind of clip.

    Parameters
    ----------
    blame
        As in `by_age`.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        Columns kind, entry and role (of the group), ``effect`` (1 - IoU with the mask as it was) with ``_low`` and
        ``_high``, ``delta_score`` (object score in logits) with the same, delta_j (NaN without truth), num_clips,
        num_sequences.
    """
    import pandas as pd

    options = options or CauseOptions()
    after = blame[blame["stage"] == "suffix"]
    after = after[after["frame"] == after.groupby(CLIP, dropna=False)["frame"].transform("min")]
    groups = after[after["entry_frame"].isna()].assign(effect=-after["delta_iou"])
    rows = []
    for (kind, entry, role), clips in groups.groupby(["kind", "entry", "role"], sort=False):
        estimate = clip_mean(clips, "effect", options)
        rows.append(
            {
                "kind": kind,
                "entry": entry,
                "role": role,
                **_columns("effect", estimate),
                **_columns("delta_score", clip_mean(clips, "delta_score", options)),
                "delta_j": float(clips["delta_j"].mean()),
                "num_clips": len(clips),
                "num_sequences": estimate.num_groups,
            }
        )
    values = [f"{name}{end}" for name in ("effect", "delta_score") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["kind", "entry", "role", *values, "delta_j", "num_clips", "num_sequences"])


def edit_difference(
    suffix: pd.DataFrame, kind: str, edits: tuple[str, str], options: CauseOptions | None = None
) -> tuple[Estimate, int]:
    """Return how much lower J after the change is under the first edit than under the second, clip by clip.

    Returns
    -------
    Estimate, int
        The mean of the paired differences, and how many clips have one.
    """
    options = options or CauseOptions()
    of_kind = suffix[(suffix["kind"] == kind) & suffix["edit"].isin(edits) & np.isfinite(suffix["J"])]
    means = of_kind.groupby([*CLIP, "edit"], dropna=False)["J"].mean().unstack("edit")
    if not set(edits) <= set(means.columns):
        return Estimate.missing("no clip has both"), 0
    clips = (means[edits[1]] - means[edits[0]]).rename("difference").reset_index()
    return clip_mean(clips, "difference", options), int(np.isfinite(clips["difference"]).sum())


def recovery(patches: pd.DataFrame, by: Sequence[str], options: CauseOptions | None = None) -> pd.DataFrame:
    """Return how much of the twin's measures comes back with its tensors.

    Parameters
    ----------
    patches
        The table of patches of an experiment: a row a clip, position, frame and measure.
    by
        Columns to group by besides kind, position and measure: ``frame``, ``stage`` or nothing.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        Columns kind, position, measure, those of `by`, ``recovered`` (mean over clips of each clip's mean) with
        ``_low`` and ``_high``, median_recovered (over clips), num_clips (of those that differ enough from their twins),
        num_sequences.
    """
    import pandas as pd

    options = options or CauseOptions()
    keys = ["kind", "position", "measure", *by]
    rows: list[dict[str, Any]] = []
    for key, of_key in patches.groupby(keys, sort=False):
        clips = of_key[np.isfinite(of_key["recovered"])].groupby(CLIP, dropna=False)["recovered"].mean().reset_index()
        estimate = clip_mean(clips, "recovered", options)
        rows.append(
            {
                **dict(zip(keys, (*key,), strict=True)),
                **_columns("recovered", estimate),
                "median_recovered": float(clips["recovered"].median()) if len(clips) else float("nan"),
                "num_clips": len(clips),
                "num_sequences": estimate.num_groups,
            }
        )
    columns = [*keys, "recovered", "recovered_low", "recovered_high", "median_recovered", "num_clips", "num_sequences"]
    return pd.DataFrame(rows, columns=columns)


def clip_mean(clips: pd.DataFrame, column: str, options: CauseOptions) -> Estimate:
    """Return the mean of a column over clips, with an interval over their source sequences.

    Parameters
    ----------
    clips
        A row a clip, with the columns `CLIP`.
    column
        Numbers; clips with NaN are left out.
    options
        How.
    """
    values = clips[column].to_numpy(np.float64)
    keep = np.isfinite(values)
    values, bases = values[keep], clips["base_sequence"].to_numpy(dtype=str)[keep]
    others = clips["distractor_sequences"].to_numpy(dtype=str)[keep]
    if not len(values):
        return Estimate.missing("no clip")
    return mean_estimate(values, Clusters.of(bases, others), num_resamples=options.num_resamples, seed=options.seed)


def _per_clip(
    rows: pd.DataFrame, keys: list[str], statistic: Callable[[pd.DataFrame], float], options: CauseOptions
) -> tuple[Estimate, int]:
    import pandas as pd

    values = [(*key, statistic(group)) for key, group in rows.groupby(keys, dropna=False, sort=False)]
    table = pd.DataFrame(values, columns=[*keys, "value"])
    clips = table.groupby(CLIP, dropna=False)["value"].mean().reset_index()
    return clip_mean(clips, "value", options), int(np.isfinite(clips["value"]).sum())


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
