"""Files that are complete or not there."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".sam2-probe-tmp-"
"""How the name of everything begins that is being written and has not taken its place yet; only ours begin so."""

LOCK = ".lock"
"""The file that a process holds while it writes into a folder; see `napari_sam2_probe.common.lock`."""


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `target` that takes its place when the block ends well.

    A reader never sees half a file: the temporary file is renamed at the end, and removed if the block raises.

    Parameters
    ----------
    target
        The file to write. Its folder is made if it is not there. The temporary name keeps the suffix.

    Raises
    ------
    InputError
        If a folder is there, or a device or pipe, which a rename would take away.
    ResourceError
        If the disk is full.
    """
    target = Path(target)
    check_file(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=TEMPORARY, suffix=target.suffix)
    except OSError as error:
        raise disk_error(error, target) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise disk_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_text(target: Path | str, text: str) -> None:
    """Write `text` (UTF-8, line feeds) so that `target` is either the old file or the complete new one."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def check_file(target: Path) -> None:
    """Make sure that a file may be written to `target`: that nothing is there, or an ordinary file.

    Raises
    ------
    InputError
        If a folder, a device, a pipe or a socket is there, or a link to one.
    """
    try:
        mode = target.stat().st_mode
    except (OSError, ValueError):
        # Nothing is there, or it can't be known; then writing says why.
        return
    if stat.S_ISDIR(mode):
        raise InputError(f"{target} is a folder where a file should go: choose another name.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{target} is a device or a pipe, which a file can't replace: choose another name.")


def is_empty(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what a killed process of ours left: its lock, and temporary files."""
    return all(entry.name == LOCK or entry.name.startswith(TEMPORARY) for entry in folder.iterdir())


def remove_leftovers(*folders: Path) -> None:
    """Remove what killed processes had begun to write right in these folders; nothing else, and links alone.

    For whoever knows that nobody else is writing there.
    """
    for folder in folders:
        # Not through a link: what lies behind it is somebody else's.
        if folder.is_symlink() or not folder.is_dir():
            continue
        for leftover in folder.glob(f"{TEMPORARY}*"):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def disk_error(error: OSError, where: Path | str) -> Exception:
    """Turn "no space left" into a sentence for the user; give any other error back as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"The disk is full while writing {where}: free some space, then run the command again.")
    return error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
