"""The fonts of figures: matplotlib's own, the same on every machine, and others for letters that it lacks."""

from __future__ import annotations

from functools import cache

OWN = "DejaVu Sans"
"""Comes with matplotlib itself."""

_WITH_OTHER_LETTERS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "Hiragino Sans",
    "Yu Gothic",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
"""Fonts of the common systems with Chinese, Japanese and Korean letters, in which people name videos."""


@cache
def font_families() -> list[str]:
    """Return the fonts in which each letter is looked for: matplotlib's own, then what the machine has."""
    from matplotlib.font_manager import fontManager

    # matplotlib would complain at each figure of a font whose only weight is another.
    there = {font.name for font in fontManager.ttflist if font.style == "normal" and font.weight in (400, "normal")}
    return [OWN, *(name for name in _WITH_OTHER_LETTERS if name in there)]
