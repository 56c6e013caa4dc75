"""Numbers and lists as people read them."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MISSING = "–"
"""What stands where a number is missing."""


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign; `MISSING` for NaN."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) != 0 else text.lstrip("-")


def times(value: float) -> str:
    """Write a factor with two or three figures that matter."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def interval(value: float, low: float, high: float, digits: int = 2) -> str:
    """Write a number with its interval where there is one: ``0.93 [0.90, 0.96]``."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def factor(value: float, low: float, high: float) -> str:
    """Write a factor with its interval."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return times(value)
    return f"{times(value)} [{times(low)}, {times(high)}]"


def count(how_many: int, noun: str) -> str:
    """Write a number of things: ``1 clip``, ``12 clips``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{how_many:,} {noun if how_many == 1 else plural}".replace(",", " ")


def did_you_mean(name: object, there: Iterable[str]) -> str:
    """Return ``" Did you mean 'interjection'?"`` where one of the names that are there is much like `name`, else ""."""
    near = get_close_matches(str(name), list(there), 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def listing(parts: Sequence[str]) -> str:
    """Join words as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
