"""False alarms by stage: a change alarms where it begins and where it ends, which a rate over all frames hides.

An alarm is a value at or above a threshold. The threshold is that of equal error on interjection clips, absent frames
against others, of clips that show none of the sequences of the clip that is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, bounded, mean_estimate
from napari_sam2_probe.analysis.separability import THRESHOLD_KIND, held_out_thresholds
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, LONG_WINDOW, SHORT_TERM

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FIRST, OTHERS, AFTER, REST = STAGE_NAMES = (
    "first changed frame",
    "other changed frames",
    "first frame after",
    "rest",
)
"""What frames are told apart by: how they lie to the change."""

GATED = ("4", "5")
"""Positions at which SAM 2 puts one and the same vector for every frame that it believes empty."""

ALARM_COLUMNS = ("kind", "position", "feature", "stage", "rate", "low", "high", "frames", "clips", "num_sequences")
"""Columns of what `alarms_by_stage` returns."""


def stages_of(stage: NDArray[Any], frame: NDArray[np.int64]) -> NDArray[np.str_]:
    """Name by `STAGE_NAMES` how each frame lies to the change.

    Parameters
    ----------
    stage
        (N,) ``prefix``, ``interjection`` or ``suffix``.
    frame
        (N,) its index; the change lies on the same frames in all clips.
    """
    changed = np.asarray(stage) == "interjection"
    names = np.full(len(frame), REST, dtype=f"<U{max(map(len, STAGE_NAMES))}")
    if changed.any():
        first, last = frame[changed].min(), frame[changed].max()
        names[changed & (frame == first)] = FIRST
        names[changed & (frame != first)] = OTHERS
        names[~changed & (frame == last + 1)] = AFTER
    return names


def alarms_by_stage(
    features: pd.DataFrame, stages: pd.DataFrame, *, num_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return how often each feature alarms, by kind, position and stage, with 95 % intervals.

    Parameters
    ----------
    features
        A features table: columns kind, clip, base_sequence, distractor_sequences, frame, position, object_present,
        window and `FEATURE_COLUMNS`.
    stages
        Columns kind, clip, frame and stage.
    num_resamples, seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        Columns `ALARM_COLUMNS`. Frames without all five references are left out, as are missing features and
        distances of 0 between two gated vectors, which say nothing of the object. On frames without the object an
        alarm is right; wherever the object is there it is false.
    """
    import pandas as pd

    rows = features[features["window"] >= LONG_WINDOW].merge(stages, on=["kind", "clip", "frame"], how="left")
    rows = rows[~(rows["position"].isin(GATED) & (rows[SHORT_TERM.column] == 0))]
    rows = rows.assign(part=stages_of(rows["stage"].to_numpy(), rows["frame"].to_numpy()))
    found: list[dict[str, Any]] = []
    for position, here in rows.groupby("position", sort=True):
        for feature in FEATURE_COLUMNS:
            known = here[np.isfinite(here[feature].to_numpy(np.float64))]
            # The first frame after looks back to before the change: it is no example of an ordinary one.
            setting = known[~((known["part"] == AFTER) & (known["kind"] == THRESHOLD_KIND))]
            thresholds = held_out_thresholds(known, feature, setting)
            judged = known.assign(alarm=known[feature] >= thresholds)[np.isfinite(thresholds)]
            for (kind, part), frames in judged.groupby(["kind", "part"], sort=True):
                rate = mean_estimate(frames["alarm"], Clusters.of_rows(frames), num_resamples=num_resamples, seed=seed)
                rate = bounded(rate, rate.num_groups)
                found.append(
                    {
                        "kind": kind,
                        "position": position,
                        "feature": feature,
                        "stage": part,
                        "rate": rate.value,
                        "low": rate.low,
                        "high": rate.high,
                        "frames": len(frames),
                        "clips": frames["clip"].nunique(),
                        "num_sequences": rate.num_groups,
                    }
                )
    return pd.DataFrame(found, columns=list(ALARM_COLUMNS))
