"""Scores as the columns of a table, and their means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.evaluation.metrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

SCORE_COLUMNS = ("J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay", "JF_mean")
"""Columns of every table of scores."""


def score_cells(region: Summary, boundary: Summary) -> dict[str, float]:
    """Return the values of `SCORE_COLUMNS`."""
    values = (region.mean, region.recall, region.decay, boundary.mean, boundary.recall, boundary.decay)
    return dict(zip(SCORE_COLUMNS, (*values, (region.mean + boundary.mean) / 2), strict=True))


def mean_summary(summaries: Sequence[Summary]) -> Summary:
    """Return the means over several objects, at least one."""
    count = len(summaries)
    return Summary(
        mean=sum(s.mean for s in summaries) / count,
        recall=sum(s.recall for s in summaries) / count,
        decay=sum(s.decay for s in summaries) / count,
    )
