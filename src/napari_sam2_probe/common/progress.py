"""Progress as events: the core reports, the command line or the window shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a longer job.

    Attributes
    ----------
    done, total
        Units of work finished and in all; ``total`` is 0 where it is not known.
    what
        What is being done, in words a user reads (``"tracking blackswan"``).
    unit
        The unit that is counted (``"frame"``, ``"clip"``, ``"byte"``).
    beside
        What else goes on meanwhile, and how far that is, in words; mostly nothing.
    """

    done: int
    total: int
    what: str
    unit: str = "step"
    beside: str = ""


ProgressCallback = Callable[[Progress], None]
"""Called with every step, from the thread that does the work."""


def ignore_progress(_: Progress) -> None:
    """Show nothing."""


def duration_text(seconds: float) -> str:
    """Say a duration as roughly as it is known: ``"40 s"``, ``"12 min"``, ``"2.8 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
