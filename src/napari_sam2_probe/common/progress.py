"""Progress as events: the core reports, the command line or the window shows."""

from __future__ import annotations

import time
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


class TimeLeft:
    """How long a job still takes, at the mean pace since it began what it does now.

    What was done before, by an earlier call that is gone on with, says nothing of the pace.

    Parameters
    ----------
    after
        How many seconds something must go on before its time is shown: a short job needs none, and at first it is a
        guess.
    """

    def __init__(self, after: float = 0.0) -> None:
        self._after = after
        self.restart()

    def restart(self) -> None:
        """Forget the pace, for instance after a pause."""
        self._what: str | None = None
        self._began, self._first = 0.0, 0

    def take(self, step: Progress) -> float | None:
        """Learn of a step and return the seconds that are left after it; None where they can't be estimated."""
        now = time.monotonic()
        if step.what != self._what:
            self._what, self._began, self._first = step.what, now, step.done
        done, seconds = step.done - self._first, now - self._began
        if not step.total or done <= 0 or seconds < self._after:
            return None
        return seconds / done * (step.total - step.done)


def duration_text(seconds: float) -> str:
    """Say a duration as roughly as it is known: ``"40 s"``, ``"12 min"``, ``"2.8 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
