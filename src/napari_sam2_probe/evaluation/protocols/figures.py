"""From the table to its figures, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.evaluation.protocols.jobs import INTERACTIVE, PROMPTS, SEMI_SUPERVISED
from napari_sam2_probe.figures.protocols import (
    AnnotationCurve,
    PromptScores,
    make_annotation_curves,
    make_prompt_scores,
)
from napari_sam2_probe.figures.style import save_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam2_probe.evaluation.protocols.table import TableRow

_NAMES = {protocol: name for name, protocol in INTERACTIVE.items()}


def draw_table(rows: Sequence[TableRow], folder: Path, remark: str = "") -> list[Path]:
    """Draw the figures that the table has data for, as PNG and PDF; return the PNGs.

    `remark` is kept in the files, as `napari_sam2_probe.figures.style.save_figure` does.
    """
    figures = {}
    if curves := annotation_curves(rows):
        figures["interactive"] = make_annotation_curves(curves)
    if scores := prompt_scores(rows):
        figures["semi-supervised"] = make_prompt_scores(scores)
    for name, figure in figures.items():
        for suffix in ("png", "pdf"):
            save_figure(figure, folder / f"{name}.{suffix}", remark=remark)
    return [folder / f"{name}.png" for name in figures]


def annotation_curves(rows: Sequence[TableRow]) -> list[AnnotationCurve]:
    """Return J&F against the number of annotated frames, a curve for each model and interactive protocol."""
    groups: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in rows:
        if row.protocol in _NAMES and row.object_id is not None:
            group = groups.setdefault((row.model, row.protocol), {})
            group.setdefault(row.annotated_frames, []).append(row.scores["JF_mean"])
    return [
        AnnotationCurve(model, _NAMES[protocol], tuple(group), tuple(map(tuple, group.values())))
        for (model, protocol), group in groups.items()
    ]


def prompt_scores(rows: Sequence[TableRow]) -> list[PromptScores]:
    """Return J&F of every object by prompt, for each model."""
    groups: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.protocol == SEMI_SUPERVISED and row.object_id is not None:
            groups.setdefault(row.model, {}).setdefault(row.prompt, []).append(row.scores["JF_mean"])
    return [
        PromptScores(model, {name: tuple(group[name]) for name in PROMPTS if name in group})
        for model, group in groups.items()
    ]
