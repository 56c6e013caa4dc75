"""Where DAVIS and the data sets laid out alike keep frames, masks and splits.

====================  ==========================================  =========================================
data set              frames                                      masks
====================  ==========================================  =========================================
DAVIS 2016, 2017      ``JPEGImages/<resolution>/<name>``          ``Annotations/<resolution>/<name>``
MOSE, YouTube-VOS,    ``[<split>/]JPEGImages/<name>``             ``[<split>/]Annotations/<name>``
LVOS
YouTube-VOS at 30     ``<split>_all_frames/JPEGImages/<name>``    ``<split>/Annotations/<name>``
frames a second
SA-V                  ``[<split>/]JPEGImages_24fps/<name>``       ``[<split>/]Annotations_6fps/<name>/<object>``
====================  ==========================================  =========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import is_plain_name
from napari_sam2_probe.common.paths import is_dir, is_file, is_left_behind
from napari_sam2_probe.common.reading import read_text, why
from napari_sam2_probe.video.images import is_image_file

RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
"""The resolution folders of DAVIS; 1080p is the name of the full resolution in 2016."""

ALL_FRAMES = "_all_frames"
"""Ends the name of a YouTube-VOS split that holds every frame; its masks are those of the split without it."""

# The folder of the frames, and where its masks may lie.
_FOLDERS: dict[str, tuple[str, ...]] = {
    "JPEGImages": ("Annotations",),
    "JPEGImages_24fps": ("Annotations_6fps", "Annotations_24fps"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one data set.

    Attributes
    ----------
    root
        The folder that holds the frames' and the masks' folder.
    frames
        The folder that holds one folder of frames a sequence.
    """

    root: Path
    frames: Path

    def names(self) -> list[str]:
        """Return the names of all sequences that have a folder of frames, sorted."""
        return sorted(
            entry.name for entry in self.frames.iterdir() if entry.is_dir() and not is_left_behind(entry.name)
        )


def find_layout(root: Path, split: str | None, resolution: str) -> Layout:
    """Find the frames of the data set at `root`.

    Parameters
    ----------
    root
        The folder of a data set, or of its splits.
    split
        Taken as a folder where the data set keeps its splits apart.
    resolution
        Where the data set is kept in several.

    Raises
    ------
    InputError
        If no frames are found, or a split or another resolution has to be chosen.
    """
    if not is_dir(root):
        raise InputError(f"There is no folder {root}: give the root of a data set, the folder above JPEGImages.")
    top = _frames_folder(root)
    if top is None:
        root = _split_folder(root, split)
        top = _frames_folder(root)
        assert top is not None
    present = [name for name in RESOLUTIONS if _holds_sequences(top / name)]
    if not present:
        return Layout(root, top)
    if resolution not in present:
        raise InputError(f"{top} has no resolution {resolution!r}: choose from {', '.join(present)}.")
    return Layout(root, top / resolution)


def list_splits(root: Path) -> tuple[list[str], bool]:
    """Return the splits of the data set at `root`, and whether one of them must be chosen.

    It must where splits are folders (MOSE, YouTube-VOS, LVOS) and there are several; where they are lists of names,
    all sequences can be taken too. What is no data set has no splits.
    """
    if not is_dir(root):
        return [], False
    if _frames_folder(root) is None:
        folders = _split_folders(root)
        return folders, len(folders) > 1
    sets = root / "ImageSets"
    files = [file for folder in (sets / "2017", sets / "2016", sets, root) for file in sorted(folder.glob("*.txt"))]
    files = [file for file in files if not is_left_behind(file.name)]
    return list(dict.fromkeys(file.stem for file in files)), False


def read_split(root: Path, split: str, resolution: str) -> list[str] | None:
    """Return the names a split file lists, or None if there is no file of that split.

    Looked for are ``ImageSets/2017/<split>.txt``, then those of 2016, of `resolution`, and beside the folders.
    Both forms are understood: one name a line, and the DAVIS 2016 lines ``/JPEGImages/480p/<name>/00000.jpg ...``.
    """
    sets = root / "ImageSets"
    for folder in (sets / "2017", sets / "2016", sets / resolution, sets, root):
        file = folder / f"{split}.txt"
        if is_file(file):
            try:
                lines = read_text(file).splitlines()
            except (OSError, ValueError) as error:
                raise InputError(f"{file}: the list can't be read ({why(error)}); save it as UTF-8 text.") from error
            names = [_name_in(line.split()[0]) for line in lines if line.strip()]
            odd = next((name for name in names if not is_plain_name(name)), None)
            if odd is not None:
                raise InputError(f"The split {split} lists {odd[:40]!r}, which names no sequence: fix {file}.")
            return list(dict.fromkeys(names))
    return None


def find_annotations(folder: Path | str) -> Path | None:
    """Return the folder of masks that belongs to a folder of frames, or None if there is none.

    ``ROOT/JPEGImages/480p/dog`` belongs with ``ROOT/Annotations/480p/dog``; `folder` may be any folder at or below
    ``JPEGImages``.
    """
    folder = Path(folder).absolute()
    for above in (folder, *folder.parents):
        for masks in _FOLDERS.get(above.name, ()):
            for split in (above.parent, above.parent.with_name(above.parent.name.removesuffix(ALL_FRAMES))):
                candidate = split / masks / folder.relative_to(above)
                if candidate.is_dir():
                    return candidate
    return None


def _frames_folder(root: Path) -> Path | None:
    return next((root / name for name in _FOLDERS if (root / name).is_dir()), None)


def _split_folder(root: Path, split: str | None) -> Path:
    splits = _split_folders(root)
    if split in splits:
        return root / split
    if not splits:
        raise InputError(f"{root} holds no JPEGImages folder: give the root of a data set, the folder above it.")
    if split is None and len(splits) == 1:
        return root / splits[0]
    raise InputError(f"{root} holds the splits {', '.join(splits)}: choose one of them.")


def _split_folders(root: Path) -> list[str]:
    folders = [entry for entry in root.iterdir() if entry.is_dir() and not is_left_behind(entry.name)]
    return sorted(folder.name for folder in folders if _frames_folder(folder) is not None)


def _holds_sequences(folder: Path) -> bool:
    # A sequence of a flat data set may be called 480p: its folder holds images, not folders.
    return folder.is_dir() and not any(is_image_file(entry.name) for entry in folder.iterdir())


def _name_in(entry: str) -> str:
    return entry.split("/")[-2] if "/" in entry else entry
