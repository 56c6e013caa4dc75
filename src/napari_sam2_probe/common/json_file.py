"""JSON files that others may have written: read whole, or refused by two kinds of error."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 1 << 28
"""Larger files are not read: what we write stays far below, also for videos of a million frames."""


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        If it is no ordinary file, larger than `MOST_BYTES`, no UTF-8 or no JSON, or nested deeper than anything of
        ours.
    """
    about = path.stat()
    # A pipe would be waited for without end.
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("it is no ordinary file")
    if about.st_size > MOST_BYTES:
        raise ValueError(f"it has {about.st_size} bytes")
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Return what a text in JSON says.

    Raises
    ------
    ValueError
        If it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
