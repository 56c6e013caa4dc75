"""The paper's pictures as tests: object, obscuring object and context at each position, over all clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.contrast import PAIRS
from napari_sam2_probe.common.words import interval
from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots
from napari_sam2_probe.probe.positions import title_of
from napari_sam2_probe.reports.contrasts import KINDS, NAMES, POSITIONS, STATISTICS, Contrasts
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw the contrasts."""
    shown = [(subject, subject.contrasts) for subject in subjects if subject.contrasts.found]
    missing = tuple(
        f"{subject.name}: no contrasts of object, obscuring object and context, since it was made by a version that "
        "did not record them; make it again in a new folder."
        for subject in subjects
        if subject.has_features and not subject.contrasts.found and set(subject.kinds) & set(KINDS)
    )
    if not shown:
        return Part(None, missing)
    figures = [_figure(subject, found, folder) for subject, found in shown]
    sentences = (
        "The paper reads off pictures of single frames where an object stands out from what is around it (figures 7, "
        "8, 11 and 12). Here the same is counted: on what share of frames is the channel mean, or the channel "
        "variance, over the first region higher than over the second? 0.5: they can't be told apart by it. "
        "A region is a set of whole tokens; the context is what neither object touches; prompted frames are left out. "
        "That objects look unlike their surroundings is part of it: position 1 knows nothing of the prompt.",
    )
    table = folder.table(_table(shown))
    return Part(Section("Object, obscuring object and context", sentences, tuple(figures), (table,)), missing)


def _figure(subject: Subject, found: Contrasts, folder: ReportFolder) -> PageFigure:
    kinds = [kind for kind in KINDS if any(key[0] == kind for key in found.found)]
    rows = tuple(f"{position}: {title_of(position)}" for position in POSITIONS)
    panels = [
        DotPanel(
            f"{kind_label(kind)}, channel {statistic}",
            rows,
            tuple(_dots(found, kind, statistic, *pair, look) for pair, look in zip(PAIRS, SERIES_LOOKS, strict=False)),
            "Share of frames on which the first is higher",
            (-0.02, 1.02),
            0.5,
        )
        for kind in kinds
        for statistic in STATISTICS
    ]
    return folder.figure(
        subject.file("contrasts"),
        subject.title("What stands out from what"),
        "Mean over clips of the share of frames on which the map is higher over the first region than over the second, "
        "with 95 % intervals (bootstrap over source sequences). Left the channel mean, right the channel variance.",
        make_dots(panels),
        _data([(subject, found)]),
        group="contrasts",
    )


def _dots(found: Contrasts, kind: str, statistic: str, first: str, second: str, look: tuple[str, str]) -> Dots:
    values = np.full((len(POSITIONS), 3), np.nan)
    for row, position in enumerate(POSITIONS):
        one = found.pick(kind, position, statistic, first, second)
        if one is not None:
            values[row] = one.higher.value, one.higher.low, one.higher.high
    return Dots(f"{NAMES[first]} against {NAMES[second]}", values[:, 0], values[:, 1], values[:, 2], look)


def _table(shown: Sequence[tuple[Subject, Contrasts]]) -> ReportTable:
    rows = []
    for subject, found in shown:
        for (kind, position, statistic), contrasts in found.found.items():
            cells = [
                interval(one.higher.value, one.higher.low, one.higher.high) if one.clips else "–" for one in contrasts
            ]
            rows.append((subject.name, kind_label(kind), position, f"channel {statistic}", *cells))
    return ReportTable(
        "contrasts",
        "Contrast of regions",
        "Mean over clips of the share of frames on which the map is higher over the first region than over the second; "
        "0.5 is no contrast. [95 % interval, bootstrap over source sequences] The CSV also holds the size of the "
        "contrast, (first − second) / (|first| + |second|).",
        ("Experiment", "Clips", "Position", "Map", *(f"{NAMES[a]} > {NAMES[b]}" for a, b in PAIRS)),
        tuple(rows),
        _data(shown),
        text_columns=4,
    )


def _data(shown: Sequence[tuple[Subject, Contrasts]]) -> pd.DataFrame:
    import pandas as pd

    data = []
    for subject, found in shown:
        for (kind, position, statistic), contrasts in found.found.items():
            for one in contrasts:
                row: dict[str, object] = {
                    "experiment": subject.name,
                    "kind": kind,
                    "position": position,
                    "statistic": statistic,
                }
                row |= {"first": one.first, "second": one.second, "clips": one.clips}
                for name in ("higher", "contrast"):
                    estimate = getattr(one, name)
                    row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
                data.append(row)
    return pd.DataFrame(data)
