"""Round numbers for the axes of plots."""

from __future__ import annotations

import math

from napari_sam2_probe.figures.log_axis import round_log_values

_STEPS = (1.0, 2.0, 5.0, 10.0)


def round_values(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Return at most `most` round values between two numbers, evenly spread.

    Parameters
    ----------
    low, high
        Finite, `low` below `high`.
    most
        At least 1.
    whole
        Only whole numbers.
    """
    rough = (high - low) / max(most, 1)
    decade = 10.0 ** math.floor(math.log10(rough))
    for step in (factor * decade * tens for tens in (1, 10) for factor in _STEPS):
        if whole:
            step = max(round(step), 1)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [k * step for k in range(first, last + 1)]
    return []


def axis_values(low: float, high: float, most: int, *, log: bool = False, whole: bool = False) -> list[float]:
    """Return round values on a linear or logarithmic axis."""
    return round_log_values(low, high, max(most, 2)) if log else round_values(low, high, most, whole=whole)


def write_value(value: float) -> str:
    """Write a number with four figures that matter, a true minus and no needless zeros."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    text = f"{value:.4g}"
    if "e" in text:
        digits, exponent = text.split("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "−")
