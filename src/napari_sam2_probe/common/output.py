"""Where an export goes: never over something unasked, and complete or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ProbeError, ResourceError
from napari_sam2_probe.common.files import TEMPORARY, check_file, disk_error
from napari_sam2_probe.common.paths import check_name, free_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def check_target(out: Path, *, overwrite: bool, suffixes: Collection[str] | None) -> None:
    """Make sure that an export may be written to `out`; nothing is made.

    Parameters
    ----------
    out
        The file or folder.
    overwrite
        Whether an earlier export there may be replaced.
    suffixes
        The endings of the files that the export puts into its folder; None if it is a single file. A folder that
        holds anything else is never replaced. None at all: nothing is.

    Raises
    ------
    InputError
        If something is there that may not be replaced, or nothing can be called so.
    """
    check_name(out)
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise InputError(
            f"{out} exists already: choose another name, such as {free_name(out)}, or allow it to be replaced "
            "(--overwrite, in Python overwrite=True)."
        )
    if suffixes is None:
        check_file(out)
    elif not suffixes:
        raise InputError(
            f"{out} exists already and such an export replaces nothing: choose another name, such as {free_name(out)}."
        )
    elif not out.is_dir() or not _holds_only(out, suffixes):
        raise InputError(f"{out} holds other things than such an export and is not replaced: choose another name.")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target` that takes its place when the block ends well, else is removed.

    Raises
    ------
    InputError
        If something is there that is no folder.
    ResourceError
        If the system refuses to write (disk full, no permission).
    """
    if os.path.lexists(target) and not target.is_dir():
        raise InputError(f"{target} is no folder, and a folder goes there: choose another name.")
    with os_errors_as_sentences(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(dir=target.parent, prefix=TEMPORARY))
    try:
        with os_errors_as_sentences(target):
            made = working / "made"
            made.mkdir()
            yield made
            if target.is_dir():
                target.rename(working / "before")
            made.rename(target)
    finally:
        shutil.rmtree(working, ignore_errors=True)


@contextmanager
def os_errors_as_sentences(target: Path) -> Iterator[None]:
    """Say in one sentence when the system refuses to write."""
    try:
        yield
    except OSError as error:
        said = disk_error(error, target)
        if isinstance(said, ProbeError):
            raise said from error
        raise ResourceError(
            f"{target} can't be written ({error.strerror or error}): choose a place where you may write."
        ) from error


def _holds_only(folder: Path, suffixes: Collection[str]) -> bool:
    return all(entry.is_file() and entry.suffix in suffixes for entry in folder.iterdir())
