"""Things on a disk that are called like a file and are none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("link", "circle", "folder", "pipe", "device", "locked")


def make_special(path: Path, kind: str) -> None:
    """Put something at a path: a dangling link, a link to itself, a folder, a pipe, a link to a device, no rights."""
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(path.with_name("gone"))
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"secret")
        path.chmod(0)
