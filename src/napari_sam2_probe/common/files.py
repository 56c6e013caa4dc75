"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    ResourceError
        If the disk is full.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
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
    """Write `text` (UTF-8, line feeds) so that `target` is either the old file or the whole new one."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def disk_error(error: OSError, where: Path | str) -> Exception:
    """Turn "no space left" into a sentence for the user; give any other error back as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"The disk is full while writing {where}: free some space, then run the command again.")
    return error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
