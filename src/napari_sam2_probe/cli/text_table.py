"""Tables in plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: int, last: int = 0) -> str:
    """Return a table with a rule below its header.

    Parameters
    ----------
    header, rows
        All of one length.
    words
        The first so many columns are aligned left, the others right.
    last
        A rule stands above the last so many rows.
    """
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(values: Sequence[str]) -> str:
        cells = zip(values, widths, strict=True)
        return "  ".join(v.ljust(w) if column < words else v.rjust(w) for column, (v, w) in enumerate(cells))

    rule = "-" * len(line(header))
    lines = [line(header), rule, *map(line, rows)]
    if last:
        lines.insert(len(lines) - last, rule)
    return "\n".join(lines)
