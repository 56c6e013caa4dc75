"""JSON that only programs write, with a checksum in it: a changed number is found and not taken for a result."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.reading import load_json, why

if TYPE_CHECKING:
    from pathlib import Path

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


def save_sealed(path: Path | str, form: str, version: int, content: dict[str, Any]) -> None:
    """Write a result as a file of its own, with what it is and its checksum; the file is complete or not there.

    Parameters
    ----------
    path
        The file.
    form, version
        What the file calls itself.
    content
        All else; no NaN, which JSON doesn't have.

    Raises
    ------
    ResourceError
        If the disk is full.
    """
    whole = sealed({"format": form, "version": version} | content)
    atomic_write_text(path, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def load_sealed(path: Path, form: str, version: int, *, what: str, command: str) -> dict[str, Any]:
    """Read what `save_sealed` wrote; its checksum is for `check_seal`, which reports damage.

    Parameters
    ----------
    path
        The file.
    form, version
        What it must call itself.
    what, command
        What it is, and what makes one, for messages.

    Raises
    ------
    InputError
        If there is no such file, or it is something else.
    """
    try:
        content = load_json(path)
    except OSError as error:
        raise InputError(f"{path} can't be read ({why(error)}).") from error
    except ValueError as error:
        raise InputError(f"{path} is no {what} ({why(error)}): make it with '{command}'.") from error
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (form, version):
        raise InputError(f"{path} is no {what} of this version: make it with '{command}'.")
    return content


def _checksum(content: dict[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
