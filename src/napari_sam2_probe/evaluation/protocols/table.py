"""The table of all results: a row an object and number of annotated frames, and means over objects at the end."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.evaluation.metrics.summary import Summary
from napari_sam2_probe.evaluation.metrics.table import SCORE_COLUMNS, mean_summary, score_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_sam2_probe.evaluation.protocols.jobs import Job, JobResult

COLUMNS = ("model", "protocol", "prompt", "annotated_frames", "sequence", "object_id", *SCORE_COLUMNS)
GLOBAL = "global"
"""Stands for the sequence in rows that are means over all objects."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of ``protocols.csv``; see `COLUMNS`. ``object_id`` is None in rows of means."""

    model: str
    protocol: str
    prompt: str
    annotated_frames: int
    sequence: str
    object_id: int | None
    scores: dict[str, float]

    def cells(self) -> dict[str, str | int | float]:
        """Return the row by column."""
        return {
            "model": self.model,
            "protocol": self.protocol,
            "prompt": self.prompt,
            "annotated_frames": self.annotated_frames,
            "sequence": self.sequence,
            "object_id": "" if self.object_id is None else self.object_id,
            **self.scores,
        }


def make_table(results: Iterable[tuple[Job, JobResult]]) -> list[TableRow]:
    """Put results in rows: in the given order, and after each protocol and prompt its means over all objects."""
    groups: dict[tuple[str, str, str], list[TableRow]] = {}
    for job, result in results:
        rows = groups.setdefault((job.model, job.protocol, job.prompt), [])
        rows += [
            TableRow(job.model, job.protocol, job.prompt, row.annotated_frames, job.sequence, row.object_id, row.scores)
            for row in result.rows
        ]
    return [row for rows in groups.values() for row in (*rows, *_means(rows))]


def global_rows(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows that are means over all objects."""
    return [row for row in rows if row.object_id is None]


def write_table(rows: Sequence[TableRow], path: Path) -> None:
    """Write the rows with full precision; the file is complete or not there."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.cells() for row in rows)


def _means(rows: Sequence[TableRow]) -> list[TableRow]:
    means = []
    for number in sorted({row.annotated_frames for row in rows}):
        chosen = [row for row in rows if row.annotated_frames == number]
        region, boundary = (mean_summary([_summary(row, measure) for row in chosen]) for measure in ("J", "F"))
        first = chosen[0]
        cells = score_cells(region, boundary)
        means.append(TableRow(first.model, first.protocol, first.prompt, number, GLOBAL, None, cells))
    return means


def _summary(row: TableRow, measure: str) -> Summary:
    return Summary(row.scores[f"{measure}_mean"], row.scores[f"{measure}_recall"], row.scores[f"{measure}_decay"])
