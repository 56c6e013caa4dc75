"""What a separation means: the number of the paper beside the placebo and the matched one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_LABELS, SHORT_TERM, SHORT_TERM_RATIO
from napari_sam2_probe.common.words import interval, listing, number
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.reports.separations import position_rows
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

MEASURES = {"auroc": "as in the paper", "auroc_placebo": "placebo", "auroc_matched": "matched"}
"""The three numbers, with what a reader sees."""

SENTENCE = (
    "Distances look back to the last reference, and references stand still while the object is absent: absent frames "
    "look further back than present ones, and that alone makes them look far. So each separation has its controls. "
    "Placebo: clips in which nothing changes, compared as if the object was absent there (0.5 if only the change "
    "counted). Matched: changed frames against the same frames of the same clips without the change, at the same gap "
    "(0.5 is chance). Intervals over both the sequence a clip is made from and the one put into it."
)


def table(subjects: Sequence[Subject]) -> ReportTable:
    """Return the three numbers of every kind, position and feature."""
    import pandas as pd

    rows = []
    for subject in subjects:
        for row in subject.controls.table.to_dict("records"):
            cells = [interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in MEASURES]
            rows.append(
                (
                    subject.name,
                    kind_label(row["kind"]),
                    row["position"],
                    FEATURE_LABELS[row["feature"]],
                    cells[0],
                    number(row["auroc_within"]),
                    *cells[1:],
                    number(row["farther_share"]),
                    str(row["clips"]),
                    str(row["dropped_frames"]),
                )
            )
    # One experiment's file has the columns of `CONTROL_COLUMNS` and no other; several need to be told apart.
    several = len(subjects) > 1
    data = pd.concat(
        [
            subject.controls.table.assign(experiment=subject.name) if several else subject.controls.table
            for subject in subjects
        ]
    )
    count = 3 * len(rows)
    return ReportTable(
        "separability",
        "Separability and its controls",
        "Frames with all five references and the feature at every position, without the first frame after a change. "
        "AUROC of changed against other frames, pooled over clips and the mean within clips; the same where nothing "
        "changes (placebo); changed against the same frames without the change (matched), and the share of clips whose "
        f"changed frames are farther in the mean. [95 % interval]: {count} of them, so with nothing to find about "
        f"{round(count * 0.05)} would miss 0.5 by chance.",
        (
            *("Experiment", "Clips", "Position", "Feature"),
            *("As in the paper", "Within clips", "Placebo", "Matched", "Farther", "Number", "Dropped frames"),
        ),
        tuple(rows),
        data,
        text_columns=4,
    )


def figure(subject: Subject, folder: ReportFolder) -> PageFigure:
    """Draw the three numbers side by side."""
    table = subject.controls.table
    panels = []
    for kind in dict.fromkeys(table["kind"]):
        for feature in (SHORT_TERM, SHORT_TERM_RATIO):
            rows = table[(table["kind"] == kind) & (table["feature"] == feature.column)].set_index("position")
            shown = [position for position in subject.positions if position in rows.index]
            panels.append(
                DotPanel(
                    f"{kind_label(kind)}: {feature.label.lower().replace('l2', 'L2')}",
                    position_rows(shown),
                    tuple(_dots(rows.loc[shown], name, label, k) for k, (name, label) in enumerate(MEASURES.items())),
                    "AUROC",
                    (-0.02, 1.02),
                    0.5,
                )
            )
    return folder.figure(
        subject.file("separability-controls"),
        subject.title("What the separation means: as in the paper, placebo, matched"),
        " ".join(sentences(subject)) or "No kind of clip has the same clips without its change among the kinds.",
        make_dots(panels),
        table,
    )


def _dots(rows: pd.DataFrame, name: str, label: str, k: int) -> Dots:
    values, low, high = (rows[f"{name}{end}"].to_numpy(np.float64) for end in ("", "_low", "_high"))
    return Dots(label, values, low, high, SERIES_LOOKS[k])


def sentences(subject: Subject) -> list[str]:
    """Say of each kind what of the separation by short-term distance is there without a change, and what is left."""
    said = []
    table = subject.controls.table
    table = table[(table["feature"] == SHORT_TERM.column) & table["position"].isin(["1", "2", "3", "4", "5"])]
    for kind in dict.fromkeys(table["kind"]):
        rows = table[table["kind"] == kind].set_index("position")
        if not np.isfinite(rows["auroc_matched"].to_numpy(np.float64)).any():
            continue
        placebo = rows["auroc_placebo"].dropna()
        above = [position for position in rows.index if rows.loc[position, "auroc_placebo_low"] > 0.5]
        left = [position for position in rows.index if rows.loc[position, "auroc_matched_low"] > 0.5]
        parts = [
            f"{kind_label(kind)}, short-term L2: as in the paper {_listed(rows['auroc'])}; where nothing changed "
            f"{_listed(placebo)}"
        ]
        parts.append(
            f"above chance at {_positions(above)}"
            if above
            else "the interval of each position holds 0.5, or lies below"
        )
        parts.append(
            f"against the same frames without the change {_listed(rows['auroc_matched'])}, above chance at "
            f"{_positions(left) if left else 'no position'}"
        )
        said.append("; ".join(parts) + ".")
    return said


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{number(float(value))} ({position})" for position, value in values.items())


def _positions(names: Sequence[str]) -> str:
    return f"position{'s' if len(names) > 1 else ''} {listing(list(names))}"
