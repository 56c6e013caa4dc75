"""Models side by side: distances in units that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate
from napari_sam2_probe.common.feature_names import SHORT_TERM
from napari_sam2_probe.common.words import listing
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.probe.positions import in_order, title_of
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

KINDS = ("interjection", "object-removal", "context-removal")
"""Kinds whose changed frames are compared."""

CLEAN = "clean"


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Compare the models of several experiments; nothing where all are of one."""
    shown = [subject for subject in subjects if subject.has_features and CLEAN in subject.feature_kinds]
    if len({_weights(subject) for subject in subjects}) < 2:
        return Part(None)
    if len({_weights(subject) for subject in shown}) < 2:
        return Part(None, ("Models are not compared on common axes: two experiments with clean clips are needed.",))
    kinds = [kind for kind in KINDS if any(kind in subject.feature_kinds for subject in shown)]
    figures = (_distances(shown, kinds, folder),) if kinds else ()
    units = (
        "Distances of two models have no common unit: they depend on channels and scale. Here each is divided by its "
        "own median on clean clips (frames without a prompted frame among their references), position by position, so "
        "1 is an ordinary step of that model. How alike what they hold is, a table of the section on representations "
        "tells."
    )
    return Part(Section("Models side by side", (units,), figures))


def normalised_rise(subject: Subject, kind: str, position: str) -> Estimate:
    """Estimate the short-term L2 on changed frames in units of the model's own median on clean clips.

    Returns
    -------
    Estimate
        The geometric mean over clips of the median over the clip's changed frames. The unit is taken as given.
    """
    features = subject.features
    own = features[features["position"] == position]
    clean, changed = own[own["kind"] == CLEAN], own[own["kind"] == kind]
    ordinary = ~subject.seen_through_prompt(CLEAN)[SHORT_TERM.column]
    ordinary[0] = False
    unit = clean.loc[ordinary[clean["frame"].to_numpy()], SHORT_TERM.column].median()
    prefix, middle, _ = subject.results.lengths
    rows = changed[changed["frame"].between(prefix, prefix + middle - 1)]
    by_clip = rows.groupby("clip", sort=False)[SHORT_TERM.column].median() / unit
    known = by_clip[np.isfinite(by_clip) & (by_clip > 0)]
    if not len(known):
        return Estimate.missing("no distance on changed frames")
    groups = Clusters.of_rows(rows.drop_duplicates("clip").set_index("clip").loc[known.index])
    logs = np.log(known.to_numpy())
    return mean_estimate(logs, groups, num_resamples=subject.num_resamples, seed=subject.seed).exp()


def _distances(shown: Sequence[Subject], kinds: Sequence[str], folder: ReportFolder) -> PageFigure:
    import pandas as pd

    positions = in_order({p for subject in shown for p in subject.positions})
    names = tuple(f"{p}: {title_of(p)}" for p in positions)
    panels, rows = [], []
    for kind in kinds:
        dots = []
        for subject, look in zip(shown, _looks(len(shown)), strict=True):
            has_kind = kind in subject.feature_kinds
            estimates = [
                normalised_rise(subject, kind, p)
                if has_kind and p in subject.positions
                else Estimate.missing("not recorded")
                for p in positions
            ]
            value, low, high = (np.array([getattr(e, end) for e in estimates]) for end in ("value", "low", "high"))
            dots.append(Dots(subject.name, value, low, high, look))
            rows += [
                {"model": subject.name, "kind": kind, "position": p, "value": e.value, "low": e.low, "high": e.high}
                for p, e in zip(positions, estimates, strict=True)
            ]
        panels.append(DotPanel(kind_label(kind), names, tuple(dots), "short-term L2 / own clean median", None, 1.0))
    caption = (
        "Changed frames: geometric mean over clips of the median over each clip's changed frames, with 95 % intervals "
        "over source sequences, of bases and of what is put into them. Models: "
        f"{listing([subject.name for subject in shown])}. A position that a model doesn't have is empty."
    )
    title = "How far the change throws each model"
    return folder.figure("models", title, caption, make_dots(panels), pd.DataFrame(rows))


def _weights(subject: Subject) -> tuple[str, str]:
    model = subject.results.provenance.get("model") or {}
    return str(model.get("sha256") or model.get("checkpoint")), str(model.get("config"))


def _looks(number: int) -> list[tuple[str, str]]:
    return [SERIES_LOOKS[k % len(SERIES_LOOKS)] for k in range(number)]
