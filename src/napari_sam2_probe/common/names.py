"""Names that become paths: whoever wrote a file, nothing that it names is written outside the folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 240
"""Of a name, so that an ending fits into the 255 of file systems."""


def is_plain_name(name: Any) -> bool:
    """Tell whether something is a text that names one file or folder right where it is put, and nothing elsewhere.

    Not so are ``""``, ``"."``, ``".."``, whatever holds a separator of any system, a drive or a control character,
    and what no file system takes.
    """
    if not isinstance(name, str) or name in ("", ".", ".."):
        return False
    if any(character in "/\\" or ord(character) < 32 or character == "\x7f" for character in name):
        return False
    if len(name) > 1 and name[1] == ":":
        return False
    try:
        # As the system writes it; half a character of UTF-16 can't be written.
        return len(os.fsencode(name)) <= _MOST_BYTES
    except UnicodeEncodeError:
        return False


def shown_name(name: str) -> str:
    """Return a file's name as it can be shown and written anywhere: what is no UTF-8 in it as ``\ufffd``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def inside(folder: Path, *names: str) -> Path:
    """Return the path of something in `folder`; its parts need not be there.

    Parameters
    ----------
    folder
        The folder, which may be reached by links itself.
    names
        What leads from it to the file or folder, part by part.

    Raises
    ------
    InputError
        If a name is no plain name, or a link on the way leads out of the folder.
    """
    path = folder
    for name in names:
        if not is_plain_name(name):
            raise InputError(f"{name!r} can't be a name in {folder}: a name holds no '/', '\\' or '..'.")
        path = path / name
    check_inside(folder, path)
    return path


def check_inside(folder: Path, *paths: Path) -> None:
    """Make sure that paths which begin with `folder` lie in it, wherever links on the way lead.

    Raises
    ------
    InputError
        If one doesn't.
    """
    # Links are rare, and to follow every path to its end takes long.
    for path in paths:
        parts = path.relative_to(folder).parts
        steps = [folder.joinpath(*parts[: count + 1]) for count in range(len(parts))]
        link = next((step for step in steps if step.is_symlink()), None)
        if link is not None and not _leads_inside(folder, path):
            raise InputError(f"{link} is a link that leads out of {folder}: put the folder itself there.")


def _leads_inside(folder: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        # Links that go round in a circle.
        return False
