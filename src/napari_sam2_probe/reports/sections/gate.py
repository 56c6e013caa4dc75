"""Gated positions beside ungated ones: how much of a separation is SAM 2's own gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.separability import usable_frames
from napari_sam2_probe.common.feature_names import SHORT_TERM
from napari_sam2_probe.figures.dots import DotPanel
from napari_sam2_probe.figures.gate import Cloud, GatePanel, make_gate
from napari_sam2_probe.probe.positions import gate_pairs, title_of
from napari_sam2_probe.reports.separations import (
    auroc_dots,
    format_estimate,
    is_there,
    pick,
    pick_difference,
    position_rows,
)
from napari_sam2_probe.reports.subject import absent_kinds
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject


def figures(subjects: Sequence[Subject], folder: ReportFolder) -> list[PageFigure]:
    """Draw the gate for every experiment that has gated and ungated positions."""
    return [_figure(subject, folder) for subject in subjects if _pairs(subject)]


def _pairs(subject: Subject) -> list[tuple[str, str]]:
    """Return the gated positions of an experiment, each with its ungated twin."""
    return [pair for pair in gate_pairs() if set(pair) <= set(subject.positions)]


def _figure(subject: Subject, folder: ReportFolder) -> PageFigure:
    import pandas as pd

    positions = [position for pair in _pairs(subject) for position in pair]
    kinds = [kind for kind in absent_kinds() if kind in subject.feature_kinds]
    panels, parts = [], []
    for kind in kinds:
        clouds = []
        for position in positions:
            rows = _relative(subject, kind, position)
            parts.append(rows)
            values = rows["relative"].to_numpy(dtype=np.float64)
            present = rows["object_present"].to_numpy(dtype=np.bool_)
            clouds.append(Cloud(f"{position}: {title_of(position)}", values[present], values[~present]))
        dots = auroc_dots(subject, kind, positions)
        estimates = DotPanel("", position_rows(positions), dots, "AUROC", (-0.02, 1.02), 0.5)
        panels.append(GatePanel(kind_label(kind), tuple(clouds), estimates))
    return folder.figure(
        subject.file("gate"),
        subject.title("How much of the separation is the gate"),
        _caption(subject),
        make_gate(panels, axis="Short-term L2, as multiples of its median with the object"),
        pd.concat(parts, ignore_index=True),
        group="gate",
    )


def _relative(subject: Subject, kind: str, position: str) -> pd.DataFrame:
    """Return the short-term distance of the frames that separability uses, also relative to the usual one."""
    used = usable_frames(subject.features, subject.separability.options)
    rows = used[(used["kind"] == kind) & (used["position"] == position)]
    with_object = rows[SHORT_TERM.column][rows["object_present"].astype(bool)]
    usual = float(with_object.median()) if len(with_object) else float("nan")
    relative = rows[SHORT_TERM.column] / usual if usual > 0 else np.nan
    columns = ["kind", "clip", "frame", "position", "object_present", SHORT_TERM.column]
    return rows[columns].assign(relative=relative)


def _caption(subject: Subject) -> str:
    what = (
        "Where SAM 2 believes the object gone it replaces the pointer (4) by a constant and, in version 2.1, adds one "
        "to the memory (5); 4r and 5r are the same tensors before that."
    )
    return " ".join([what, *sentences(subject)])


def sentences(subject: Subject) -> list[str]:
    """Say for each pair how well the short-term distance separates with the gate and without."""
    written = []
    for gated, raw in gate_pairs():
        found = []
        for kind in absent_kinds():
            both = [pick(subject.separability, position, SHORT_TERM.column, kind) for position in (gated, raw)]
            if all(map(is_there, both)):
                gated_value, raw_value = map(format_estimate, both)
                difference = pick_difference(subject.separability, gated, raw, SHORT_TERM.column, kind)
                more = f", a difference of {format_estimate(difference)} on the same frames" * is_there(difference)
                found.append(f"{gated_value} with the gate and {raw_value} without{more} ({kind_label(kind).lower()})")
        if found:
            written.append(f"AUROC of the short-term L2 at {gated} and {raw}: {'; '.join(found)}.")
    return written
