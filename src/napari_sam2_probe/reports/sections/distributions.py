"""Distributions frame by frame: the paper's figures 18, 19, 21, 22, 24 to 27, 29 and 30."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.separability import COMBINED, usable_frames
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, FEATURE_LABELS, SHORT_TERM
from napari_sam2_probe.common.words import count, listing
from napari_sam2_probe.figures.separability import Distribution, make_separability
from napari_sam2_probe.probe.positions import title_of
from napari_sam2_probe.reports.separations import ALL_FEATURES, format_estimate, is_there, pick
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

FIGURES = {
    ("1", "interjection"): "18",
    ("1", "object-removal"): "19",
    ("2", "interjection"): "21",
    ("2", "object-removal"): "22",
    ("3", "interjection"): "24",
    ("3", "object-removal"): "25",
    ("4", "interjection"): "26",
    ("4", "object-removal"): "27",
    ("5", "interjection"): "29",
    ("5", "object-removal"): "30",
}
"""Number in the paper by position and kind."""


def figures(subjects: Sequence[Subject], folder: ReportFolder) -> list[PageFigure]:
    """Draw the distributions, in the paper's order."""
    return [
        _figure(subject, position, kind, folder)
        for position, kind in FIGURES
        for subject in subjects
        if kind in subject.feature_kinds and position in subject.positions
    ]


def _figure(subject: Subject, position: str, kind: str, folder: ReportFolder) -> PageFigure:
    rows = _scored(subject, position, kind)
    found = {feature: pick(subject.separability, position, feature, kind) for feature in ALL_FEATURES}
    shared = {
        "frame": rows["frame"].to_numpy(dtype=np.int64),
        "present": rows["object_present"].to_numpy(dtype=np.bool_),
        "prompted": rows["prompted_reference"].to_numpy(dtype=np.bool_),
    }
    drawn = []
    for feature, label in ALL_FEATURES.items():
        title = f"{label}: AUROC {format_estimate(found[feature])}" if is_there(found[feature]) else label
        values = rows[feature].to_numpy(dtype=np.float64)
        drawn.append(Distribution(title, values=values, logarithmic=feature != COMBINED, **shared))
    number = FIGURES[position, kind]
    return folder.figure(
        subject.file(f"figure-{number}"),
        subject.title(f"{kind_label(kind)}, position {position}, {title_of(position).lower()}"),
        _caption(found, rows),
        make_separability(drawn),
        rows,
        number=number,
        group=f"separability-{position}-{kind}",
    )


def _scored(subject: Subject, position: str, kind: str) -> pd.DataFrame:
    """Return the frames that separability was measured on, with the linear combination as one more column."""
    used = usable_frames(subject.results.features, subject.separability.options)
    rows = used[(used["kind"] == kind) & (used["position"] == position)]
    scores = subject.separability.scores
    of_kind = scores[(scores["kind"] == kind) & (scores["position"] == position)]
    of_kind = of_kind[["clip", "frame", "score"]].rename(columns={"score": COMBINED})
    return rows.merge(of_kind, on=["clip", "frame"], how="left")


def _caption(found: dict[str, Estimate], rows: pd.DataFrame) -> str:
    present = rows["object_present"].to_numpy(dtype=np.bool_)
    basis = (
        f"{count(int((~present).sum()), 'frame')} without the object against "
        f"{count(int(present.sum()), 'frame')} with it, {count(rows['clip'].nunique(), 'clip')} of "
        f"{count(rows['base_sequence'].nunique(), 'source sequence')}."
    )
    alone = {feature: found[feature] for feature in FEATURE_COLUMNS if is_there(found[feature])}
    if not alone:
        return f"No AUROC: {found[SHORT_TERM.column].reason}. {basis}"
    best = max(alone, key=lambda feature: alone[feature].value)
    others = [
        f"{FEATURE_LABELS[feature].lower()} {format_estimate(one)}" for feature, one in alone.items() if feature != best
    ]
    sentences = [
        f"{FEATURE_LABELS[best]} alone separates best, AUROC {format_estimate(alone[best])}; {listing(others)}."
    ]
    sentences.append(_combined(found[COMBINED], alone[best]))
    backwards = [FEATURE_LABELS[feature].lower() for feature, one in alone.items() if one.high < 0.5]
    if backwards:
        sentences.append(f"For {listing(backwards)} the effect goes the other way: lower on frames without the object.")
    return " ".join([*sentences, basis])


def _combined(combined: Estimate, best: Estimate) -> str:
    """Describe how the linear combination compares with the best feature alone."""
    if not is_there(combined):
        return f"No linear combination: {combined.reason}."
    if not np.isfinite([combined.low, best.low]).all():
        remark = ""
    elif combined.low <= best.high and best.low <= combined.high:
        remark = ", not clearly different (the intervals overlap)"
    else:
        remark = ", more than any alone" if combined.value > best.value else ", less than the best alone"
    return f"The linear combination reaches {format_estimate(combined)}{remark}."
