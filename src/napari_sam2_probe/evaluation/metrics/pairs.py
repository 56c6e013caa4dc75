"""Ground truth and predictions side by side: which sequences, which frames, which objects are scored."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_dir, is_left_behind
from napari_sam2_probe.common.reading import read_text
from napari_sam2_probe.video.mask_folder import MaskFolder

if TYPE_CHECKING:
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


def pair_sequences(ground_truth: Path, predictions: Path) -> list[SequencePair]:
    """Match the sequences of two folders, and check names before any frame is scored.

    All sequences of the ground truth have to be predicted, or exactly those of one of the data set's lists
    (``ImageSets/*/*.txt``, ``*.txt``), such as ``val``. Predictions of other sequences are ignored.

    Raises
    ------
    InputError
        If something is missing.
    """
    for folder, what in ((ground_truth, "ground truth"), (predictions, "predictions")):
        if not is_dir(folder):
            raise InputError(f"There is no folder {folder}: give the folder of the {what}.")
    annotations = _annotations_folder(ground_truth)
    names = _sequence_names(annotations)
    predicted = {child.name for child in predictions.iterdir() if child.is_dir() and not is_left_behind(child.name)}
    missing = [name for name in names if name not in predicted]
    if missing:
        names = _covered_list(annotations, predicted.intersection(names))
        if not names:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(
                f"The sequence {missing[0]}{more} is in {annotations} but not in {predictions}: predict it, or leave "
                "its folder out of the ground truth."
            )
    return [pair_frames(MaskFolder(annotations / name), MaskFolder(predictions / name)) for name in names]


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
        is_sequence = MaskFolder(annotations).stems
        hint = "give its parent folder" if is_sequence else "give a folder of such folders"
        raise InputError(f"{annotations} holds no folder of mask PNGs: {hint}.")
    return names


def _covered_list(annotations: Path, predicted: set[str]) -> list[str]:
    root = annotations.parent.parent if annotations.name == "480p" else annotations.parent
    for path in sorted([*root.glob("ImageSets/*/*.txt"), *root.glob("*.txt")]):
        # Any text may lie beside the sequences; one that can't be read is no list of them.
        with suppress(OSError, ValueError):
            if predicted and not is_left_behind(path.name) and set(read_text(path).split()) == predicted:
                return sorted(predicted)
    return []
