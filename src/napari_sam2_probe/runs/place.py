"""The folder that a run goes to: checked before work, and its refusals in words."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ProbeError, ResourceError
from napari_sam2_probe.common.files import disk_error
from napari_sam2_probe.common.paths import check_name, free_name
from napari_sam2_probe.runs.layout import is_run

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_new_path(path: Path | str, what: str = "run") -> None:
    """Make sure that a run, or something else, can be made at `path`, without making anything.

    Raises
    ------
    InputError
        If something is there already, or nothing can be made there.
    """
    path = Path(path)
    # A broken link is something too.
    if os.path.lexists(path):
        raise InputError(
            f"{path} exists already: name another folder for the {what}, such as {free_name(path)}, or remove this one."
        )
    check_name(path)
    above = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{path} can't be made because {above} can't be written to: name a folder elsewhere.")


def check_replaceable(path: Path) -> None:
    """Make sure that what lies at `path` is a run, which may be replaced when that is asked for.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not is_run(path):
        raise InputError(f"{path} holds something that is not a run, so it is not replaced: choose another folder.")


@contextmanager
def os_errors_as_sentences(path: Path, what: str = "run") -> Iterator[None]:
    """Say in words when the system refuses to write a run, or something else.

    Raises
    ------
    ResourceError
        If the disk is full, a file would be larger than allowed, or anything else is refused.
    """
    try:
        yield
    except OSError as error:
        said = disk_error(error, path)
        if isinstance(said, ProbeError):
            raise said from error
        raise ResourceError(
            f"The {what} {path} can't be written ({error.strerror or error}): name a folder where there is room and "
            "you may write."
        ) from error
