"""A video that is a folder of images, one a frame."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import shown_name
from napari_sam2_probe.common.paths import is_dir, is_file, kind_of
from napari_sam2_probe.video.fingerprint import fingerprint_files
from napari_sam2_probe.video.images import is_image_file, read_header, read_image, read_intensities, read_rgb
from napari_sam2_probe.video.intensity import apply_scaling, as_rgb, sampled_scaling
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.video.images import ImageHeader
    from napari_sam2_probe.video.source import IntensityScaling


class FolderSource:
    """The images of a folder in natural numeric order, decoded one at a time.

    An 8-bit image gives exactly what Pillow's ``convert("RGB")`` gives, which is what SAM 2's own loader feeds to
    the model. Deeper images (16-bit, float) are scaled by the percentiles 0.1-99.9 of sampled frames.

    Parameters
    ----------
    folder
        Holds jpg, jpeg, png, tif, tiff, bmp or webp files, endings in either case; other files, folders, hidden files
        and what systems leave behind are left alone.
    name
        A short name for titles and tables; the folder's own name if None.

    Raises
    ------
    InputError
        If there is no such folder, it holds no images or two for one frame, a file is not an image or holds several,
        a folder or a link to nothing is called like an image, or the images differ in size or
        depth. All headers are read now, no image is decoded (but for samples of deep images).
    """

    def __init__(self, folder: Path | str, *, name: str | None = None) -> None:
        folder = Path(folder)
        self.files = list_frames(folder)
        self.name = name or shown_name(folder.resolve().name)
        self.path: str | None = str(folder.absolute())
        self.num_frames = len(self.files)
        self.fps: float | None = None
        header = _common_header(self.files)
        self.width, self.height = header.width, header.height
        self.scaling: IntensityScaling | None = None
        if header.is_deep:
            self.scaling = sampled_scaling(self.num_frames, self._read_intensities)

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as (H, W, 3) uint8 RGB.

        Raises
        ------
        InputError
            If there is no such frame, it can't be decoded, it is no longer as large as it was, or it holds NaN.
        """
        check_frame_idx(self, frame_idx)
        if self.scaling is None:
            frame = read_rgb(self.files[frame_idx])
            self._check_size(frame.shape[1], frame.shape[0], frame_idx)
            return frame
        intensities = self._read_intensities(frame_idx)
        if np.isnan(intensities).any():
            raise InputError(
                f"Frame {frame_idx} ({self.files[frame_idx]}) holds NaN: fill the missing values (for example with 0) "
                "first."
            )
        return as_rgb(apply_scaling(intensities, self.scaling))

    def read_image(self, frame_idx: int) -> Image.Image:
        """Return what `read` returns as a Pillow image: sooner, for whoever goes on with Pillow.

        Raises
        ------
        InputError
            As in `read`.
        """
        if self.scaling is not None:
            return Image.fromarray(self.read(frame_idx))
        check_frame_idx(self, frame_idx)
        image = read_image(self.files[frame_idx])
        self._check_size(image.width, image.height, frame_idx)
        return image

    def fingerprint(self) -> str:
        """Return a hash of all names and sizes and of the bytes of the first, middle and last file."""
        return fingerprint_files(self.files)

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _read_intensities(self, frame_idx: int) -> NDArray[Any]:
        intensities = read_intensities(self.files[frame_idx])
        self._check_size(intensities.shape[1], intensities.shape[0], frame_idx)
        return intensities

    def _check_size(self, width: int, height: int, frame_idx: int) -> None:
        if (width, height) != (self.width, self.height):
            raise InputError(
                f"Frame {frame_idx} ({self.files[frame_idx]}) is {width}x{height} but the video is "
                f"{self.width}x{self.height}: give frames of one size."
            )


def list_frames(folder: Path) -> list[Path]:
    """Return the image files of `folder` in the order of the video.

    Sorted by number if every stem is a number (as SAM 2's own loader does), else naturally: ``img2`` before
    ``img10``.

    Raises
    ------
    InputError
        If there is no such folder, it holds no images, something called like one is no file, or two images have the
        same stem.
    """
    if not is_dir(folder):
        raise InputError(f"There is no folder {folder}: give the path of a folder of images.")
    files = image_files(folder)
    if not files:
        if (folder / "JPEGImages").is_dir():
            raise InputError(f"{folder} is the root of a data set, not a video: give {folder}/SEQUENCE.")
        raise InputError(f"The folder {folder} holds no images: give one with jpg, png, tif, bmp or webp files.")
    files.sort(key=lambda file: file.name)
    if all(file.stem.isdecimal() for file in files):
        files.sort(key=lambda file: int(file.stem))
    else:
        files.sort(key=lambda file: _natural_key(file.stem))
    for before, after in pairwise(files):
        if before.stem == after.stem:
            raise InputError(
                f"The folder {folder} holds two images for one frame, {before.name} and {after.name}: keep one of them."
            )
    return files


def image_files(folder: Path) -> list[Path]:
    """Return the image files right in a folder, in no order.

    Raises
    ------
    InputError
        If the folder can't be listed, or something that is called like an image is no file: left out, it would shift
        all later frames.
    """
    try:
        files = [entry for entry in folder.iterdir() if is_image_file(entry.name)]
    except OSError as error:
        raise InputError(f"The folder {folder} can't be listed ({error.strerror or error}).") from error
    for file in files:
        if not is_file(file):
            raise InputError(f"{file} is {kind_of(file)}, not an image: replace it or take it out of the folder.")
    return files


def _natural_key(stem: str) -> list[tuple[int, str]]:
    # re.split with a group alternates text and digits, so keys never compare a number with text.
    parts = re.split(r"([0-9]+)", stem)
    return [(int(part), "") if i % 2 else (0, part.lower()) for i, part in enumerate(parts)]


def _common_header(files: Sequence[Path]) -> ImageHeader:
    first = read_header(files[0])
    for index, file in enumerate(files[1:], start=1):
        header = read_header(file)
        if (header.width, header.height) != (first.width, first.height):
            raise InputError(
                f"Frame {index} ({file}) is {header.width}x{header.height} but the frames before it are "
                f"{first.width}x{first.height}: give frames of one size."
            )
        if header.is_deep != first.is_deep:
            raise InputError(
                f"Frame {index} ({file}) is {_depth(header)} but the frames before it are {_depth(first)}: give frames "
                "of one depth."
            )
    return first


def _depth(header: ImageHeader) -> str:
    return "16-bit or float" if header.is_deep else "8-bit"
