"""Data sets of DAVIS and those laid out alike: videos with their masks, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import did_you_mean
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layout import find_annotations, find_layout, read_split
from napari_sam2_probe.video.mask_folder import MaskFolder
from napari_sam2_probe.video.true_masks import FolderMasks
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Iterator


class DavisDataset(Mapping[str, Video]):
    """A data set in the DAVIS layout, or in that of MOSE, YouTube-VOS, LVOS or SA-V (see `layout`): videos by name.

    Making one lists folders and reads no image. Two are equal only if they are one.

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

    def __repr__(self) -> str:
        split = "" if self.split is None else f", split {self.split}"
        return f"<DavisDataset {self.root}{split}: {len(self.names)} videos>"

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> Video:
        return self.sequence(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a sequence, or `default` if there is none of that name."""
        return self.sequence(name) if name in self.names else default

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def sequence(self, name: str) -> Video:
        """Return a sequence; the headers of its frames are checked.

        Raises
        ------
        InputError
            If there is no such sequence or its frames can't be used.
        """
        if name not in self.names:
            some = ", ".join(self.names[:5]) + (", ..." if len(self.names) > 5 else "")
            meant = did_you_mean(name, self.names)
            raise InputError(f"{self.root} has no sequence {name!r}: it has {some}.{meant}")
        folder = self._layout.frames / name
        return with_annotations(FolderSource(folder))

    def _split_names(self, split: str, resolution: str) -> list[str] | None:
        names = read_split(self._layout.root, split, resolution)
        if names is None and self._layout.root == self.root:
            raise InputError(f"{self.root} has no split {split!r}: there is no {split}.txt in its ImageSets.")
        return names


def dataset_of(video: Video) -> DavisDataset:
    """Return the data set that a video is a sequence of.

    Raises
    ------
    InputError
        If it lies in none.
    """
    folder = video.folder
    for root in () if folder is None else folder.parents[1:3][::-1]:
        try:
            dataset = DavisDataset(root)
        except InputError:
            continue
        if folder is not None and folder.name in dataset.names:
            return dataset
    where = video.name if folder is None else folder
    raise InputError(f"{where} is not part of a data set in DAVIS layout: take a sequence of one.")


def with_annotations(frames: FolderSource) -> Video:
    """Return a folder of frames with the masks that belong to it, where a data set in such a layout has some."""
    annotations = find_annotations(frames.files[0].parent)
    return Video(frames, None if annotations is None else FolderMasks(frames, MaskFolder(annotations)))
