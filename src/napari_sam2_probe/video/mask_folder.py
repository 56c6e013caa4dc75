"""The masks of one sequence: a PNG a frame, or a folder of them for each object (SA-V)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir, is_file, is_left_behind, kind_of
from napari_sam2_probe.video.fingerprint import fingerprint_files
from napari_sam2_probe.video.masks import VOID, object_ids, read_mask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.video.masks import Labels


class MaskFolder:
    """Mask files by the stem of the frame they belong to.

    Making one lists files and reads none. Where each object has a folder of its own, object ``000`` is id 1, and the
    masks of several objects may overlap. Else 255 is void, but in a sequence whose masks all hold 0 and 255 alone:
    there it is one object, id 1.

    Parameters
    ----------
    path
        Holds ``<stem>.png``, or ``<object>/<stem>.png`` with objects named by numbers.
    threshold
        As in `read_mask`: each mask is of one object, of pixels that are as bright.

    Attributes
    ----------
    path
        As given.

    Raises
    ------
    InputError
        If something called like a mask is no file, or two files are masks of one frame.
    """

    def __init__(self, path: Path, threshold: float | None = None) -> None:
        self.path = path
        self._threshold = threshold
        self._whole = _masks_in(path)
        self._per_object: dict[int, dict[str, Path]] = {}
        if not self._whole and is_dir(path):
            for folder in sorted(path.iterdir()):
                if folder.name.isdecimal() and folder.is_dir() and (files := _masks_in(folder)):
                    self._per_object[int(folder.name) + 1] = files

    @property
    def per_object(self) -> bool:
        """Whether each object has a folder of its own, so that masks may overlap."""
        return bool(self._per_object)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The stems of all frames with a mask, sorted."""
        parts: list[dict[str, Path]] = [self._whole, *self._per_object.values()]
        return tuple(sorted({stem for part in parts for stem in part}))

    def files(self, stem: str) -> list[Path]:
        """Return the mask files of a frame: one, or one for each object."""
        if stem in self._whole:
            return [self._whole[stem]]
        return [files[stem] for files in self._per_object.values() if stem in files]

    def fingerprint(self) -> str:
        """Return a hash (hex SHA-256) of all names and sizes and of the bytes of the first, middle and last file."""
        return fingerprint_files([file for stem in self.stems for file in self.files(stem)])

    def has(self, stem: str, object_id: int | None = None) -> bool:
        """Return whether there is a mask file for a frame; for this object of it, if one is named."""
        if object_id is None or not self.per_object:
            return bool(self.files(stem))
        return stem in self._per_object.get(object_id, {})

    def require(self, stems: Iterable[str], object_id: int | None = None, *, advice: str) -> None:
        """Make sure that predictions are complete, without reading any.

        Parameters
        ----------
        stems
            The frames that need a mask.
        object_id
            The object, where only one is wanted.
        advice
            What to do, as the end of a sentence.

        Raises
        ------
        InputError
            If a mask file is missing.
        """
        missing = [stem for stem in stems if not self.has(stem, object_id)]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(f"The predicted mask {self.path / missing[0]}.png{more} is missing: {advice}.")

    def labels(self, stem: str) -> Labels | None:
        """Return the label image (H, W) of a frame, or None without a file; of objects that overlap the later wins.

        Raises
        ------
        InputError
            If a file can't be read, or the masks of a frame differ in size.
        """
        if not self.per_object:
            return self._read(self._whole[stem]) if stem in self._whole else None
        labels: Labels | None = None
        for object_id in self._per_object:
            mask = self.object_mask(stem, object_id)
            if mask is None:
                continue
            if labels is None:
                labels = np.zeros(mask.shape, np.uint8 if max(self._per_object) <= 255 else np.uint16)
            if object_id == VOID:
                raise InputError(f"{self.path} has {VOID} objects or more, and id {VOID} is void: ask for single ones.")
            if labels.shape != mask.shape:
                raise InputError(f"The masks of {stem} in {self.path} differ in size: make them as large as the video.")
            labels[mask] = object_id
        return labels

    def object_mask(self, stem: str, object_id: int) -> NDArray[np.bool_] | None:
        """Return the pixels (H, W) of one object, bool; None where there is no file that could hold it.

        Raises
        ------
        InputError
            If the file can't be read.
        """
        if not self.has(stem, object_id):
            return None
        mask: NDArray[np.bool_]
        if self.per_object:
            mask = read_mask(self._per_object[object_id][stem], threshold=self._threshold) != 0
        else:
            mask = self._read(self._whole[stem]) == object_id
        return mask

    def object_ids(self) -> list[int]:
        """Return the ids of all objects in rising order; without a folder for each, all masks are read."""
        if self.per_object:
            return sorted(self._per_object)
        return sorted({label for file in self._whole.values() for label in object_ids(self._read(file))})

    @cached_property
    def holds_ids(self) -> bool:
        """Whether any mask holds an id, so that 255 is void in all of them; reads masks until one does."""
        return any(object_ids(read_mask(file, several_objects=True)) for file in self._whole.values())

    def _read(self, file: Path) -> Labels:
        labels = read_mask(file, several_objects=True, threshold=self._threshold)
        if self._threshold is not None:
            return labels
        # Only a mask without an id leaves a doubt, and that is rare where ids are used.
        if labels.max(initial=0) != VOID or object_ids(labels) or self.holds_ids:
            return labels
        one: Labels = (labels == VOID).astype(labels.dtype)
        return one


def _masks_in(folder: Path) -> dict[str, Path]:
    """Return the PNG files right in a folder by stem, sorted."""
    if not is_dir(folder):
        return {}
    masks: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() != ".png" or is_left_behind(file.name):
            continue
        if not is_file(file):
            raise InputError(f"{file} is {kind_of(file)}, not a mask: replace it or take it out of the folder.")
        if file.stem in masks:
            raise InputError(
                f"The folder {folder} holds two masks for one frame, {masks[file.stem].name} and {file.name}: keep one."
            )
        masks[file.stem] = file
    return masks
