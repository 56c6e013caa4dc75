"""Mask files: label images as the DAVIS data sets keep them.

A label image is (H, W): 0 is background, k is object k, 255 is void, which evaluation leaves out. A file that holds
only 0 and 255 is the DAVIS 2016 form of one object and is read as 0 and 1.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import why
from napari_sam2_probe.video.images import READ_ERRORS, check_one_picture, check_png, open_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource

    Labels = NDArray[np.uint8] | NDArray[np.uint16]

VOID = 255
"""The label of pixels that evaluation leaves out."""

_HIGHEST_OF_FEW = 32
"""Beside more void than objects, ids above this are rather the steps of a soft edge."""

_MANY_IDS = 16

MASK_ENCODING: dict[str, Any] = {"format": "PNG", "compress_level": 6, "compress_type": zlib.Z_RLE}
"""How Pillow saves a mask: fixed, so that the same labels give the same bytes; runs are what masks consist of."""


def davis_palette() -> NDArray[np.uint8]:
    """Return the palette of DAVIS and PASCAL VOC masks, (256, 3) uint8 RGB.

    Bits 0, 3, 6 of an id are the high bits of red, bits 1, 4, 7 of green, bits 2, 5 of blue, lowest bit highest.
    """
    ids = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return palette


def read_mask(path: Path | str, *, several_objects: bool = False, threshold: float | None = None) -> Labels:
    """Return a mask file as a label image.

    Palette files give their palette indices, gray ones their values, 1-bit ones 0 and 1. Colours are looked up in
    the DAVIS palette, and may be black and white instead, which is one object. An alpha channel is left out, but where
    it alone tells what is the object.

    Parameters
    ----------
    path
        The file.
    several_objects
        Whether 255 stays 255 whatever else the file holds: only a sequence as a whole tells whether it is void (see
        `MaskFolder.holds_ids`). Otherwise a file that holds only 0 and 255 is one object, id 1.
    threshold
        For a mask with a soft edge or of probabilities: the share of full brightness from which on a pixel belongs to
        the one object that there is, id 1. If None, gray values are ids, and what looks like a soft edge is refused.

    Returns
    -------
    labels
        (H, W), uint16 for 16-bit files, else uint8. `VOID` is kept; see `object_ids` and `is_void`.

    Raises
    ------
    InputError
        If the file isn't there, isn't one image, is a JPEG, holds fractions or colours that are no ids, or values that
        look like a soft edge.
    """
    path = Path(path)
    if not is_file(path):
        raise InputError(f"There is no mask file {path}: give the path of a PNG with object ids.")
    try:
        with open_image(path) as image:
            if image.format == "JPEG":
                raise InputError(f"The mask {path} is a JPEG, which changes object ids: save masks as PNG.")
            check_one_picture(image, path)
            if image.format == "PNG":
                check_png(path)
            labels = _labels_of(image, path) if threshold is None else _cut(image, path, threshold)
    except READ_ERRORS as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({why(error)})"
        raise InputError(f"The mask {path} can't be read as an image{reason}: give a PNG with object ids.") from error
    if several_objects or threshold is not None:
        return labels
    is_one_object = labels.max(initial=0) == VOID and not ((labels != 0) & (labels != VOID)).any()
    return (labels == VOID).astype(labels.dtype) if is_one_object else labels


def write_mask(path: Path | str, labels: NDArray[Any]) -> None:
    """Write a label image: a palette PNG (DAVIS palette) for ids up to 255, else a 16-bit gray PNG.

    The file is complete or not there, and the same labels give the same bytes.

    Parameters
    ----------
    path
        The PNG to write; its folder is made.
    labels
        (H, W) bool or integers in [0, 65535].

    Raises
    ------
    InputError
        If the labels are not such an image.
    ResourceError
        If the disk is full.
    """
    image = mask_image(path, labels)
    with atomic_path(path) as temporary:
        image.save(temporary, **MASK_ENCODING)


def mask_image(path: Path | str, labels: NDArray[Any]) -> Image.Image:
    """Return what `write_mask` writes, to be saved with `MASK_ENCODING` by whoever needs no safety against half files.

    Raises
    ------
    InputError
        As `write_mask`; `path` is what it names.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or labels.size == 0:
        raise InputError(
            f"The mask for {path} can't be written: it has the shape {labels.shape} and dtype {labels.dtype} "
            "instead of (H, W) object ids."
        )
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest > np.iinfo(np.uint16).max:
        raise InputError(f"The mask for {path} can't be written: its ids {lowest} to {highest} are not in 0 to 65535.")
    if highest > 255:
        image = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint16))
    else:
        image = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
        image.putpalette(_palette_bytes())
    return image


def one_object_file(mask: NDArray[Any]) -> bytes:
    """Return the file of a mask of one object: a palette PNG (DAVIS palette) of one bit a pixel.

    It reads as what `write_mask` writes, is smaller, and takes a tenth of the time: an eighth of the bytes are packed.

    Parameters
    ----------
    mask
        (H, W) bool or integers; the object, id 1, is where it is not 0.
    """
    height, width = mask.shape
    rows = np.zeros((height, 1 + -(-width // 8)), np.uint8)  # A row begins with the number of its filter: 0, none.
    rows[:, 1:] = np.packbits(mask if mask.dtype == np.uint8 else mask != 0, axis=1)
    packer = zlib.compressobj(level=6, strategy=zlib.Z_RLE)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
            _png_chunk(b"PLTE", _palette_bytes()[: 2 * 3]),
            _png_chunk(b"IDAT", packer.compress(rows.tobytes()) + packer.flush()),
            _png_chunk(b"IEND", b""),
        ]
    )


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@cache
def _palette_bytes() -> bytes:
    return davis_palette().tobytes()


def object_ids(labels: NDArray[Any]) -> list[int]:
    """Return the ids of the objects in a label image in rising order; background and void are none."""
    return [int(label) for label in np.unique(labels) if label not in (0, VOID)]


def is_void(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a label image is void, (H, W) bool: pixels that evaluation leaves out."""
    void: NDArray[np.bool_] = labels == VOID
    return void


def bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return ``x0, y0, x1, y1`` (ends excluded) of a mask (H, W) that is not empty."""
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def check_mask_size(labels: NDArray[Any], source: FrameSource, *, where: Path | str = "") -> None:
    """Raise an InputError if a mask is not as large as the video; `where` names the mask's file."""
    height, width = labels.shape
    if (height, width) != (source.height, source.width):
        raise InputError(
            f"The mask {f'{where} ' if where else ''}is {width}x{height} but the video is "
            f"{source.width}x{source.height}: give a mask of the video's size."
        )


def _labels_of(image: Image.Image, path: Path) -> Labels:
    if image.mode == "P":
        return np.array(image).astype(np.uint8, copy=False)
    if image.mode == "1":
        return np.array(image).astype(np.uint8)
    if image.mode == "L":
        return _check_edges(np.array(image), path)
    if image.mode in ("LA", "RGB", "RGBA"):
        return _labels_of_colours(np.array(image.convert("RGBA")), path)
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.array(image)
        if values.min(initial=0) >= 0 and values.max(initial=0) <= np.iinfo(np.uint16).max:
            return _check_edges(values.astype(np.uint16), path)
        raise InputError(f"The mask {path} holds ids outside 0 to 65535: give a PNG with object ids.")
    raise InputError(f"The mask {path} has the image mode {image.mode}, which holds no ids: save it as a palette PNG.")


def _cut(image: Image.Image, path: Path, threshold: float) -> Labels:
    """Return 1 where an image is as bright as a share of what it could be, else 0."""
    if not 0 < threshold <= 1:
        raise InputError(f"The threshold {threshold:g} of a mask can't be used: give a share above 0, up to 1.")
    if image.mode in ("1", "L"):
        values, most = np.array(image.convert("L")), 255
    elif image.mode == "I" or image.mode.startswith("I;16"):
        values, most = np.array(image), np.iinfo(np.uint16).max
    elif image.mode in ("LA", "RGB", "RGBA"):
        pixels, most = np.array(image.convert("RGBA")), 255
        values = pixels[..., 0]
        if not (pixels[..., :3] == values[..., None]).all():
            raise InputError(
                f"The mask {path} is coloured, so it has no threshold: leave that out, or save it as gray."
            )
        if values.min() == values.max():
            values = pixels[..., 3]
    else:
        raise InputError(f"The mask {path} holds ids and not brightness: leave the threshold out.")
    return (values >= threshold * most).astype(np.uint8)


def _labels_of_colours(pixels: NDArray[np.uint8], path: Path) -> Labels:
    """Return the labels of (H, W, 4): colours of the palette, gray values, or what is not transparent."""
    colours, alpha = pixels[..., :3], pixels[..., 3]
    labels, unknown = _look_up(colours)
    if not unknown.any() and labels.any():
        return labels
    gray: NDArray[np.uint8] = colours[..., 0]
    is_gray = bool((colours == gray[..., None]).all())
    if is_gray and gray.min() != gray.max():
        return _check_edges(gray, path)
    if alpha.min() != alpha.max():
        # A cut-out, or a mask that some programs draw as what can be seen.
        return _check_edges(alpha, path)
    if is_gray and int(gray.max()) in (0, VOID):
        return gray
    red, green, blue = colours[unknown][0]
    raise InputError(
        f"The mask {path} holds the colour ({red}, {green}, {blue}), which is no id of the DAVIS palette: save it as a "
        "palette or gray PNG with object ids."
    )


def _look_up(colours: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return ids by the DAVIS palette (H, W), and where a colour is none of its."""
    weights = np.array([1 << 16, 1 << 8, 1])
    codes = colours.astype(np.int64) @ weights
    palette_codes = davis_palette().astype(np.int64) @ weights
    order = np.argsort(palette_codes)
    nearest = order[np.searchsorted(palette_codes, codes, sorter=order).clip(max=255)]
    return nearest.astype(np.uint8), palette_codes[nearest] != codes


def _check_edges(labels: Labels, path: Path) -> Labels:
    """Give gray values back as ids, unless they look like one mask whose edge was smoothed.

    Of ids, many pixels of one value lie beside each other. Along a soft edge no two do.
    """
    present = np.unique(labels)
    between = present[(present != 0) & (present != VOID)]
    if not len(between):
        return labels
    is_between = (labels != 0) & (labels != VOID)
    inside = int(np.count_nonzero(labels == VOID))
    next_to_255 = int(present[-1]) == VOID and int(between.max()) > _HIGHEST_OF_FEW and inside > int(is_between.sum())
    pairs = is_between[:, :-1] & is_between[:, 1:]
    alike = int((pairs & (labels[:, :-1] == labels[:, 1:])).sum())
    many = len(between) >= _MANY_IDS and 2 * alike < int(is_between.sum())
    if next_to_255 or many:
        values = "1 value" if len(between) == 1 else f"{len(between)} values"
        raise InputError(
            f"The mask {path} has {values} between 0 and {int(present.max())}, which looks like one mask with a soft "
            "edge, not like object ids: save it without smoothing, or have it cut (--mask-threshold 0.5 of run and "
            "evaluate, in Python threshold=0.5)."
        )
    return labels
