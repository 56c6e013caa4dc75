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
    """

    done: int
    total: int
    what: str
    unit: str = "step"


ProgressCallback = Callable[[Progress], None]
"""Called with every step, from the thread that does the work."""


def ignore_progress(_: Progress) -> None:
    """Show nothing."""
