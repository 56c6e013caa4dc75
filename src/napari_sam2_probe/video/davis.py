"""Sequences of DAVIS and of the data sets laid out alike: frames with their masks."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layout import find_annotations, find_layout, read_split
from napari_sam2_probe.video.mask_folder import MaskFolder
from napari_sam2_probe.video.masks import check_mask_size
from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        self._masks = None if annotations is None else MaskFolder(annotations)

    @property
    def name(self) -> str:
        """The name of the sequence."""
        return self.frames.name

    @property
    def num_frames(self) -> int:
        """The length in frames."""
        return self.frames.num_frames

    @property
    def masks_per_object(self) -> bool:
        """Whether each object has mask files of its own, so that objects may overlap (SA-V)."""
        return self._masks is not None and self._masks.per_object

    def fingerprint(self) -> str:
        """Return a hash that changes when frames or masks do; cheap, so not of every pixel."""
        masks = self._masks.fingerprint() if self._masks is not None and self._masks.stems else "no masks"
        return hashlib.sha256(f"{self.frames.fingerprint()}\n{masks}\n".encode()).hexdigest()

    def has_mask(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return whether there is a mask file for frame `frame_idx`; for this object, if one is named."""
        check_frame_idx(self.frames, frame_idx)
        return self._masks is not None and self._masks.has(self.frames.files[frame_idx].stem, object_id)

    def annotated_frames(self, object_id: int | None = None) -> list[int]:
        """Return the frames that have a mask file; that could hold this object, if one is named."""
        if self._masks is None:
            return []
        return [t for t, file in enumerate(self.frames.files) if self._masks.has(file.stem, object_id)]

    def mask(self, frame_idx: int) -> Labels | None:
        """Return the label image of frame `frame_idx`, (H, W), or None where the frame has no mask.

        0 is background, 255 (`masks.VOID`) is void, any other value an object. Where each object has a folder of
        its own, object ``000`` is id 1, and where two overlap the later one is on top.

        Raises
        ------
        InputError
            If there is no such frame, or its mask can't be read or is not as large as the video.
        """
        if not self.has_mask(frame_idx):
            return None
        assert self._masks is not None
        stem = self.frames.files[frame_idx].stem
        labels = self._masks.labels(stem)
        if labels is not None:
            check_mask_size(labels, self.frames, where=self._masks.files(stem)[0])
        return labels

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_] | None:
        """Return the pixels of one object on frame `frame_idx`, (H, W) bool, or None where it has no mask file.

        Unlike in `mask`, nothing is lost where objects overlap.

        Raises
        ------
        InputError
            As in `mask`.
        """
        if not self.has_mask(frame_idx, object_id):
            return None
        assert self._masks is not None
        stem = self.frames.files[frame_idx].stem
        mask = self._masks.object_mask(stem, object_id)
        if mask is not None:
            check_mask_size(mask, self.frames, where=self._masks.files(stem)[0])
        return mask

    def object_ids(self) -> list[int]:
        """Return the ids of all objects of the sequence in rising order; the first call may read all its masks."""
        return list(self._object_ids)

    @cached_property
    def _object_ids(self) -> list[int]:
        return [] if self._masks is None else self._masks.object_ids()


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
    root, split
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
        self.split = split
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
