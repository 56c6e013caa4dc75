"""Every claim of the paper beside what was measured: agrees, disagrees, or can't be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.words import count, listing
from napari_sam2_probe.reports.claims import Claim, claims_of
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.subject import Subject


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """List the claims."""
    shown = [(subject, claims) for subject in subjects if (claims := claims_of(subject))]
    if not shown:
        return Part(None)
    several = len(shown) > 1
    sentences = (
        "A claim agrees where the 95 % interval lies on the claimed side, disagrees where it lies on the other, and "
        "can't be told otherwise, or where fewer than six source sequences are behind it. With nothing to find, one "
        "claim in twenty would be decided by chance; the column 'All at once' has what is left when intervals are "
        "widened so that all of them hold together in 95 of 100 cases (max-T over the same resamples). The paper "
        "names no checkpoint and no intervals, so only directions can be compared.",
        *(
            f"{f'{subject.name}: ' if several else ''}{listing([_tally(claims, v) for v in _VERDICTS])} "
            f"of {count(len(claims), 'claim')}."
            for subject, claims in shown
        ),
    )
    table = folder.table(_table(shown))
    headlines = tuple(
        f"{f'{subject.name}: o' if several else 'O'}f {count(len(claims), 'claim')} of the paper "
        f"{listing([_tally(claims, v) for v in _VERDICTS])} (section 'The paper's claims')."
        for subject, claims in shown
    )
    return Part(Section("The paper's claims", sentences, (), (table,)), headlines=headlines)


_VERDICTS = {"agrees": "agree", "disagrees": "disagree", "can't be told": "can't be told"}


def _tally(claims: Sequence[Claim], verdict: str) -> str:
    return f"{sum(claim.verdict == verdict for claim in claims)} {_VERDICTS[verdict]}"


def _table(shown: Sequence[tuple[Subject, Sequence[Claim]]]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for subject, claims in shown:
        for claim in claims:
            verdict = claim.verdict.upper() if claim.verdict == "disagrees" else claim.verdict
            together = claim.together.upper() if claim.together == "disagrees" else claim.together
            rows.append((subject.name, claim.where, claim.claim, verdict, together, claim.measured))
            data.append(
                {
                    "experiment": subject.name,
                    "where": claim.where,
                    "claim": claim.claim,
                    "verdict": claim.verdict,
                    "together": claim.together,
                    "measured": claim.measured,
                }
            )
    return ReportTable(
        "claims",
        "The paper's claims",
        "What the paper says (Bromley et al., An Analysis of Segment Anything 2; its second version: An Analysis of "
        "Data Transformation Effects on Segment Anything 2, arXiv 2503.00042v2), and what was measured here. "
        "[95 % interval]",
        ("Experiment", "In the paper", "Claim", "Verdict", "All at once", "Measured"),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=6,
    )
