"""Distributions frame by frame: the paper's figures 18, 19, 21, 22, 24 to 27, 29 and 30."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc_difference
from napari_sam2_probe.analysis.bootstrap import LEAST_GROUPS, Clusters
from napari_sam2_probe.analysis.separability import COMBINED, usable_frames
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS, FEATURE_PHRASES, SHORT_TERM
from napari_sam2_probe.common.words import count, listing, number
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

THREE = {"auroc": "paper", "auroc_placebo": "placebo", "auroc_matched": "matched"}
"""The numbers above each panel."""


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
        title = _title(subject, kind, position, feature, label, found[feature])
        values = rows[feature].to_numpy(dtype=np.float64)
        drawn.append(Distribution(title, values=values, logarithmic=feature != COMBINED, **shared))
    paper_number = FIGURES[position, kind]
    return folder.figure(
        subject.file(f"figure-{paper_number}"),
        subject.title(f"{kind_label(kind)}, position {position}, {title_of(position).lower()}"),
        _caption(subject, found, rows),
        make_separability(drawn),
        rows,
        number=paper_number,
        group=f"separability-{position}-{kind}",
    )


def _scored(subject: Subject, position: str, kind: str) -> pd.DataFrame:
    """Return the frames that separability was measured on, with the linear combination as one more column."""
    used = usable_frames(subject.features, subject.separability.options)
    rows = used[(used["kind"] == kind) & (used["position"] == position)]
    scores = subject.separability.scores
    of_kind = scores[(scores["kind"] == kind) & (scores["position"] == position)]
    of_kind = of_kind[["clip", "frame", "score"]].rename(columns={"score": COMBINED})
    return rows.merge(of_kind, on=["clip", "frame"], how="left")


def _title(subject: Subject, kind: str, position: str, feature: str, label: str, found: Estimate) -> str:
    """Name a panel with the number of the paper beside its controls, where there are any."""
    numbers = {name: subject.controls.pick(name, kind, feature, position) for name in THREE}
    if not all(map(is_there, numbers.values())):
        return f"{label}: AUROC {format_estimate(found)}" if is_there(found) else label
    said = ", ".join(f"{words} {number(numbers[name].value)}" for name, words in THREE.items())
    return f"{label}: {said}"


def _caption(subject: Subject, found: dict[str, Estimate], rows: pd.DataFrame) -> str:
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
    others = [f"{FEATURE_PHRASES[feature]} {format_estimate(one)}" for feature, one in alone.items() if feature != best]
    sentences = [
        f"As in the paper, over all frames drawn: AUROC of the {FEATURE_PHRASES[best]} "
        f"{format_estimate(alone[best])}, {listing(others)}."
    ]
    sentences.append(_combined(found[COMBINED], rows, best, subject))
    backwards = [FEATURE_PHRASES[feature] for feature, one in alone.items() if one.high < 0.5]
    if backwards:
        sentences.append(f"For {listing(backwards)} the effect goes the other way: lower on frames without the object.")
    kind, position = str(rows["kind"].iloc[0]), str(rows["position"].iloc[0])
    if is_there(subject.controls.pick("auroc_placebo", kind, best, position)):
        sentences.append(
            "Above the panels: as in the paper, where nothing changed (placebo), and against the same frames without "
            "the change (matched), all three of frames with all five references, the first one after the change left "
            "out. There is no control for the linear combination."
        )
    return " ".join([*sentences, basis])


def _combined(combined: Estimate, rows: pd.DataFrame, best: str, subject: Subject) -> str:
    """Describe how the linear combination compares with the best feature alone, on the same frames."""
    if not is_there(combined):
        return f"No linear combination: {combined.reason}."
    difference = auroc_difference(
        rows[COMBINED].to_numpy(np.float64),
        rows[best].to_numpy(np.float64),
        ~rows["object_present"].to_numpy(dtype=np.bool_),
        Clusters.of_rows(rows),
        num_resamples=subject.num_resamples,
        seed=subject.seed,
    )
    name = FEATURE_PHRASES[best]
    if difference.num_groups < LEAST_GROUPS:
        verdict = f"too few source sequences to tell ({difference.num_groups})"
    elif difference.low > 0:
        verdict = "more than that alone"
    else:
        verdict = "less than that alone" if difference.high < 0 else "not clearly different"
    return (
        f"The linear combination reaches {format_estimate(combined)}; less the {name} on the same frames that is "
        f"{format_estimate(difference)}: {verdict}."
    )
