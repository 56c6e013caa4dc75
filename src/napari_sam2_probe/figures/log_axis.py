"""Numbers on logarithmic axes: few, round, and plain ones where they are handy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis

_MOST = 6


def round_log_values(low: float, high: float, most: int = _MOST) -> list[float]:
    """Return two to `most` round values between two positive ones, evenly spread on a logarithmic axis.

    Where no two round values lie between them, the two themselves, rounded to two digits.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    # Decades that are left out are left out evenly, and counted from 1 so that a small change moves no number.
    for digits, step in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), step) for step in range(1, last - first + 2))):
        decades = [decade for decade in range(first, last + 1) if decade % step == 0]
        inside = [value for decade in decades for digit in digits if low <= (value := digit * 10.0**decade) <= high]
        if len(inside) <= most:
            break
    return inside if len(inside) > 1 else sorted({float(f"{value:.2g}") for value in (low, high)})


def log_number(value: float) -> str:
    """Write a round value, a large or small one as a power of ten in mathtext."""
    if 0.001 <= value < 100_000:
        return f"{value:g}"
    decade = math.floor(math.log10(value) + 1e-9)
    digit = f"{value / 10.0**decade:.2g}"
    return f"$10^{{{decade}}}$" if digit == "1" else f"${digit}\\times10^{{{decade}}}$"


def number_log_axis(axis: Axis, low: float, high: float, most: int = _MOST) -> None:
    """Put at most so many round numbers on an axis that is logarithmic already and goes from `low` to `high`."""
    from matplotlib.ticker import NullFormatter

    values = round_log_values(low, high, most)
    axis.set_ticks(values, [log_number(value) for value in values])
    axis.set_minor_formatter(NullFormatter())
