"""Values that a person gives, checked one by one: whole numbers, paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path

from napari_sam2_probe.common.errors import InputError


def whole(value: object, name: str) -> int:
    """Return a whole number that was given as `name`.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name}={value!r:.60} can't be used: give a whole number.")
    return int(value)


def as_path(value: object, name: str) -> Path:
    """Return a path that was given as `name`.

    Raises
    ------
    InputError
        If it is none.
    """
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise InputError(f"{name}={value!r:.60} can't be used: give a path.")


def as_paths(value: object, name: str) -> list[Path]:
    """Return the paths of a path, or of several, that were given as `name`.

    Raises
    ------
    InputError
        If it is neither.
    """
    if isinstance(value, str | os.PathLike):
        return [Path(value)]
    if not isinstance(value, Iterable):
        raise InputError(f"{name}={value!r:.60} can't be used: give a path or several.")
    several = list(value)
    for one in several:
        if not isinstance(one, str | os.PathLike):
            raise InputError(f"{name} holds {one!r:.60}, which is no path: give their paths.")
    return [Path(one) for one in several]
