"""JSON that only programs write, with a checksum in it: a changed number is found and not taken for a result."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SEAL = "checksum"


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return an object to be written as JSON with the checksum of all else that it says."""
    return {**content, SEAL: _checksum(content)}


def check_seal(content: Any) -> None:
    """Make sure that an object read from JSON says what was written.

    Raises
    ------
    ValueError
        If it is none, or something was changed. One without a checksum is of an earlier version and passes.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    if SEAL in content and content[SEAL] != _checksum(content):
        raise ValueError("its checksum is wrong, so something in it was changed")


def _checksum(content: dict[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
