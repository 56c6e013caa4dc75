"""One image file: its header, its 8-bit colours, or its deeper intensities."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_left_behind
from napari_sam2_probe.common.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""The endings of image files, in lower case."""

# Their formats, as Pillow calls them.
_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")

# TIFF tags
_NEW_SUBFILE_TYPE = 254
_BITS_PER_SAMPLE = 258

_STRIP_BYTES = 2**16

_PNG = b"\x89PNG\r\n\x1a\n"

# What Pillow and tifffile raise on files that are damaged or not images.
READ_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    MemoryError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image file says.

    Attributes
    ----------
    width, height
        In pixels, as stored: an EXIF rotation is not followed, as SAM 2's own loader doesn't.
    is_deep
        Whether it holds more than 8 bits a channel, so that its intensities have to be scaled.
    """

    width: int
    height: int
    is_deep: bool


def open_image(file: Path | BinaryIO) -> ImageFile:
    """Open an image with Pillow; the only place that does.

    Pillow goes by a file's contents and knows sixty formats. For some of them, whatever the file is called, it starts
    other programs (PostScript) or opens other files. So only formats are tried that an image of ours may have.

    Raises
    ------
    OSError, SyntaxError, ValueError, ...
        What Pillow raises on a file that is none of these.
    """
    return Image.open(file, formats=_FORMATS)


def is_image_file(name: str) -> bool:
    """Return whether a file of this `name` is taken for an image; hidden files and what systems leave are not."""
    return not is_left_behind(name) and name[name.rfind(".") :].lower() in IMAGE_SUFFIXES


def read_header(path: Path) -> ImageHeader:
    """Read size and depth without decoding the image.

    Raises
    ------
    InputError
        If the file is not a readable image, or holds several pictures.
    """
    try:
        with open_image(path) as image:
            check_one_picture(image, path)
            return ImageHeader(image.width, image.height, _is_deep(image))
    except READ_ERRORS as error:
        # Pillow knows no floating-point colour; tifffile does.
        pixels = _read_tiff(path) if isinstance(error, UnidentifiedImageError) and _is_tiff(path) else None
        if pixels is None:
            raise _unreadable(path, error) from error
        return ImageHeader(pixels.shape[1], pixels.shape[0], True)


def check_one_picture(image: Image.Image, path: Path) -> None:
    """Make sure that an image file holds one picture, not the pages of a stack or the frames of an animation.

    A thumbnail or smaller version beside the picture, which a TIFF marks as such, is none.

    Raises
    ------
    InputError
        If it holds several.
    """
    count = getattr(image, "n_frames", 1)
    if count > 1 and isinstance(image, TiffImageFile):
        count = 1 + sum(_is_page(image, page) for page in range(1, count))
        image.seek(0)
    if count > 1:
        raise InputError(
            f"{path} holds {count} pictures, and a file in a folder is one frame: save them as one file each, or give "
            "them as an array."
        )


def _is_page(image: TiffImageFile, page: int) -> bool:
    image.seek(page)
    return not int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & 1


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an 8-bit image as (H, W, 3) RGB, exactly as Pillow converts it.

    Raises
    ------
    InputError
        If the file can't be decoded.
    """
    with _decoded(path) as image:
        return _rgb_pixels(image)


def read_image(path: Path) -> Image.Image:
    """Return an 8-bit image as a Pillow image, RGB: what `read_rgb` returns, without the way out of Pillow.

    Nothing comes with the pixels: no comment, profile or resolution, which Pillow would write into other files.

    Raises
    ------
    InputError
        If the file can't be decoded.
    """
    with _decoded(path) as image:
        pixels = image if image.mode == "RGB" else image.convert("RGB")
    pixels.info.clear()
    return pixels


def check_png(path: Path) -> None:
    """Compare the checksums of a PNG file, which Pillow doesn't: a flipped bit may give another picture.

    Raises
    ------
    ValueError
        If one is wrong or the file is cut off; of a file that is no PNG nothing is said.
    """
    content = read_bytes(path)
    if not content.startswith(_PNG):
        return
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(content):
            raise ValueError("the file is cut off")
        if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise ValueError("a checksum in it is wrong")
        at = end + 4


@contextmanager
def _decoded(path: Path) -> Iterator[Image.Image]:
    """Open and decode an image, and say in words what is wrong with it."""
    try:
        check_png(path)
        with open_image(path) as image:
            image.load()
            yield image
    except READ_ERRORS as error:
        raise _unreadable(path, error) from error


def _rgb_pixels(image: Image.Image) -> NDArray[np.uint8]:
    # Strip by strip, which stay in the processor's cache: whole, an image is copied four times through memory on its
    # way out of Pillow, and that takes longer than to decode it.
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_BYTES // (4 * image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
    return pixels


def read_intensities(path: Path) -> NDArray[Any]:
    """Return an image of more than 8 bits a channel as it is stored, (H, W) or (H, W, 3).

    Raises
    ------
    InputError
        If the file can't be decoded, or holds neither gray nor RGB.
    """
    pixels = _read_tiff(path) if _is_tiff(path) else None
    if pixels is not None:
        return pixels
    try:
        check_png(path)
        with open_image(path) as image:
            if _has_deep_mode(image):
                return np.array(image)
    except READ_ERRORS as error:
        raise _unreadable(path, error) from error
    return _read_deep_colour(path)


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def _has_deep_mode(image: ImageFile) -> bool:
    return image.mode in ("F", "I") or image.mode.startswith("I;16")


def _is_deep(image: ImageFile) -> bool:
    # Pillow calls 16-bit colour "RGB" and would keep the high bytes only.
    if isinstance(image, TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))) > 8)
    is_deep_colour_png = image.format == "PNG" and ";16" in str(image.tile[0][3])
    return _has_deep_mode(image) or is_deep_colour_png


def _read_tiff(path: Path) -> NDArray[Any] | None:
    """Return the first page, or None where tifffile can't decode it: others may know the compression."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            pages = sum(not getattr(page, "is_reduced", False) for page in file.pages)
            image: NDArray[Any] = file.pages[0].asarray()
    except READ_ERRORS:
        return None
    if pages > 1:
        raise InputError(
            f"{path} holds {pages} pictures, and a file in a folder is one frame: save them as one file each, or give "
            "them as an array."
        )
    if image.ndim == 3 and image.shape[0] in (3, 4) and image.shape[2] not in (3, 4):
        image = np.moveaxis(image, 0, 2)
    if image.ndim == 3 and image.shape[2] in (3, 4):
        return image[..., :3]
    if image.ndim != 2:
        raise InputError(f"{path} has the shape {image.shape}: give frames that are one gray or RGB image each.")
    return image


def _read_deep_colour(path: Path) -> NDArray[Any]:
    import av

    try:
        with av.open(str(path.absolute())) as container:
            frame = next(container.decode(video=0))
            colours: NDArray[Any] = frame.to_ndarray(format="rgb48le")
    except (av.FFmpegError, StopIteration) as error:
        raise _unreadable(path, error) from error
    return colours


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, UnidentifiedImageError):
        return InputError(f"{path} is not an image, whatever its name says: replace it or take it out of the folder.")
    reason = str(error).rstrip(".") or type(error).__name__
    return InputError(f"{path} can't be read ({reason}): replace the file.")
