"""The zarr of a run or of an experiment, opened in one way: nothing in a store that comes from elsewhere can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path


def open_store(path: Path, mode: Literal["r", "a"] = "r") -> Any:
    """Open a zarr group of format 3, to be read, or to be gone on with or made.

    A store of format 2 names the filters of its arrays, and one of them is pickle, which runs whatever it is given. So
    format 2 is never opened, nor are arrays of it that the metadata of a group speaks of.

    Raises
    ------
    OSError, LookupError, ValueError, TypeError, RuntimeError
        If there is no such store, or it is damaged.
    """
    import zarr

    return zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=False)


def make_store(path: Path) -> Any:
    """Make an empty zarr group of format 3, whatever the user's own configuration of zarr says."""
    import zarr

    return zarr.create_group(path, zarr_format=3)
