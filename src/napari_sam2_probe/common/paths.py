"""Questions about paths that a person named: whatever the name, an answer or one sentence.

`pathlib` raises where a name is too long for the file system, and up to Python 3.13 in several more cases. For whoever
looks for a file such a name is simply that of no file.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from napari_sam2_probe.common.errors import InputError

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)

_LEFT_BEHIND = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx", "$recycle.bin", "system volume information"}
)


def is_file(path: Path | str) -> bool:
    """Tell whether there is a file, or a link to one; also of names that no file can have.

    Raises
    ------
    InputError
        If that may not be known, or the system fails.
    """
    return stat.S_ISREG(_mode(path))


def is_dir(path: Path | str) -> bool:
    """Tell whether there is a folder, or a link to one; also of names that no folder can have.

    Raises
    ------
    InputError
        If that may not be known, or the system fails.
    """
    return stat.S_ISDIR(_mode(path))


def exists(path: Path | str) -> bool:
    """Tell whether anything is there, or a link to something; also of names that nothing can have.

    Raises
    ------
    InputError
        If that may not be known, or the system fails.
    """
    return _mode(path) != 0


def free_name(path: Path) -> str:
    """Return the name of something that isn't there yet, like the one that is: ``cat-2`` for ``cat``."""
    if path.name in ("", ".."):
        path = path.resolve()
    if not path.name:
        return "another"
    number = 2
    while os.path.lexists(path.with_name(f"{path.stem}-{number}{path.suffix}")):
        number += 1
    return f"{path.stem}-{number}{path.suffix}"


def expanded(text: str) -> Path:
    """Return the path that a text names, in which ``~`` is a home folder; that of nobody stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib raises where nobody is called so


def kind_of(path: Path) -> str:
    """Name what is there instead of a file: ``a folder``, ``a link to nothing``, ``a pipe`` and so on."""
    mode = _mode(path)
    if not mode:
        return "a link to nothing" if path.is_symlink() else "not there"
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device or a socket")


def is_left_behind(name: str) -> bool:
    """Tell whether a file or folder of this name is one that systems and programs leave in folders of others.

    All hidden ones (``.DS_Store``, ``._00000.jpg``, ``.ipynb_checkpoints``), and those of Windows and NAS devices.
    """
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def check_name(path: Path | str) -> None:
    """Make sure that a file or folder at `path` could be called so, without making anything.

    Raises
    ------
    InputError
        If a name is too long, holds a character that no name may have, or leads through something that is no folder.
    """
    whole = Path(path).absolute()
    above = next(parent for parent in (whole, *whole.parents) if os.path.lexists(parent))
    if above != whole and not is_dir(above):
        what = "a link to nothing" if above.is_symlink() else "a file"
        raise InputError(f"{path} can't be made because {above} is {what}: name a place elsewhere.")
    try:
        # The system says of the path as a whole, and of each part that is new, whether they are too long.
        for new in (whole, *(above / part for part in whole.relative_to(above).parts)):
            try:
                new.lstat()
            except FileNotFoundError:
                continue
    except ValueError as error:
        # A NUL, or half a character of UTF-16.
        raise InputError(f"{str(path)!r} holds a character that no name may have: choose another name.") from error
    except OSError as error:
        raise InputError(f"{path} can't be made ({error.strerror or error}): choose another name.") from error


def _mode(path: Path | str) -> int:
    """Return what kind of thing is there, as ``st_mode`` says it; 0 if nothing is."""
    try:
        return Path(path).stat().st_mode
    except ValueError:
        return 0
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return 0
        said = error.strerror or error
        raise InputError(f"{path} can't be read ({said}): name something that you may read.") from error
