"""What each part of a report gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam2_probe.reports.page import Section


@dataclass(frozen=True)
class Part:
    """A part of a report.

    Attributes
    ----------
    section
        What there is to show; None for nothing.
    headlines
        The most important findings, a sentence each.
    missing
        Sentences that say which figures or tables are not there, why, and how to get them.
    """

    section: Section | None
    missing: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()
