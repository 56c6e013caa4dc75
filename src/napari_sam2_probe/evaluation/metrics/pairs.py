"""Ground truth and predictions side by side: which sequences, which frames, which objects are scored."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir, is_file, is_left_behind
from napari_sam2_probe.common.reading import read_text
from napari_sam2_probe.common.words import did_you_mean
from napari_sam2_probe.video.layout import read_split
from napari_sam2_probe.video.mask_folder import MaskFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ANNOTATIONS = ("Annotations", "Annotations_6fps", "480p")


@dataclass(frozen=True)
class SequencePair:
    """A sequence's ground truth and its prediction.

    Attributes
    ----------
    ground_truth, prediction
        Two folders of masks.
    scored
        The stems of the frames that are scored, by object id where each object has a folder of its own; else under
        the key None for all objects.
    """

    ground_truth: MaskFolder
    prediction: MaskFolder
    scored: dict[int | None, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The sequence's name."""
        return self.ground_truth.path.name

    @property
    def num_steps(self) -> int:
        """How many masks are compared."""
        return sum(map(len, self.scored.values()))


def pair_sequences(
    ground_truth: Path,
    predictions: Path,
    *,
    sequences: Sequence[str] = (),
    split: str | None = None,
    threshold: float | None = None,
) -> list[SequencePair]:
    """Match the sequences of two folders, and check names before any frame is scored.

    Without `sequences` and `split`, all sequences of the ground truth have to be predicted, or exactly those of one of
    the data set's lists (``ImageSets/*/*.txt``, ``*.txt``), such as ``val``. Predictions of other sequences are
    ignored.

    The masks of one sequence may lie in the folder of the predictions itself, as an export of a run writes them; the
    sequence is then the one that is named, or that the folder is named after, or the only one.

    Parameters
    ----------
    ground_truth
        A data set, a folder of sequences, or the folder of one sequence.
    predictions
        A folder of sequences, or the folder of one sequence.
    sequences
        The names of those to score; all if empty.
    split
        The data set's list of those to score.
    threshold
        As in `napari_sam2_probe.video.masks.read_mask`, for all masks.

    Raises
    ------
    InputError
        If something is missing.
    """
    for folder, what in ((ground_truth, "ground truth"), (predictions, "predictions")):
        if not is_dir(folder):
            raise InputError(f"There is no folder {folder}: give the folder of the {what}.")
    annotations = _annotations_folder(ground_truth)
    if _holds_masks(annotations):
        if sequences or split is not None:
            raise InputError(f"{annotations} is the folder of one sequence: give the data set that it is in.")
        name, annotations = annotations.resolve().name, annotations.resolve().parent
        chosen: list[str] | None = [name]
    else:
        chosen = _chosen(annotations, sequences, split)
    names = _sequence_names(annotations) if chosen is None else chosen
    predicted = {child.name for child in predictions.iterdir() if child.is_dir() and not is_left_behind(child.name)}
    if not predicted.intersection(names) and _holds_masks(predictions):
        name = _meant_by(predictions, names)
        return [pair_frames(MaskFolder(annotations / name, threshold), MaskFolder(predictions, threshold))]
    missing = [name for name in names if name not in predicted]
    if missing and chosen is not None:
        raise InputError(f"The sequence {missing[0]} is not in {predictions}: predict it, or score others.")
    if missing:
        names = _covered_list(annotations, predicted.intersection(names))
        if not names:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(
                f"The sequence {missing[0]}{more} is in {annotations} but not in {predictions}: predict it, or leave "
                "its folder out of the ground truth."
            )
    folders = ((annotations / name, predictions / name) for name in names)
    return [pair_frames(MaskFolder(truth, threshold), MaskFolder(predicted, threshold)) for truth, predicted in folders]


def _chosen(annotations: Path, sequences: Sequence[str], split: str | None) -> list[str] | None:
    """Return the sequences that were named, one by one or by a list; None if none was."""
    if sequences and split is not None:
        raise InputError("Name sequences or a split, not both.")
    names = list(dict.fromkeys(sequences))
    if split is not None:
        root = _root_of(annotations)
        listed = read_split(root, split, annotations.name)
        if listed is None:
            lists = sorted({path.stem for path in _lists_of(root)})
            there = f"it has {', '.join(lists[:8])}" if lists else "it has no lists"
            raise InputError(f"{root} has no split {split!r}: {there}.{did_you_mean(split, lists)}")
        names = listed
    there_are = _sequence_names(annotations) if names else []
    for name in names:
        if name not in there_are:
            some = ", ".join(there_are[:5]) + (", ..." if len(there_are) > 5 else "")
            meant = did_you_mean(name, there_are)
            raise InputError(f"{annotations} has no masks of the sequence {name!r}: it has {some}.{meant}")
    return names or None


def _meant_by(predictions: Path, names: list[str]) -> str:
    """Return the sequence whose masks lie in a folder without being in one of its name."""
    own = predictions.resolve().name
    if own in names:
        return own
    if len(names) == 1:
        return names[0]
    raise InputError(
        f"{predictions} holds the masks of one sequence: say of which, with --sequences NAME "
        f"(in Python sequences=[...]).{did_you_mean(own, names)}"
    )


def pair_frames(ground_truth: MaskFolder, prediction: MaskFolder) -> SequencePair:
    """Match the masks of one sequence: every frame with ground truth but the first and the last has to be predicted.

    Raises
    ------
    InputError
        If a mask is missing, or no frame is left.
    """
    scored: dict[int | None, tuple[str, ...]]
    if ground_truth.per_object:
        stems = {obj: tuple(s for s in ground_truth.stems if ground_truth.has(s, obj)) for obj in _ids(ground_truth)}
        scored = {object_id: frames[1:-1] for object_id, frames in stems.items() if len(frames) > 2}
    else:
        stems = {None: ground_truth.stems}
        scored = {None: ground_truth.stems[1:-1]} if len(ground_truth.stems) > 2 else {}
    if not scored:
        number = max(map(len, stems.values()))
        raise InputError(
            f"{ground_truth.path} holds {number} masks, but the first and the last are not scored: give at least 3."
        )
    for object_id, frames in scored.items():
        prediction.require(frames, object_id, advice="predict every frame that has a ground-truth mask")
    return SequencePair(ground_truth, prediction, scored)


def _ids(masks: MaskFolder) -> list[int | None]:
    return list(masks.object_ids())


def _annotations_folder(folder: Path) -> Path:
    for name in _ANNOTATIONS:
        if (folder / name).is_dir():
            folder = folder / name
    return folder


def _sequence_names(annotations: Path) -> list[str]:
    folders = [entry for entry in annotations.iterdir() if entry.is_dir() and not is_left_behind(entry.name)]
    names = sorted(folder.name for folder in folders if MaskFolder(folder).stems)
    if not names:
        raise InputError(f"{annotations} holds no masks and no folder of mask PNGs: give a folder that does.")
    return names


def _holds_masks(folder: Path) -> bool:
    """Whether masks lie in the folder itself. Folders of objects in it don't count: sequences may be numbered too."""
    return any(
        entry.suffix.lower() == ".png" and not is_left_behind(entry.name) and is_file(entry)
        for entry in folder.iterdir()
    )


def _root_of(annotations: Path) -> Path:
    return annotations.parent.parent if annotations.name == "480p" else annotations.parent


def _lists_of(root: Path) -> list[Path]:
    lists = (path for pattern in ("ImageSets/**/*.txt", "*.txt") for path in root.glob(pattern))
    return sorted(path for path in lists if not is_left_behind(path.name))


def _covered_list(annotations: Path, predicted: set[str]) -> list[str]:
    for path in _lists_of(_root_of(annotations)):
        # Any text may lie beside the sequences; one that can't be read is no list of them.
        with suppress(OSError, ValueError):
            if predicted and set(read_text(path).split()) == predicted:
                return sorted(predicted)
    return []
