"""Single numbers out of a table of separability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.auroc import auroc_difference
from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate
from napari_sam2_probe.analysis.separability import COMBINED
from napari_sam2_probe.common.feature_names import FEATURE_LABELS
from napari_sam2_probe.common.words import interval
from napari_sam2_probe.figures.dots import FEATURE_LOOKS, Dots
from napari_sam2_probe.probe.positions import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.analysis.separability import Separability
    from napari_sam2_probe.reports.subject import Subject

ALL_FEATURES = {**FEATURE_LABELS, COMBINED: "Linear combination"}
"""The features and what combines them, with what a reader sees."""


def pick(separability: Separability, position: str, feature: str, kind: str) -> Estimate:
    """Return the AUROC (or the false-alarm rate) of one feature at one position for one kind."""
    table = separability.table
    rows = table[(table["position"] == position) & (table["feature"] == feature) & (table["kind"] == kind)]
    if not len(rows):
        return Estimate.missing("not measured")
    row = rows.iloc[0]
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), int(row["num_sequences"]), str(row["reason"])
    )


def pick_difference(separability: Separability, position: str, other: str, feature: str, kind: str) -> Estimate:
    """Return how much larger the AUROC is at one position than at another, on the same frames."""
    table = separability.differences
    rows = table[(table["position"] == position) & (table["other"] == other)]
    rows = rows[(rows["feature"] == feature) & (rows["kind"] == kind)]
    if not len(rows):
        return Estimate.missing("not measured")
    row = rows.iloc[0]
    return Estimate(
        float(row["value"]), float(row["low"]), float(row["high"]), int(row["num_sequences"]), str(row["reason"])
    )


def is_there(estimate: Estimate) -> bool:
    """Tell whether there is a number."""
    return math.isfinite(estimate.value)


def format_estimate(estimate: Estimate) -> str:
    """Write an estimate with its interval."""
    return interval(estimate.value, estimate.low, estimate.high)


def position_rows(positions: Sequence[str]) -> tuple[str, ...]:
    """Return names of rows, one a position."""
    return tuple(f"{position}: {title_of(position)}" for position in positions)


def auroc_dots(subject: Subject, kind: str, positions: Sequence[str]) -> tuple[Dots, ...]:
    """Return the measure of every feature at some positions, to be drawn as dots."""
    dots = []
    for feature, label in ALL_FEATURES.items():
        found = [pick(subject.separability, position, feature, kind) for position in positions]
        columns = np.array([(one.value, one.low, one.high) for one in found], dtype=np.float64)
        dots.append(Dots(label, columns[:, 0], columns[:, 1], columns[:, 2], FEATURE_LOOKS[feature]))
    return tuple(dots)


def combined_difference(subject: Subject, first: str, second: str, kind: str) -> Estimate:
    """Estimate how much larger the AUROC of the linear combination is at one position than at another, same frames."""
    scores = subject.separability.scores
    rows = [scores[(scores["position"] == p) & (scores["kind"] == kind)] for p in (first, second)]
    both = rows[0].merge(rows[1][["clip", "frame", "score"]], on=["clip", "frame"], suffixes=("", "_other"))
    if not len(both):
        return Estimate.missing("not measured")
    return auroc_difference(
        both["score"],
        both["score_other"],
        ~both["object_present"].to_numpy(dtype=np.bool_),
        Clusters.of_rows(both),
        num_resamples=subject.num_resamples,
        seed=subject.seed,
    )
