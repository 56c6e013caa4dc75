"""One image file: its header, its 8-bit colours, or its deeper intensities."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""The endings of image files, in lower case."""

_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})

# What Pillow and tifffile raise on files that are damaged or not images.
_READ_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
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


def is_image_file(name: str) -> bool:
    """Return whether a file of this `name` is taken for an image; hidden files are not."""
    return not name.startswith(".") and name[name.rfind(".") :].lower() in IMAGE_SUFFIXES


def read_header(path: Path) -> ImageHeader:
    """Read size and depth without decoding the image.

    Raises
    ------
    InputError
        If the file is not a readable image.
    """
    try:
        with Image.open(path) as image:
            return ImageHeader(image.width, image.height, _is_deep(image))
    except _READ_ERRORS as error:
        # Pillow knows no floating-point colour; tifffile does.
        if path.suffix.lower() in _TIFF_SUFFIXES and isinstance(error, UnidentifiedImageError):
            height, width = _read_tiff(path).shape[:2]
            return ImageHeader(width, height, True)
        raise _unreadable(path, error) from error


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an 8-bit image as (H, W, 3) RGB, exactly as Pillow converts it.

    Raises
    ------
    InputError
        If the file can't be decoded.
    """
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error


def read_intensities(path: Path) -> NDArray[Any]:
    """Return an image of more than 8 bits a channel as it is stored, (H, W) or (H, W, 3).

    Raises
    ------
    InputError
        If the file can't be decoded.
    """
    try:
        with Image.open(path) as image:
            if image.mode in ("F", "I") or image.mode.startswith("I;16"):
                return np.array(image)
    except UnidentifiedImageError:
        pass
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    return _read_tiff(path) if path.suffix.lower() in _TIFF_SUFFIXES else _read_deep_colour(path)


def _is_deep(image: ImageFile) -> bool:
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return True
    # Pillow calls 16-bit colour "RGB" and would keep the high bytes only; the raw mode of its decoder tells.
    arguments = image.tile[0][3] if image.tile else ""
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return isinstance(raw_mode, str) and ";16" in raw_mode and not raw_mode.startswith("BGR")


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    try:
        image: NDArray[Any] = tifffile.imread(path, key=0)
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from error
    if image.ndim == 3 and image.shape[2] in (3, 4):
        return image[..., :3]
    if image.ndim != 2:
        raise InputError(f"{path} has the shape {image.shape}: a frame is one gray or RGB image.")
    return image


def _read_deep_colour(path: Path) -> NDArray[Any]:
    import av

    try:
        with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as container:
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
