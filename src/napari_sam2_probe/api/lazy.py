"""Arrays of a run as lazy xarray: named dimensions, coordinates in pixels of the video, read when indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Stack(BackendArray):  # type: ignore[misc,unused-ignore]
    """Arrays of one shape along a new first axis, of which only what is indexed is read."""

    def __init__(self, arrays: Sequence[Any], owner: object) -> None:
        self._arrays = list(arrays)
        self._owner = owner
        self.shape = (len(self._arrays), *self._arrays[0].shape)
        self.dtype = np.dtype(self._arrays[0].dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        first, rest = np.arange(len(self._arrays))[key[0]], tuple(key[1:])
        if np.ndim(first) == 0:
            return np.asarray(self._arrays[int(first)].oindex[rest])
        return np.stack([np.asarray(self._arrays[int(one)].oindex[rest]) for one in first])


class _One(BackendArray):  # type: ignore[misc,unused-ignore]
    """One array that is read when it is indexed."""

    def __init__(self, array: Any, owner: object) -> None:
        self._array = array
        self._owner = owner
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        return np.asarray(self._array.oindex[tuple(key)])


def lazy_array(
    array: Any | Sequence[Any],
    dims: Sequence[str],
    coords: Mapping[str, Any],
    *,
    name: str,
    owner: object = None,
    **attributes: Any,
) -> xr.DataArray:
    """Return a zarr array as a lazy DataArray.

    Parameters
    ----------
    array
        A zarr array; a list of them is put along a new first dimension.
    dims
        Names of the dimensions.
    coords
        Coordinates by dimension; those of other dimensions are left out.
    name
        What the array is called.
    owner
        Kept as long as the array is: a temporary run goes with the last that needs it.
    **attributes
        Such as ``long_name`` and ``units``.
    """
    backend = _Stack(array, owner) if isinstance(array, list) else _One(array, owner)
    variable = xr.Variable(tuple(dims), indexing.LazilyIndexedArray(backend), attrs=attributes)
    return xr.DataArray(variable, {dim: coords[dim] for dim in dims if dim in coords}, name=name)


def pixel_centres(size: int, pixels: int) -> Any:
    """Return where the centres of `size` equal parts of `pixels` pixels lie; the centre of the first pixel is at 0."""
    return (np.arange(size) + 0.5) * (pixels / size) - 0.5
