"""Temporary files for what doesn't fit in memory."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

from napari_sam2_probe.common.errors import ProbeError, ResourceError
from napari_sam2_probe.common.files import LOCK, disk_error
from napari_sam2_probe.common.lock import exclusive_lock

_PREFIX = "sam2-probe-spill-"
_SECONDS_TO_BEGIN = 60
"""After which a folder that nobody holds was left: one that is just being made is not held yet."""


class SpillFolder:
    """A folder for temporary files that is gone when its owner is.

    A process that is killed can't remove it; then the next process that makes one does.

    Raises
    ------
    ResourceError
        If the disk is full.
    """

    def __init__(self, parent: Path | None = None) -> None:
        place = Path(tempfile.gettempdir() if parent is None else parent)
        _remove_left(place)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        except OSError as error:
            raise disk_error(error, f"temporary files in {place}") from error
        held = ExitStack()
        self._remove = weakref.finalize(self, _remove, self.path, held)
        held.enter_context(exclusive_lock(self.path, "temporary files in"))

    def close(self) -> None:
        """Remove the folder."""
        self._remove()


def _remove(path: Path, held: ExitStack) -> None:
    held.close()
    shutil.rmtree(path, ignore_errors=True)


def _remove_left(place: Path) -> None:
    """Remove the folders of processes that were killed: those that bear our name and a lock that nobody holds."""
    for folder in place.glob(f"{_PREFIX}*"):
        # Also those of other users lie there, and links of anybody.
        with suppress(ProbeError, OSError):
            about = folder.lstat()
            is_ours = not hasattr(os, "getuid") or about.st_uid == os.getuid()
            is_old = time.time() - about.st_mtime > _SECONDS_TO_BEGIN
            if stat.S_ISDIR(about.st_mode) and is_ours and is_old and (folder / LOCK).is_file():
                with exclusive_lock(folder, "temporary files in"):
                    pass
                shutil.rmtree(folder, ignore_errors=True)


class SpillFile:
    """Records of bytes in a temporary file; the room of a released one is used again by one of its size."""

    def __init__(self, folder: SpillFolder) -> None:
        self._folder = folder
        self._end = 0
        self._free: dict[int, list[int]] = {}
        try:
            descriptor, name = tempfile.mkstemp(dir=folder.path)
        except OSError as error:
            raise self._in_words(error) from error
        if os.name == "posix":
            # A file without a name is gone when it is closed, even if the process is killed.
            Path(name).unlink()
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._close = weakref.finalize(self, self._file.close)

    def write(self, record: bytes) -> int:
        """Write a record and return where it lies.

        Raises
        ------
        ResourceError
            If the disk is full.
        """
        free = self._free.get(len(record))
        offset = free[-1] if free else self._end
        try:
            self._file.seek(offset)
            written = 0
            while written < len(record):
                written += self._file.write(record[written:])
        except OSError as error:
            raise self._in_words(error) from error
        if free:
            free.pop()
        else:
            self._end += len(record)
        return offset

    def read(self, offset: int, size: int) -> bytes:
        """Return a record.

        Raises
        ------
        ResourceError
            If it isn't all there any more.
        """
        self._file.seek(offset)
        record = bytearray()
        while len(record) < size:
            part = self._file.read(size - len(record))
            if not part:
                raise ResourceError(
                    f"A temporary file in {self._folder.path} was cut short by something else: track again."
                )
            record += part
        return bytes(record)

    def release(self, offset: int, size: int) -> None:
        """Let the room of a record be used again."""
        self._free.setdefault(size, []).append(offset)

    def close(self) -> None:
        """Close the file, which removes it where the system allows files without a name."""
        self._close()

    def _in_words(self, error: OSError) -> Exception:
        return disk_error(error, f"the folder for temporary files {self._folder.path}")
