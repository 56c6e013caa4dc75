"""The zarr of a run or of an experiment, opened and read in one way.

Nothing in a store that comes from elsewhere can run, nothing is made room for that isn't there, and no piece that got
lost or damaged looks like empty masks: what we write is there in full, with checksums, and says so.
"""

from __future__ import annotations

import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import why

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

READ_ERRORS = (OSError, LookupError, ValueError, TypeError, RuntimeError, MemoryError, ArithmeticError)
"""What zarr and its decompressors raise on a store that is damaged."""

_EVERY_CHUNK = "every_chunk_is_written"
_MOST_BYTES = 1 << 32
"""Of one chunk, or of metadata."""

_MOST_VALUES = 1 << 28
"""Of a table that is read as a whole: a million frames of pointers."""


def open_store(path: Path, mode: Literal["r", "a"] = "r") -> Any:
    """Open a zarr group of format 3, to be read, or to be gone on with or made.

    A store of format 2 names the filters of its arrays, and one of them is pickle, which runs whatever it is given. So
    format 2 is never opened, nor are arrays of it that the metadata of a group speaks of.

    Raises
    ------
    *READ_ERRORS
        If there is no such store, or it is damaged.
    """
    import zarr

    if mode == "r":
        return zarr.open_group(
            _ordinary_files()(path, read_only=True), mode=mode, zarr_format=3, use_consolidated=False
        )
    return zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=False)


@cache
def _ordinary_files() -> Any:
    """Return the class of stores of which only ordinary files are read: a pipe would be waited for without end."""
    from zarr.storage import LocalStore

    class OrdinaryFiles(LocalStore):
        async def get(self, key: str, *arguments: Any, **options: Any) -> Any:
            self._check(key)
            return await super().get(key, *arguments, **options)

        def get_sync(self, key: str, *arguments: Any, **options: Any) -> Any:
            self._check(key)
            return super().get_sync(key, *arguments, **options)

        def _check(self, key: str) -> None:
            try:
                about = (self.root / key).stat()
            except FileNotFoundError:
                return
            if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
                raise OSError(f"{key} is no ordinary file, or has {about.st_size} bytes")

    return OrdinaryFiles


class OpenedOnce:
    """A group whose members are opened once each, for a check that asks for them again and again.

    Parameters
    ----------
    group
        The zarr group. What changes in it afterwards is not seen.
    """

    def __init__(self, group: Any) -> None:
        self._group = group
        self._members: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._members:
            self._members[name] = self._group[name]
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except KeyError:
            return False
        return True


def make_store(path: Path) -> Any:
    """Make an empty zarr group of format 3, whatever the user's own configuration of zarr says."""
    import zarr

    return zarr.create_group(path, zarr_format=3)


def make_array(
    group: Any,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    chunks: Sequence[int],
    *,
    fill: Any = 0,
    dimensions: Sequence[str] | None = None,
) -> Any:
    """Make an array whose chunks are all on disk once they are written, also those of nothing but `fill`.

    So a chunk that is missing was never written, or is lost. Each holds a checksum.
    """
    from zarr.codecs import ZstdCodec

    return group.create_array(
        name,
        shape=tuple(shape),
        dtype=dtype,
        chunks=tuple(chunks),
        fill_value=fill,
        compressors=ZstdCodec(level=0, checksum=True),
        config={"write_empty_chunks": True},
        attributes={_EVERY_CHUNK: True},
        dimension_names=dimensions,
    )


def tells_of_chunks(array: Any) -> bool:
    """Return whether an array is one of `make_array`, so that a chunk that is missing was never written, or is lost."""
    return bool(array.attrs.get(_EVERY_CHUNK))


def missing_chunk(array: Any, places: Iterable[tuple[int, ...]] | None = None) -> tuple[int, ...] | None:
    """Return the first of these chunks of an array that is missing; None if none is, or the array doesn't tell.

    Parameters
    ----------
    array
        A zarr array of a store on disk. Only one of `make_array` tells.
    places
        Which chunks, by their numbers along each axis; all if None.
    """
    if not tells_of_chunks(array):
        return None
    folder = Path(array.store.root) / array.path
    if places is None:
        places = np.ndindex(*(-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True)))
    encode = array.metadata.encode_chunk_key
    return next((place for place in places if not (folder / encode(place)).is_file()), None)


def read_whole(array: Any) -> NDArray[Any]:
    """Return all that an array of a store on disk holds.

    Raises
    ------
    *READ_ERRORS
        If a chunk is missing or damaged, or the array claims to be larger than any of ours.
    """
    if int(np.prod(array.shape, dtype=float)) > _MOST_VALUES * 64:
        raise ValueError(f"an array of the shape {array.shape}")
    lost = missing_chunk(array)
    if lost is not None:
        raise ValueError(f"chunk {lost} of {array.path} is missing")
    whole: NDArray[Any] = array[:]
    return whole


class StoredArray:
    """A zarr array of a store on disk, which raises a sentence where a piece can't be read.

    Parameters
    ----------
    array
        The zarr array. Everything but reading is its own.
    where
        The run or experiment, for the message.
    """

    def __init__(self, array: Any, where: Path) -> None:
        self._array = array
        self._where = where

    def __getattr__(self, name: str) -> Any:
        return getattr(self._array, name)

    def __len__(self) -> int:
        return int(self._array.shape[0])

    def __getitem__(self, index: Any) -> Any:
        try:
            return self._array[index]
        except IndexError:
            # Of an index that isn't there, as of any array.
            raise
        except READ_ERRORS as error:
            name = getattr(self._array, "path", "it")
            raise InputError(
                f"{self._where}: a part of {name} is damaged and can't be read ({why(error)}): make it again."
            ) from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype)
