"""What came out: J&F by stage, false positives, whether the object is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate
from napari_sam2_probe.common.words import count, interval, listing
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.figures.reidentification import BeforeAfter, make_reidentification
from napari_sam2_probe.figures.trends import CoursePanel, Trend, make_courses
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.subject import absent_kinds, in_order
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

STAGES = ("prefix", "interjection", "suffix", "all")


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Tell how the object was segmented."""
    shown = [subject for subject in subjects if subject.kinds]
    if not shown:
        return Part(None)
    tables = [_segmentation(shown), _false_positives(shown), _reidentification(shown)]
    figures = [_stages(shown, folder)]
    figures += [_over_time(subject, folder) for subject in shown]
    figures += [_found_again(subject, folder) for subject in shown]
    sentences = tuple(_sentence(subject, several=len(shown) > 1) for subject in shown)
    made = tuple(folder.table(table) for table in tables if table.rows)
    return Part(Section("Masks", (), tuple(figures), made), headlines=sentences)


def _pick(subject: Subject, kind: str, stage: str, measure: str) -> Estimate:
    table = subject.clip_table
    rows = table[(table["kind"] == kind) & (table["stage"] == stage) & (table["measure"] == measure)]
    if not len(rows):
        return Estimate.missing("not measured")
    row = rows.iloc[0]
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), int(row["num_sequences"]), str(row["reason"])
    )


def _said(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)


def _num_clips(subject: Subject, kind: str) -> int:
    frames = subject.results.frames
    return int(frames[frames["kind"] == kind]["clip"].nunique())


def _sentence(subject: Subject, *, several: bool) -> str:
    parts = []
    for kind in in_order(subject.kinds):
        jf = _pick(subject, kind, "all", "J&F")
        if np.isfinite(jf.value):
            parts.append(f"{_said(jf)} ({kind_label(kind).lower()})")
    name = f"{subject.name}: mean" if several else "Mean"
    said = f"{name} J&F is {listing(parts)}." if parts else f"{subject.name}: no frame has a score."
    wrong = [
        f"{_said(rate)} ({kind_label(kind).lower()})"
        for kind in subject.kinds
        if kind in absent_kinds() and np.isfinite((rate := _pick(subject, kind, "all", "false_positive_rate")).value)
    ]
    if wrong:
        said += f" Something is predicted on a share of {listing(wrong)} of the frames without the object."
    return said


def _segmentation(subjects: Sequence[Subject]) -> ReportTable:
    rows = []
    for subject in subjects:
        for kind in in_order(subject.kinds):
            cells = [_said(_pick(subject, kind, stage, "J&F")) for stage in STAGES]
            overall = [_said(_pick(subject, kind, "all", measure)) for measure in ("J", "F")]
            rows.append((subject.name, kind_label(kind), str(_num_clips(subject, kind)), *cells, *overall))
    return ReportTable(
        "segmentation",
        "J&F by kind and stage",
        "Mean over clips of each clip's mean over frames that show the object, the prompted one left out. "
        "[95 % interval, bootstrap over source sequences]",
        ("Experiment", "Clips", "Number", "Prefix", "Interjection", "Suffix", "Whole clip", "J", "F"),
        tuple(rows),
        _data(subjects, ("J", "F", "J&F")),
        text_columns=2,
    )


def _false_positives(subjects: Sequence[Subject]) -> ReportTable:
    rows = []
    for subject in subjects:
        for kind in in_order(k for k in subject.kinds if k in absent_kinds()):
            frames = subject.results.frames
            absent = frames[(frames["kind"] == kind) & ~frames["object_present"].astype(bool)]
            rate, score = (_pick(subject, kind, "all", m) for m in ("false_positive_rate", "object_score_auroc"))
            wrong = f"{int(absent['false_positive'].sum())} of {len(absent)}"
            rows.append((subject.name, kind_label(kind), wrong, _said(rate), _said(score)))
    return ReportTable(
        "false-positives",
        "False positives on frames without the object",
        "Frames without the object on which a mask was predicted, their share (mean over clips), and how well SAM 2's "
        "own object score tells present from absent frames (AUROC; 0.5 is chance). [95 % interval]",
        ("Experiment", "Clips", "Frames", "Share", "AUROC of the object score"),
        tuple(rows),
        _data(subjects, ("false_positive_rate", "object_score_auroc")),
        text_columns=2,
    )


def _reidentification(subjects: Sequence[Subject]) -> ReportTable:
    rows = []
    for subject in subjects:
        for kind in in_order(subject.kinds):
            before, after = (_pick(subject, kind, stage, "J&F") for stage in ("prefix", "suffix"))
            change = _pick(subject, kind, "suffix - prefix", "reidentification")
            rows.append((subject.name, kind_label(kind), _said(before), _said(after), _said(change)))
    return ReportTable(
        "reidentification",
        "Re-identification",
        "J&F after the interjection against before it; below 0 the object was found again less well. Clean clips "
        "show what the mere passing of time does. [95 % interval]",
        ("Experiment", "Clips", "Before (prefix)", "After (suffix)", "After − before"),
        tuple(rows),
        _data(subjects, ("reidentification",)),
        text_columns=2,
    )


def _data(subjects: Sequence[Subject], measures: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for subject in subjects:
        rows = subject.clip_table[subject.clip_table["measure"].isin(measures)].copy()
        rows.insert(0, "experiment", subject.name)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _stages(subjects: Sequence[Subject], folder: ReportFolder) -> PageFigure:
    kinds = in_order({kind for subject in subjects for kind in subject.kinds})
    panels = []
    for stage, title in (("prefix", "Before (prefix)"), ("interjection", "Interjection"), ("suffix", "After (suffix)")):
        dots = []
        for k, subject in enumerate(subjects):
            found = [_pick(subject, kind, stage, "J&F") for kind in kinds]
            columns = np.array([(one.value, one.low, one.high) for one in found], dtype=np.float64)
            look = SERIES_LOOKS[k % len(SERIES_LOOKS)]
            dots.append(Dots(subject.name, columns[:, 0], columns[:, 1], columns[:, 2], look))
        panels.append(DotPanel(title, tuple(map(kind_label, kinds)), tuple(dots), "J&F", (-0.02, 1.02)))
    lowest = []
    for subject in subjects:
        found_again = [(_pick(subject, kind, "suffix - prefix", "reidentification"), kind) for kind in subject.kinds]
        there = [pair for pair in found_again if np.isfinite(pair[0].value)]
        if there:
            change, kind = min(there, key=lambda pair: pair[0].value)
            name = f"{subject.name}: " if len(subjects) > 1 else ""
            lowest.append(
                f"{name}J&F changes most for the worse in {kind_label(kind).lower()} clips, by {_said(change)}"
            )
    caption = f"{'; '.join(lowest)}." if lowest else "There is no kind of clip with scores both before and after."
    return folder.figure(
        "segmentation-by-stage", "J&F by stage", caption, make_dots(panels, columns=3), _data(subjects, ("J&F",))
    )


def _over_time(subject: Subject, folder: ReportFolder) -> PageFigure:
    import pandas as pd

    parts = [_course(subject, "J&F"), _course(subject, "object_score")]
    parts = [part for part in parts if np.isfinite(part["value"]).any()]
    figure = _draw_courses(subject, parts)
    return folder.figure(
        subject.file("masks-over-time"),
        subject.title("Masks and object score over time"),
        _over_time_caption(subject),
        figure,
        pd.concat(parts, ignore_index=True) if parts else None,
        group="masks-over-time",
    )


def _course(subject: Subject, measure: str) -> pd.DataFrame:
    """Return the mean over clips of J&F or of the object score, frame by frame."""
    import pandas as pd

    frames = subject.results.frames
    if measure == "J&F":
        values = (frames["region"] + frames["boundary"]) / 2
    else:
        values = frames["object_score"].where(~frames["prompted"].astype(bool))
    table = frames[["kind", "frame", "base_sequence", "distractor_sequences"]].assign(value=values)
    rows = []
    for (kind, frame), part in table.groupby(["kind", "frame"]):
        mean = mean_estimate(
            part["value"], Clusters.of_rows(part), num_resamples=subject.num_resamples, seed=subject.seed
        )
        rows.append((measure, kind, frame, mean.value, mean.low, mean.high))
    return pd.DataFrame(rows, columns=["measure", "kind", "frame", "value", "low", "high"])


def _draw_courses(subject: Subject, parts: Sequence[pd.DataFrame]) -> Figure:
    panels = []
    for part in parts:
        measure = str(part["measure"].iloc[0])
        trends = []
        for kind in in_order(subject.kinds):
            rows = part[part["kind"] == kind].set_index("frame").reindex(range(subject.num_frames))
            value, low, high = (rows[c].to_numpy(dtype=np.float64) for c in ("value", "low", "high"))
            trends.append(Trend(kind_label(kind), kind, value, low, high, subject.absent(kind)))
        panels.append(
            CoursePanel("J&F", trends) if measure == "J&F" else CoursePanel("Object score (logit)", trends, 0.0)
        )
    return make_courses(panels, interjection=subject.interjection)


def _over_time_caption(subject: Subject) -> str:
    frames = subject.results.frames
    tracked = frames[~frames["prompted"].astype(bool) & np.isfinite(frames["object_score"])]
    sentences = ["Mean over clips, with the 95 % interval; points are frames without the object."]
    for kind in in_order(k for k in subject.kinds if k in absent_kinds()):
        rows = tracked[tracked["kind"] == kind]
        absent = ~rows["object_present"].to_numpy(dtype=np.bool_)
        if not absent.any():
            continue
        below = rows["object_score"].to_numpy() <= 0
        sentences.append(
            f"{kind_label(kind)}: SAM 2 believes the object gone (score at most 0) on {int(below[absent].sum())} of "
            f"{count(int(absent.sum()), 'frame')} without it and on {int(below[~absent].sum())} of "
            f"{int((~absent).sum())} with it."
        )
    return " ".join(sentences)


def _found_again(subject: Subject, folder: ReportFolder) -> PageFigure:
    clips = subject.per_clip
    panels = []
    for kind in in_order(subject.kinds):
        rows = clips[clips["kind"] == kind]
        before, after = (rows[f"J&F_{stage}"].to_numpy(dtype=np.float64) for stage in ("prefix", "suffix"))
        panels.append(BeforeAfter(kind_label(kind), kind, before, after))
    lost = [
        f"{int((panel.after < 0.5 * panel.before).sum())} of {int(np.isfinite(panel.after - panel.before).sum())} "
        f"({panel.label.lower()})"
        for panel in panels
    ]
    return folder.figure(
        subject.file("reidentification"),
        subject.title("Found again"),
        f"One point a clip. After the interjection J&F is less than half of what it was before on {listing(lost)} "
        "clips.",
        make_reidentification(panels),
        clips,
        group="reidentification",
    )
