"""One process at a time writes into a folder; one that is killed lets go."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.files import LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive_lock(folder: Path, what: str) -> Iterator[None]:
    """Let nobody else work in a folder, which must be there, while the block runs.

    The system keeps the lock, so it ends with the process however that ends. On a file system without locks nothing
    is held.

    Parameters
    ----------
    folder
        The folder. The lock is a hidden file in it, which is gone afterwards.
    what
        What the folder is, for the message: ``"the experiment"``.

    Raises
    ------
    InputError
        If another process, or another thread of this one, is at work there.
    ResourceError
        If the folder can't be written to.
    """
    path = folder / LOCK
    try:
        handle = _take(path)
    except BlockingIOError:
        raise InputError(f"Another process is working on {what} {folder}: wait for it, or stop it.") from None
    except OSError as error:
        raise ResourceError(
            f"{path} can't be written ({error.strerror or error}): choose a folder where you may write."
        ) from error
    try:
        yield
    finally:
        _let_go(path, handle)


def _take(path: Path) -> int:
    while True:
        # Not through a link, which could make a file anywhere.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(handle)
            # Whoever held it before may have removed the file in between: then this is a lock on nothing.
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _let_go(path: Path, handle: int) -> None:
    try:
        # Before the lock ends, so that what is removed is always one's own; Windows removes nothing that is open.
        if os.name == "posix":
            path.unlink(missing_ok=True)
    except OSError:
        pass
    finally:
        os.close(handle)


if sys.platform == "win32":

    def _lock(handle: int) -> None:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error

else:

    def _lock(handle: int) -> None:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            # A file system without locks.
            pass
