"""Separability: the table, AUROC at a glance, the gate, and the distributions behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS
from napari_sam2_probe.analysis.separability import COMBINED
from napari_sam2_probe.figures.dots import DotPanel, make_dots
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.sections import alarms, controls, distributions, gate
from napari_sam2_probe.reports.separations import (
    ALL_FEATURES,
    auroc_dots,
    combined_difference,
    format_estimate,
    is_there,
    pick,
    position_rows,
)
from napari_sam2_probe.reports.subject import absent_kinds, in_order
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw what separates, the gate, and the distributions."""
    shown = [s for s in subjects if s.has_features and set(s.feature_kinds) & set(absent_kinds())]
    if not shown:
        return Part(None)
    more = (controls.effects_table(shown), alarms.table(shown))
    tables = (
        folder.table(controls.table(shown)),
        *(folder.table(table) for table in more if table is not None),
        folder.table(_table(shown, "separability-pooled", "Separability as in the paper", ordinary=False)),
        folder.table(_table(shown, "separability-ordinary", "Separability on ordinary frames", ordinary=True)),
    )
    figures = [controls.figure(subject, folder) for subject in shown]
    figures += [_overview(subject, folder) for subject in shown]
    figures += gate.figures(shown, folder)
    figures += distributions.figures(shown, folder)
    sentences = (
        "Can a threshold tell frames without the object from frames with it? The AUROC is the chance that a frame "
        "without the object has the higher value: 0.5 is chance, 1 is perfect, below 0.5 the effect goes the other "
        "way. The linear combination is a logistic regression on the logarithms of the three features, "
        "cross-validated so that no clip is judged by a model that knows any of its sequences. Intervals: 95 %, "
        "bootstrap over source sequences, of bases and of what is put into them; of a number that reads as 0.00 or "
        "1.00 the exact one of as many independent trials as there are sequences.",
        controls.SENTENCE,
        *(alarm for subject in shown if (alarm := alarms.sentence(subject))),
    )
    several = len(shown) > 1
    headlines = tuple(
        f"{subject.name}: {sentence}" if several else sentence
        for subject in shown
        for sentence in (
            *controls.sentences(subject, absent_kinds()),
            *controls.effect_sentences(subject),
            _overview_caption(subject),
            *gate.sentences(subject)[:1],
        )
    )
    return Part(Section("Separability", sentences, tuple(figures), tables), headlines=headlines)


def _table(subjects: Sequence[Subject], name: str, title: str, *, ordinary: bool) -> ReportTable:
    import pandas as pd

    rows, parts = [], []
    for subject in subjects:
        found = subject.ordinary_separability if ordinary else subject.separability
        parts.append(found.table.assign(experiment=subject.name))
        for kind in in_order(subject.feature_kinds):
            measure = "AUROC" if kind in absent_kinds() else "false alarms"
            for position in subject.positions:
                cells = [format_estimate(pick(found, position, feature, kind)) for feature in ALL_FEATURES]
                rows.append((subject.name, f"{kind_label(kind)} ({measure})", position, *cells))
    data = pd.concat(parts, ignore_index=True)
    which = (
        "Only frames with all five references, none of them prompted. "
        if ordinary
        else "Frames on which all three features exist. "
    )
    caption = which + (
        "AUROC of absent against present frames; where the object is always there, the share of frames that a "
        "threshold set on interjection clips of other sequences (equal error) would call absent. [95 % interval]"
    )
    return ReportTable(
        name,
        title,
        caption,
        ("Experiment", "Clips", "Position", *ALL_FEATURES.values()),
        tuple(rows),
        data[["experiment", *(c for c in data.columns if c != "experiment")]],
        text_columns=3,
    )


def _overview(subject: Subject, folder: ReportFolder) -> PageFigure:
    kinds = in_order(subject.feature_kinds)
    absent = [kind for kind in kinds if kind in absent_kinds()]
    rows = position_rows(subject.positions)
    panels = [
        DotPanel(
            f"{kind_label(kind)}: absent against present",
            rows,
            auroc_dots(subject, kind, subject.positions),
            "AUROC",
            (-0.02, 1.02),
            0.5,
        )
        for kind in absent
    ]
    panels += [
        DotPanel(
            f"{kind_label(kind)}: object always there",
            rows,
            auroc_dots(subject, kind, subject.positions),
            "False-alarm rate at the interjection's threshold",
            (-0.02, 1.02),
        )
        for kind in kinds
        if kind not in absent_kinds() and "interjection" in absent
    ]
    return folder.figure(
        subject.file("separability-overview"),
        subject.title("Separability at a glance"),
        _overview_caption(subject),
        make_dots(panels),
        subject.separability.table,
        group="separability-overview",
    )


def _overview_caption(subject: Subject) -> str:
    sentences = []
    for kind in in_order(kind for kind in subject.feature_kinds if kind in absent_kinds()):
        found = [(pick(subject.separability, position, COMBINED, kind), position) for position in subject.positions]
        ranked = sorted((pair for pair in found if is_there(pair[0])), key=lambda pair: -pair[0].value)
        if len(ranked) < 2:
            continue
        (best, best_position), (least, least_position) = ranked[0], ranked[-1]
        difference = combined_difference(subject, best_position, least_position, kind)
        sentences.append(
            f"{kind_label(kind)}: the three features together tell absent from present frames best at position "
            f"{best_position} (AUROC {format_estimate(best)}) and least at position {least_position} "
            f"({format_estimate(least)}); on the same frames the difference is {format_estimate(difference)}, "
            f"{_verdict(difference, len(ranked))}."
        )
    if not sentences:
        sentences.append("No linear combination could be fitted: there are too few source sequences.")
    return " ".join(sentences)


def _verdict(difference: Estimate, positions: int) -> str:
    """Say whether the best position is better than the least, which were chosen after the fact."""
    if difference.num_groups < LEAST_GROUPS:
        return f"too few source sequences to tell ({difference.num_groups})"
    if not difference.low > 0:
        return "not clearly different"
    return f"clearly different, though the two were chosen among {positions} for lying farthest apart"
