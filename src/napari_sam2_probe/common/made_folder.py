"""Folders that a command makes and replaces, a demo or a report: only what it made is replaced, and all of it at once.

A hidden file marks such a folder and lists what was made. Whatever else lies there is the user's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ProbeError, ResourceError
from napari_sam2_probe.common.files import TEMPORARY, atomic_write_text, disk_error, is_empty, remove_leftovers
from napari_sam2_probe.common.lock import exclusive_lock
from napari_sam2_probe.common.names import check_inside, inside
from napari_sam2_probe.common.paths import check_name
from napari_sam2_probe.common.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def check_made_folder(out: Path, what: str) -> None:
    """Make sure that a folder may be made, or made again, at `out`; nothing is written.

    Parameters
    ----------
    out
        The folder.
    what
        What is made there, as in ``sam2-probe <what>``.

    Raises
    ------
    InputError
        If something else is there, or no folder can be called so.
    """
    check_name(out)
    if not os.path.lexists(out) or _marker(out, what).is_file():
        return
    if not out.is_dir() or not is_empty(out):
        raise InputError(f"{out} holds something that is not a {what}: name another folder with --out.")


@contextmanager
def made_folder(out: Path, what: str) -> Iterator[Path]:
    """Give an empty folder; when the block ends well, what is in it takes the place of what was made before.

    Until then `out` stays as it is, and for ever if the block raises or the process is killed. Files that the user has
    put there stay in any case.

    Parameters
    ----------
    out
        The folder to make.
    what
        As in `check_made_folder`.

    Raises
    ------
    InputError
        If something else is there, also where one of the new files goes, or another process is at work there.
    ResourceError
        If the system refuses to write.
    """
    check_made_folder(out, what)
    is_new = not out.exists()
    try:
        with _writing(out):
            out.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(out, f"the {what} in"):
            check_made_folder(out, what)
            remove_leftovers(out)
            with _writing(out):
                working = Path(tempfile.mkdtemp(dir=out, prefix=TEMPORARY))
                made, before = working / "made", working / "before"
                made.mkdir()
            try:
                yield made
                with _writing(out):
                    _exchange(out, made, before, _marker(out, what), what)
            finally:
                shutil.rmtree(working, ignore_errors=True)
    except BaseException:
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise


def _exchange(out: Path, made: Path, before: Path, marker: Path, what: str) -> None:
    """Move new files to where they go, and those that were made before aside; back again if that fails."""
    new = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if not path.is_dir())
    old = [name for name in _made_before(out, marker, new) if (out / name).is_file() or (out / name).is_symlink()]
    _check_free(out, new, set(old), what)
    # Should the process be killed in between, all of it is known as made.
    _write_marker(marker, sorted({*new, *old}), what)
    moved: list[tuple[Path, Path]] = []
    try:
        for start, end, names in ((out, before, old), (made, out, new)):
            for name in names:
                (end / name).parent.mkdir(parents=True, exist_ok=True)
                (start / name).rename(end / name)
                moved.append((start / name, end / name))
    except BaseException:
        for start, end in reversed(moved):
            end.rename(start)
        raise
    _write_marker(marker, new, what)
    # Folders of which nothing is left, deepest first; others can't be removed.
    folders = {out / parent for name in old for parent in PurePosixPath(name).parents}
    for folder in sorted(folders - {out}, key=lambda path: -len(path.parts)):
        with suppress(OSError):
            folder.rmdir()


def _check_free(out: Path, new: Iterable[str], old: set[str], what: str) -> None:
    paths = {name: out / name for name in new}
    check_inside(out, *paths.values())
    for name, path in paths.items():
        above = next((out / p for p in PurePosixPath(name).parents if os.path.lexists(out / p)), out)
        if name not in old and (os.path.lexists(path) or not above.is_dir()):
            raise InputError(
                f"{path if os.path.lexists(path) else above} is not of the {what} that was made there, but a new one "
                "needs its place: move it away, or name another folder with --out."
            )


def _made_before(out: Path, marker: Path, new: list[str]) -> list[str]:
    """Return what the marker lists; one of an earlier version lists nothing, and the same names were made then."""
    try:
        listed = read_text(marker).splitlines()[1:]
    except FileNotFoundError:
        return []
    except ValueError:
        listed = []
    if not listed:
        stores = {p for name in new for p in PurePosixPath(name).parents if p.suffix == ".zarr"}
        inside_stores = [path for store in sorted(stores) for path in (out / store).rglob("*") if not path.is_dir()]
        listed = [*new, *(path.relative_to(out).as_posix() for path in inside_stores)]
    names = []
    for name in dict.fromkeys(listed):
        # A folder that comes from elsewhere may list anything.
        with suppress(InputError):
            inside(out, *name.split("/"))
            names.append(name)
    return names


def _write_marker(marker: Path, names: list[str], what: str) -> None:
    first = f"This folder is made by 'sam2-probe {what}', which replaces these files and nothing else:\n"
    atomic_write_text(marker, first + "".join(f"{name}\n" for name in names))


def _marker(out: Path, what: str) -> Path:
    return out / f".sam2-probe-{what}"


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = disk_error(error, out)
        if isinstance(said, ProbeError):
            raise said from error
        raise ResourceError(
            f"{out} can't be written ({error.strerror or error}): choose a place where you may write."
        ) from error
