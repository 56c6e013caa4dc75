"""What caused the masks: attention and effect by age, pointers against memories, the change's memory, patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.causes import (
    MATTERS,
    groups_after_change,
    oldest_that_matters,
    recovery,
)
from napari_sam2_probe.common.words import count, interval, number
from napari_sam2_probe.figures.blame import GROUP_LABELS
from napari_sam2_probe.figures.causes import MEASURE_LABELS, make_by_age, make_recovery
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.probe.positions import title_of
from napari_sam2_probe.reports.cause_answers import answers_of, headline, suspicions_of
from napari_sam2_probe.reports.causes import Causes, suffix_estimate
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

_SHOWN_MEASURES = ("object_score", "J")


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Show what causes of masks were found, where they were looked for (``sam2-probe experiment --causes``)."""
    asked = [subject for subject in subjects if subject.results.config.causes]
    found = [causes for subject in asked if len((causes := Causes.of(subject)).blame)]
    if not found:
        missing = [f"{subject.name}: no clip's causes are known yet; go on with the experiment." for subject in asked]
        if not asked and any(subject.results.has_model for subject in subjects):
            missing.append(
                "What caused the masks was not looked for: run the experiment again with --causes, then make the "
                "report again."
            )
        return Part(None, tuple(missing))
    figures: list[PageFigure] = []
    tables = []
    missing = []
    for causes in found:
        figures.append(_age_figure(causes, folder))
        if len(causes.suffix_table):
            figures.append(_suffix_figure(causes, folder))
        if len(causes.patches):
            figures.append(_recovery_figure(causes, folder))
        else:
            missing.append(
                f"{causes.subject.name}: no patches, since no kind is among the kinds together with the one that shows "
                "the same without the change."
            )
    tables.append(folder.table(_questions(found)))
    tables.append(folder.table(_group_rows(found)))
    tables.append(folder.table(_suffix_rows(found)))
    tables.append(folder.table(_recovery_rows(found)))
    sentences = (
        "The paper watches positions and can only suspect; here something is changed. An entry of memory is not read, "
        "or a tensor is that of the twin without the change, and everything else is computed as it was. Single entries "
        "are dropped one at a time on a few frames of each clip; what stands in for one another may then seem to "
        "matter little, so groups are dropped too.",
        "Each number is a mean over clips of each clip's mean. 95 % intervals are by bootstrap over source sequences, "
        "and where clips have footage of one other sequence, over both.",
    )
    several = len(found) > 1
    suspicions = tuple(sentence for causes in found for sentence in suspicions_of(causes, several=several))
    headlines = tuple(headline(causes, several=several) for causes in found)
    return Part(
        Section("Causes", (*sentences, *suspicions), tuple(figures), tuple(t for t in tables if len(t.rows))),
        tuple(missing),
        (*headlines, *suspicions),
    )


def _questions(found: Sequence[Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        for answer in answers_of(causes):
            estimate = answer.estimate
            rows.append(
                (
                    causes.subject.name,
                    answer.question,
                    "all" if answer.kind == "all" else kind_label(answer.kind),
                    answer.sentence,
                    interval(estimate.value, estimate.low, estimate.high),
                    str(answer.num_clips),
                )
            )
            data.append(
                {
                    "experiment": causes.subject.name,
                    "question": answer.question,
                    "kind": answer.kind,
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "num_clips": answer.num_clips,
                    "num_sequences": estimate.num_groups,
                    "reason": estimate.reason,
                    "answer": answer.sentence,
                }
            )
    return ReportTable(
        "causes",
        "Questions and answers",
        "Each with its number [95 % interval] and the clips that entered. Of the model at hand, on these clips.",
        ("Experiment", "Question", "Clips", "Answer", "Number", "Entered"),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=4,
    )


# Age.


def _age_figure(causes: Causes, folder: ReportFolder) -> PageFigure:
    return folder.figure(
        causes.subject.file("causes-age"),
        causes.subject.title("Attention and effect by age"),
        _age_caption(causes),
        make_by_age(causes.ages),
        causes.ages,
    )


def _age_caption(causes: Causes) -> str:
    sentences = [f"{count(causes.num_clips, 'clip')}; single entries, each dropped alone."]
    for entry, name in (("memory", "memories"), ("pointer", "pointers")):
        rows = causes.ages[causes.ages["entry"] == entry]
        if not len(rows):
            continue
        oldest = oldest_that_matters(causes.ages, entry)
        largest = float(rows["effect"].max())
        if oldest is None:
            sentences.append(
                f"No recent entry among the {name} changes the mask by more than {MATTERS:g} of IoU in the mean (the "
                f"largest effect of any is {number(largest, 4)})."
            )
        else:
            sentences.append(
                f"Among the {name}, those older than {count(oldest, 'frame')} change the mask by less than "
                f"{MATTERS:g} of IoU in the mean."
            )
    totals = causes.blame[np.isfinite(causes.blame["entry_frame"])].groupby(["clip", "frame", "entry"])["attention"]
    shares = totals.sum().unstack("entry").mean()
    if np.isfinite(shares.to_numpy(np.float64)).all() and {"memory", "pointer"} <= set(shares.index):
        sentences.append(
            f"Together memories receive {number(100 * float(shares['memory']), 1)} % of the attention and pointers "
            f"{number(100 * float(shares['pointer']), 1)} %."
        )
    return " ".join(sentences)


# Groups.


def _group_rows(found: Sequence[Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        table = groups_after_change(causes.blame, causes.options)
        data.append(table.assign(experiment=causes.subject.name))
        for _, row in table.iterrows():
            effect, score = (
                (float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
                for name in ("effect", "delta_score")
            )
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    GROUP_LABELS[row["entry"], row["role"]],
                    interval(*effect, 3),
                    number(float(row["delta_j"]), 3),
                    interval(*score),
                    str(int(row["num_clips"])),
                )
            )
    return ReportTable(
        "causes-groups",
        "The first frame after the change without groups of what it reads",
        "1 - IoU with the mask as it was, J and object score minus what they were: means over clips [95 % interval].",
        ("Experiment", "Clips", "Not read", "1 - IoU", "J", "Object score", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=3,
    )


# Edits after the change.


def _suffix_figure(causes: Causes, folder: ReportFolder) -> PageFigure:
    table = causes.suffix_table
    edits, kinds = list(dict.fromkeys(table["edit"])), list(dict.fromkeys(table["kind"]))
    dots = []
    for k, kind in enumerate(kinds):
        rows = table[table["kind"] == kind].set_index("edit").reindex(edits)
        value, low, high = (rows[name].to_numpy(np.float64) for name in ("delta_j", "delta_j_low", "delta_j_high"))
        dots.append(Dots(kind_label(kind), value, low, high, SERIES_LOOKS[k % len(SERIES_LOOKS)]))
    panel = DotPanel("", tuple(edits), tuple(dots), "J after the change, minus as it was", None, 0.0)
    entered = ", ".join(
        f"{count(int(table.loc[table['kind'] == kind, 'num_clips'].max()), kind_label(kind).lower() + ' clip')}"
        for kind in kinds
    )
    unedited = ", ".join(
        f"{number(float(table.loc[table['kind'] == kind, 'unedited_j'].iloc[0]))} ({kind_label(kind).lower()})"
        for kind in kinds
    )
    return folder.figure(
        causes.subject.file("causes-suffix"),
        causes.subject.title("What the frames after the change come to without some of what they read"),
        f"All frames after the change are tracked again under the edit; {entered}. As it was, J is {unedited}.",
        make_dots([panel]),
        table,
    )


def _suffix_rows(found: Sequence[Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        for _, row in causes.suffix_table.iterrows():
            estimate = suffix_estimate(row)
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    row["edit"],
                    interval(estimate.value, estimate.low, estimate.high, 3),
                    number(float(row["median_delta_j"]), 3),
                    number(float(row["iou"])),
                    str(int(row["num_clips"])),
                )
            )
        data.append(causes.suffix_table.assign(experiment=causes.subject.name))
    return ReportTable(
        "causes-suffix",
        "Edits after the change",
        "J minus J as it was, mean over clips [95 % interval] and median; IoU of the masks with those as they were.",
        ("Experiment", "Clips", "What is read", "Mean", "Median", "IoU", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=3,
    )


# Patches.


def _recovery_figure(causes: Causes, folder: ReportFolder) -> PageFigure:
    by_frame = recovery(causes.patches, ["frame"], causes.options)
    shown = by_frame[by_frame["measure"].isin(_SHOWN_MEASURES)]
    positions = sorted(set(by_frame["position"]))
    names = "; ".join(f"{position} {title_of(position).lower()}" for position in positions)
    return folder.figure(
        causes.subject.file("causes-patches"),
        causes.subject.title("What comes back with the twin's tensor, position by frame"),
        f"Medians over clips; grey where no clip differs enough from its twin. Positions: {names}. 1, 2 and 3 are "
        "measured on the patched frame, 4 and 5 on the next one, which reads them. The object score is made from "
        "tokens, so a patch at 3, the image side of the decoder, can't move it.",
        make_recovery(
            shown,
            _SHOWN_MEASURES,
            causes.change,
            value="median_recovered",
            rows=positions,
            changed=sorted(set(causes.suffix["kind"])),
        ),
        by_frame,
    )


def _recovery_rows(found: Sequence[Causes]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for causes in found:
        table = recovery(causes.patches, ["stage"], causes.options)
        data.append(table.assign(experiment=causes.subject.name))
        for _, row in table[table["num_clips"] > 0].iterrows():
            value, low, high = (float(row[name]) for name in ("recovered", "recovered_low", "recovered_high"))
            rows.append(
                (
                    causes.subject.name,
                    kind_label(row["kind"]),
                    f"{row['position']}: {title_of(row['position'])}",
                    MEASURE_LABELS[row["measure"]],
                    row["stage"],
                    interval(value, low, high),
                    number(float(row["median_recovered"])),
                    str(int(row["num_clips"])),
                )
            )
    return ReportTable(
        "causes-patches",
        "What comes back with the twin's tensor",
        "Share of the way from the clip's value to its twin's: mean over clips [95 % interval] and median, over frames "
        "on which the two differ by 1 logit or 0.05 (J, predicted IoU) at least.",
        ("Experiment", "Clips", "Position", "Measure", "Seen in the", "Mean", "Median", "Entered"),
        tuple(rows),
        pd.concat(data, ignore_index=True),
        text_columns=5,
    )
