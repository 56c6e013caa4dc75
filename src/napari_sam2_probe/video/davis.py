"""Sequences of DAVIS and of the data sets laid out alike: frames with their masks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layout import find_annotations, find_layout, read_split
from napari_sam2_probe.video.masks import check_mask_size, object_ids, read_mask
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    from napari_sam2_probe.video.masks import Labels


class Sequence:
    """One video of a data set: frames and, for some or all of them, label images.

    Parameters
    ----------
    frames
        The folder of frames.
    annotations
        The folder of masks: PNG files named as the frames they belong to, or one folder of them for each object
        (SA-V); None if there are no masks.

    Attributes
    ----------
    frames
        The video.
    """

    def __init__(self, frames: FolderSource, annotations: Path | None) -> None:
        self.frames = frames
        self._annotations = annotations

    @property
    def name(self) -> str:
        """The name of the sequence."""
        return self.frames.name

    @property
    def num_frames(self) -> int:
        """The length in frames."""
        return self.frames.num_frames

    def has_mask(self, frame_idx: int) -> bool:
        """Return whether there is a mask file for frame `frame_idx`."""
        check_frame_idx(self.frames, frame_idx)
        return self.frames.files[frame_idx].stem in self._mask_files

    def mask(self, frame_idx: int) -> Labels | None:
        """Return the label image of frame `frame_idx`, (H, W), or None where the frame has no mask.

        0 is background, 255 (`masks.VOID`) is void, any other value an object. Where each object has a folder of
        its own, object ``000`` is id 1, and where two overlap the later one is on top.

        Raises
        ------
        InputError
            If there is no such frame, or its mask can't be read or is not as large as the video.
        """
        check_frame_idx(self.frames, frame_idx)
        files = self._mask_files.get(self.frames.files[frame_idx].stem)
        if files is None:
            return None
        masks = []
        for file in files.values():
            masks.append(read_mask(file))
            check_mask_size(masks[-1], self.frames, where=file)
        if None in files:
            return masks[0]
        ids = [object_id for object_id in files if object_id is not None]
        labels = np.zeros(masks[0].shape, dtype=np.uint8 if max(ids) <= 255 else np.uint16)
        for object_id, mask in zip(ids, masks, strict=True):
            labels[mask != 0] = object_id
        return labels

    def object_ids(self) -> list[int]:
        """Return the ids of all objects of the sequence in rising order; the first call reads all its masks."""
        return list(self._object_ids)

    @cached_property
    def _object_ids(self) -> list[int]:
        ids: set[int] = set()
        for file in self.frames.files:
            for object_id, mask in self._mask_files.get(file.stem, {}).items():
                ids.update(object_ids(read_mask(mask)) if object_id is None else [object_id])
        return sorted(ids)

    @cached_property
    def _mask_files(self) -> dict[str, dict[int | None, Path]]:
        """The mask files of each stem, by object id; None stands for a file that holds all objects."""
        if self._annotations is None:
            return {}
        files: dict[str, dict[int | None, Path]] = {}
        for file in self._annotations.glob("*.png"):
            files.setdefault(file.stem, {})[None] = file
        if not files:
            for file in sorted(self._annotations.glob("*/*.png")):
                if file.parent.name.isdecimal():
                    files.setdefault(file.stem, {})[int(file.parent.name) + 1] = file
        return files


class DavisDataset:
    """A data set in the DAVIS layout, or in that of MOSE, YouTube-VOS, LVOS or SA-V (see `layout`).

    Making one lists folders and reads no image.

    Parameters
    ----------
    root
        The folder above ``JPEGImages``, or above the folders of the splits.
    split
        The name of a split file (``"val"``; ``"2016/val"`` where both years are there) or of a split's folder;
        all sequences if None.
    resolution
        ``"480p"`` or ``"Full-Resolution"`` where the data set is kept in several, else without meaning.

    Attributes
    ----------
    root
        As given.
    names
        The sequences: in the order of the split file, or sorted.

    Raises
    ------
    InputError
        If there is no such data set, split or resolution, it holds no sequences, or a sequence of the split is
        missing.
    """

    def __init__(self, root: Path | str, split: str | None = None, resolution: str = "480p") -> None:
        self.root = Path(root)
        self._layout = find_layout(self.root, split, resolution)
        present = self._layout.names()
        if not present:
            raise InputError(f"{self._layout.frames} holds no sequences: it should hold one folder of frames for each.")
        listed = None if split is None else self._split_names(split, resolution)
        missing = [name for name in listed or () if name not in set(present)]
        if missing:
            raise InputError(
                f"The split {split} lists {missing[0]}, which is not in {self._layout.frames}: complete the data set "
                "or choose another split."
            )
        self.names: list[str] = present if listed is None else listed

    def sequence(self, name: str) -> Sequence:
        """Return a sequence; the headers of its frames are checked.

        Raises
        ------
        InputError
            If there is no such sequence or its frames can't be used.
        """
        if name not in self.names:
            some = ", ".join(self.names[:5]) + (", ..." if len(self.names) > 5 else "")
            raise InputError(f"{self.root} has no sequence {name!r}: it has {some}.")
        folder = self._layout.frames / name
        return Sequence(FolderSource(folder), find_annotations(folder))

    def _split_names(self, split: str, resolution: str) -> list[str] | None:
        names = read_split(self._layout.root, split, resolution)
        if names is None and self._layout.root == self.root:
            raise InputError(f"{self.root} has no split {split!r}: there is no {split}.txt in its ImageSets.")
        return names
