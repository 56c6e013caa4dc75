"""How often each kind of clip alarms, by how a frame lies to the change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.analysis.stage_alarms import AFTER, FIRST, OTHERS, REST, STAGE_NAMES
from napari_sam2_probe.common.feature_names import FEATURE_LABELS, SHORT_TERM
from napari_sam2_probe.common.words import interval, listing, number
from napari_sam2_probe.reports.subject import absent_kinds, in_order
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.subject import Subject


def table(subjects: Sequence[Subject]) -> ReportTable | None:
    """Return the rates of alarm by kind, position, feature and stage; None where no threshold could be set."""
    import pandas as pd

    shown = [subject for subject in subjects if len(subject.stage_alarms)]
    if not shown:
        return None
    rows = []
    for subject in shown:
        alarms = subject.stage_alarms
        for kind in in_order(alarms["kind"].unique()):
            for (position, feature), part in alarms[alarms["kind"] == kind].groupby(
                ["position", "feature"], sort=False
            ):
                found = {row["stage"]: (row["rate"], row["low"], row["high"]) for row in part.to_dict("records")}
                cells = [interval(*found[name]) if name in found else "" for name in STAGE_NAMES]
                rows.append((subject.name, kind_label(kind), str(position), FEATURE_LABELS[str(feature)], *cells))
    return ReportTable(
        "separability-stages",
        "Alarms by stage",
        "Share of frames at or above the threshold that has equal error on interjection clips, set without the clips "
        "that show any sequence of the clip that is judged. Frames with all five references; missing values and "
        "distances of 0 between gated vectors are left out. On changed frames of kinds that lose the object an alarm "
        "is right, everywhere else it is false. [95 % interval]",
        ("Experiment", "Clips", "Position", "Feature", *(name.capitalize() for name in STAGE_NAMES)),
        tuple(rows),
        pd.concat([s.stage_alarms.assign(experiment=s.name) for s in shown], ignore_index=True),
        text_columns=4,
    )


def sentence(subject: Subject, kind: str = "context-removal") -> str:
    """Say where a kind that keeps the object raises false alarms; empty where there is nothing to say."""
    alarms = subject.stage_alarms
    rows = alarms[(alarms["kind"] == kind) & (alarms["feature"] == SHORT_TERM.column)]
    rows = rows[rows["position"].isin(["1", "2", "3", "4", "5"])]
    if not len(rows) or kind in absent_kinds():
        return ""
    parts = []
    for stage, words in (
        (FIRST, "the first changed frame"),
        (OTHERS, "the other changed frames"),
        (AFTER, "the first frame after"),
        (REST, "the rest"),
    ):
        of_stage = rows[rows["stage"] == stage].set_index("position")["rate"]
        known = of_stage[np.isfinite(of_stage)]
        if len(known):
            listed = ", ".join(f"{number(float(rate))} ({position})" for position, rate in known.items())
            parts.append(f"on {words} {listed}")
    fewest = rows.groupby("position")["num_sequences"].min()
    thin = [str(position) for position in fewest.index if fewest[position] < LEAST_GROUPS]
    few = f" Of position {listing(thin)} there are too few source sequences to tell." if thin else ""
    return (
        f"{kind_label(kind)} keeps the object; false alarms by the short-term L2, at thresholds of other sequences: "
        f"{'; '.join(parts)}.{few}"
    )
