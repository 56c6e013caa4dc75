"""Stacks of pictures as one TIFF file, written page by page."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_CLASSIC_LIMIT = 2**32 - 2**25


@contextmanager
def tiff_stack(path: Path, num_pages: int, shape: tuple[int, int]) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give a function that appends a page (Y, X) to a losslessly compressed TIFF of axes (T, Y, X).

    Parameters
    ----------
    path
        The file.
    num_pages
        How many pages will come.
    shape
        The size of a page.
    """
    import tifffile

    # How tifffile itself notes the axes of a stack; other readers see plain pages.
    description: str | None = json.dumps({"shape": [num_pages, *shape], "axes": "TYX"})
    large = num_pages * shape[0] * shape[1] * 4 > _CLASSIC_LIMIT
    with tifffile.TiffWriter(path, bigtiff=large) as writer:

        def append(page: NDArray[Any]) -> None:
            nonlocal description
            writer.write(
                page,
                photometric="minisblack",
                compression="zlib",
                predictor=False,
                metadata=None,
                description=description,
                contiguous=False,
                software=False,
            )
            description = None

        yield append
