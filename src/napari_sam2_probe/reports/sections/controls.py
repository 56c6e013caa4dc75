"""What a separation means: the number of the paper beside the placebo and the matched one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.analysis.controls import resting_on
from napari_sam2_probe.common.feature_names import FEATURE_LABELS, SHORT_TERM, SHORT_TERM_RATIO
from napari_sam2_probe.common.words import factor, interval, listing, number
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

MEASURES = {
    "auroc": "as in the paper",
    "auroc_placebo": "placebo",
    "auroc_matched": "matched (pooled)",
    "paired_share": "paired share",
}
"""The numbers side by side, with what a reader sees."""

SENTENCE = (
    "Distances look back to the last reference, and references stand still while the object is absent: absent frames "
    "look further back than present ones, and that alone makes them look far. So each separation has its controls. "
    "Placebo: clips in which nothing changes, compared as if the object was absent there (0.5 if only the change "
    "counted). Matched: changed frames against the same frames of the same clips without the change, at the same gap, "
    "pooled over clips (0.5 is chance). Paired: in what share of those pairs of frames the changed one is farther "
    "(0.5 is chance). Read the pooled number for whether one threshold for all clips would find the change, and the "
    "paired share for whether the change moves the position at all. Intervals are over both the sequence a clip is "
    "made from and the one put into it."
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
    count = len(MEASURES) * len(rows)
    return ReportTable(
        "separability",
        "Separability and its controls",
        "Frames with all five references and the feature at every position, without the first frame after a change. "
        "AUROC of changed against other frames, pooled over clips and the mean within clips; the same where nothing "
        "changes (placebo); changed against the same frames without the change, pooled over clips (matched) and as the "
        f"share of pairs of frames whose changed one is farther (paired). [95 % interval]: {count} of them, so with "
        f"nothing to find about {round(count * 0.05)} would miss 0.5 by chance.",
        (
            *("Experiment", "Clips", "Position", "Feature"),
            *("As in the paper", "Within clips", "Placebo", "Matched, pooled", "Paired", "Number", "Dropped frames"),
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
                    f"{kind_label(kind)}: {feature.phrase}",
                    position_rows(shown),
                    tuple(_dots(rows.loc[shown], name, label, k) for k, (name, label) in enumerate(MEASURES.items())),
                    "AUROC, or share of pairs",
                    (-0.02, 1.02),
                    0.5,
                )
            )
    return folder.figure(
        subject.file("separability-controls"),
        subject.title("What the separation means: as in the paper, placebo, matched, in pairs"),
        " ".join(sentences(subject)) or "No kind of clip has the same clips without its change among the kinds.",
        make_dots(panels),
        table,
    )


def _dots(rows: pd.DataFrame, name: str, label: str, k: int) -> Dots:
    values, low, high = (rows[f"{name}{end}"].to_numpy(np.float64) for end in ("", "_low", "_high"))
    return Dots(label, values, low, high, SERIES_LOOKS[k])


def sentences(subject: Subject, kinds: Sequence[str] | None = None) -> list[str]:
    """Say of each kind what of the separation by short-term distance is there without a change, and what is left.

    Nothing is claimed to be above chance where there are too few source sequences.
    """
    said = []
    table = subject.controls.table
    table = table[(table["feature"] == SHORT_TERM.column) & table["position"].isin(["1", "2", "3", "4", "5"])]
    for kind in dict.fromkeys(table["kind"]):
        rows = table[table["kind"] == kind].set_index("position")
        if (kinds is not None and kind not in kinds) or not np.isfinite(rows["auroc_matched"].to_numpy(float)).any():
            continue
        resting = min(resting_on(row) for row in rows.to_dict("records"))
        parts = [f"{kind_label(kind)}, short-term L2: as in the paper {_listed(rows['auroc'])}"]
        for name, words in (
            ("auroc_placebo", "where nothing changed"),
            ("auroc_matched", "against the same frames without the change, pooled"),
            ("paired_share", "in pairs"),
        ):
            if np.isfinite(rows[name].to_numpy(float)).any():
                verdict = f", {_above(rows, name)}" if resting >= LEAST_GROUPS else ""
                parts.append(f"{words} {_listed(rows[name].dropna())}{verdict}")
        if resting < LEAST_GROUPS:
            parts.append(f"too few source sequences ({resting}) to tell any of these from chance")
        said.append("; ".join(parts) + ".")
    return said


def _above(rows: pd.DataFrame, name: str) -> str:
    """Say where a number is above chance."""
    above = [str(position) for position in rows.index if rows.loc[position, f"{name}_low"] > 0.5]
    if len(above) == len(rows):
        return "above chance at all positions"
    return f"above chance at {_positions(above)}" if above else "at no position clearly above chance"


def effects_table(subjects: Sequence[Subject]) -> ReportTable | None:
    """Return how far each change moves each position, and the object's removal beside changes that keep it."""
    import pandas as pd

    rows: list[tuple[str, ...]] = []
    data = []
    for subject in subjects:
        kinds = list(dict.fromkeys(subject.controls.pairs["kind"]))
        beside = [kind for kind in ("other-removed", "flash") if kind in kinds and "object-removal" in kinds]
        for position in subject.positions:
            for kind in kinds:
                found = {"": subject.controls.effect(kind, SHORT_TERM.column, position)}
                if kind == "object-removal":
                    found |= {
                        other: subject.controls.effect(kind, SHORT_TERM.column, position, other) for other in beside
                    }
                cells = [
                    factor(one.value, one.low, one.high) if (one := found.get(name)) is not None else ""
                    for name in ("", "other-removed", "flash")
                ]
                rows.append((subject.name, position, kind_label(kind), *cells))
                data += [
                    {
                        "experiment": subject.name,
                        "kind": kind,
                        "position": position,
                        "against": other or "kept",
                        "times": one.value,
                        "low": one.low,
                        "high": one.high,
                        "num_sequences": one.num_groups,
                    }
                    for other, one in found.items()
                ]
    if not rows:
        return None
    return ReportTable(
        "separability-effects",
        "How far a change moves a position",
        "Short-term L2 on changed frames, as multiples of that on the same frames without the change (geometric mean "
        "over clips) [95 % interval]; and how many times as large that factor is when the object is taken away as when "
        "a bystander is, or when the picture changes as much elsewhere (flash). Only what is above 1 there can be said "
        "of the object.",
        (
            "Experiment",
            "Position",
            "Clips",
            "Against the kept frames",
            "Against a bystander's removal",
            "Against a flash",
        ),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=3,
    )


def effect_sentences(subject: Subject) -> list[str]:
    """Say at which positions taking the object away moves more than the changes that keep it."""
    said = []
    for other, words in (("other-removed", "when a bystander is taken away"), ("flash", "under a flash elsewhere")):
        found = {
            position: subject.controls.effect("object-removal", SHORT_TERM.column, position, other)
            for position in subject.positions
        }
        found = {position: one for position, one in found.items() if np.isfinite(one.value)}
        if not found:
            continue
        listed = ", ".join(f"{factor(e.value, e.low, e.high)} ({position})" for position, e in found.items())
        resting = min(estimate.num_groups for estimate in found.values())
        more = [position for position, estimate in found.items() if estimate.low > 1]
        if resting < LEAST_GROUPS:
            verdict = f"too few source sequences to tell ({resting})"
        elif not more:
            verdict = "at no position clearly more"
        else:
            verdict = f"more at {_positions(more)}"
        said.append(
            f"Taking the object away moves positions, by the short-term L2 against the same frames with it, {listed} "
            f"times as much as {words}: {verdict}."
        )
    return said


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{number(float(value))} ({position})" for position, value in values.items())


def _positions(names: Sequence[str]) -> str:
    return f"position{'s' if len(names) > 1 else ''} {listing(list(names))}"
