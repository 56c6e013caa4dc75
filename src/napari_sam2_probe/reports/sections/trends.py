"""Features over time of whole data sets: the paper's figures 16, 17, 20, 23 and 28."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, SHORT_TERM
from napari_sam2_probe.common.words import factor, listing
from napari_sam2_probe.figures.trends import Trend, TrendRow, make_trends
from napari_sam2_probe.probe.positions import gate_pairs, in_order, title_of
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.rises import rise
from napari_sam2_probe.reports.subject import TREND_KINDS
from napari_sam2_probe.reports.words import CONDITIONS, kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

FIGURES = {"1": "16", "4": "17", "2": "20", "3": "23", "5": "28"}
"""Number in the paper by position, in the paper's order."""


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw the features over time."""
    shown = [s for s in subjects if s.has_features and set(s.feature_kinds) & set(TREND_KINDS)]
    if not shown:
        return Part(None)
    beside = {raw for _, raw in gate_pairs()}
    there = {position for subject in shown for position in subject.positions} - beside
    ours = in_order(there - FIGURES.keys())
    figures = [
        _figure(subject, position, folder)
        for position in (*FIGURES, *ours)
        for subject in shown
        if position in subject.positions
    ]
    missing = []
    for subject in shown:
        lacking = [
            kind_label(kind).lower()
            for kind in TREND_KINDS
            if kind in subject.results.kinds and kind not in subject.feature_kinds
        ]
        if lacking:
            missing.append(
                f"{subject.name}: figures over time are without {listing(lacking)}, of which no clip is done."
            )
    sentences = (
        "How far each frame is from the last frames that hold the object, at every position, over the clips of each "
        "data set: the mean above, as in the paper, the median below it. Bands are 95 % intervals (bootstrap over "
        "source sequences). The long-term distance begins where its window is full; where a reference is a prompted "
        "frame (hollow squares) a distance is several times as large for that reason alone.",
    )
    return Part(Section("Features over time", sentences, tuple(figures)), tuple(missing))


def _figure(subject: Subject, position: str, folder: ReportFolder) -> PageFigure:
    import pandas as pd

    twins = [raw for gated, raw in gate_pairs() if gated == position]
    positions = [p for p in (position, *twins) if p in subject.positions]
    rows = [_row(subject, p, statistic) for p in positions for statistic in ("mean", "median")]
    number = FIGURES.get(position, "")
    tables = [subject.timelines.assign(placebo=False), subject.placebo_timelines.assign(placebo=True)]
    data = pd.concat([table[table["position"].isin(positions)] for table in tables if len(table)], ignore_index=True)
    name = title_of(position)
    return folder.figure(
        subject.file(f"figure-{number}" if number else f"features-{position}"),
        subject.title(f"Position {position}, {name.lower()}, over time"),
        _caption(subject, positions),
        make_trends(rows, interjection=subject.interjection),
        data,
        number=number,
        group=f"trend-{position}",
    )


def _row(subject: Subject, position: str, statistic: str) -> TrendRow:
    table = subject.timelines[subject.timelines["position"] == position]
    trends: dict[str, list[Trend]] = {}
    for feature in FEATURE_COLUMNS:
        trends[feature] = []
        for kind in TREND_KINDS:
            rows = table[(table["kind"] == kind) & (table["feature"] == feature)].set_index("frame")
            if not len(rows):
                continue
            rows = rows.reindex(range(subject.num_frames))
            trends[feature].append(
                Trend(
                    kind_label(kind),
                    kind,
                    rows[statistic].to_numpy(dtype=np.float64),
                    rows[f"{statistic}_low"].to_numpy(dtype=np.float64),
                    rows[f"{statistic}_high"].to_numpy(dtype=np.float64),
                    subject.absent(kind),
                    subject.seen_through_prompt(kind)[feature],
                    _placebo(subject, position, feature, kind, statistic),
                )
            )
    return TrendRow(position, statistic.capitalize(), trends)


def _placebo(subject: Subject, position: str, feature: str, kind: str, statistic: str) -> NDArray[np.float64] | None:
    """Return the same of clips in which nothing changes, around the change: elsewhere it is that of any other clip."""
    table = subject.placebo_timelines
    rows = table[(table["position"] == position) & (table["kind"] == kind) & (table["feature"] == feature)]
    if not len(rows):
        return None
    prefix, middle, _ = subject.results.lengths
    values = np.full(subject.num_frames, np.nan)
    around = rows[rows["frame"].between(prefix - 1, prefix + middle + 1)]
    values[around["frame"].to_numpy(dtype=np.intp)] = around[statistic].to_numpy(dtype=np.float64)
    return values


def _caption(subject: Subject, positions: Sequence[str]) -> str:
    prefix, middle, suffix = subject.results.lengths
    changed = range(prefix, prefix + middle)
    kinds = [kind for kind in TREND_KINDS if kind in subject.feature_kinds]
    sentences = []
    for position in positions:
        said = []
        for kind in kinds:
            found = rise(subject, kind, position, SHORT_TERM.column, changed)
            if np.isfinite(found.value):
                said.append(f"{factor(found.value, found.low, found.high)} times {CONDITIONS[kind]}")
        if not said:
            continue
        if position == positions[0]:
            sentences.append(
                f"On frames {changed[0]} to {changed[-1]} the short-term L2 is, against ordinary frames of the same "
                f"clips (geometric mean over clips, 95 % interval), {listing(said)}."
            )
        else:
            sentences.append(f"Before the gate ({position}) it is {listing(said)}.")
    controls = []
    for kind in kinds:
        found = rise(subject, kind, positions[0], SHORT_TERM.column, changed, placebo=True)
        if np.isfinite(found.value):
            controls.append(f"{factor(found.value, found.low, found.high)} times beside {kind_label(kind).lower()}")
    if controls:
        sentences.append(
            f"Placebo (dashed): on the same clips without the change, compared as if the object was absent on these "
            f"frames, it is {listing(controls)}. What exceeds 1 there comes of references that stand still; only what "
            "exceeds the placebo can come of the change."
        )
    if "context-removal" in kinds and middle and suffix:
        peaks = [
            (frame, rise(subject, "context-removal", positions[0], SHORT_TERM.column, range(frame, frame + 1)))
            for frame in (prefix, prefix + middle)
        ]
        if all(np.isfinite(peak.value) for _, peak in peaks):
            said = [f"{factor(p.value, p.low, p.high)} times on frame {frame}" for frame, p in peaks]
            sentences.append(f"Where the context goes and where it comes back: {listing(said)}.")
    numbers = {len(subject.results.clips(kind)) for kind in kinds}
    sentences.append(f"{listing([str(n) for n in sorted(numbers)])} clips of each kind.")
    return " ".join(sentences)
