"""Stacks of pictures as one TIFF file, written page by page, in the form that Fiji reads as time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_CLASSIC_LIMIT = 2**32 - 2**25


@contextmanager
def tiff_stack(
    path: Path,
    num_pages: int,
    shape: tuple[int, int],
    *,
    video_size: tuple[int, int] | None = None,
    fps: float | None = None,
    limits: tuple[float, float] | None = None,
    about: str = "",
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give a function that appends a page (Y, X) to a losslessly compressed TIFF of axes (T, Y, X).

    The first page's description is that of ImageJ, which Fiji, napari and tifffile understand: the pages are points in
    time, and a pixel is so many pixels of the video wide and high.

    Parameters
    ----------
    path
        The file.
    num_pages
        How many pages will come.
    shape
        The size of a page.
    video_size
        The height and width of the video that a page covers; None if it is as large as the page.
    fps
        Frames per second; None where it isn't known.
    limits
        Between which values the pictures are shown at first.
    about
        Where the pictures come from, in a line.
    """
    import tifffile

    description: str | None = _imagej_description(num_pages, fps, limits, about)
    height, width = video_size or shape
    # Pages a pixel of the video, as a TIFF counts it: so ImageJ gives places in pixels of the video.
    resolution = (shape[1] / width, shape[0] / height)
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
                resolution=resolution,
                resolutionunit=tifffile.RESUNIT.NONE,
            )
            description = None

        yield append


def _imagej_description(num_pages: int, fps: float | None, limits: tuple[float, float] | None, about: str) -> str:
    lines = ["ImageJ=1.54f", f"images={num_pages}", f"frames={num_pages}", "hyperstack=true", "mode=grayscale"]
    lines += ["loop=false", "unit=pixel"]
    if fps:
        lines += [f"fps={fps:.6g}", f"finterval={1 / fps:.9g}", "tunit=sec"]
    if limits is not None:
        lines += [f"min={limits[0]:.9g}", f"max={limits[1]:.9g}"]
    if about:
        # A TIFF's texts are ASCII, and a line of ours must not look like one of ImageJ's.
        lines.append(f"about={about.encode('ascii', 'backslashreplace').decode().splitlines()[0]}")
    return "\n".join(lines) + "\n"
