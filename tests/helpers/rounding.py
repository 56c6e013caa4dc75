"""Sums that are computed in two ways round alike on some processors only."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def _is_intel() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and "GenuineIntel" in info.read_text(encoding="utf-8")


IS_INTEL = _is_intel()
"""Where kernels of several layouts and batch sizes were seen to give the same bits."""


def assert_same_sums(actual, expected, *, rtol: float, atol: float = 0.0) -> None:
    """Ask for equal bits on Intel's processors; on others, whose kernels round by layout, for values within bounds."""
    if IS_INTEL:
        np.testing.assert_array_equal(actual, expected)
    else:
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)
