"""Scores of folders of masks: a data set's ground truth against predictions (SPEC 7 and 9)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.analysis.metrics.evaluation import ObjectScores, SequenceEvaluator
from napari_sam2_probe.analysis.metrics.summary import Summary
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.video.masks import VOID, object_ids, read_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

_CSV_COLUMNS = (
    "sequence",
    "object_id",
    "J_mean",
    "J_recall",
    "J_decay",
    "F_mean",
    "F_recall",
    "F_decay",
    "JF_mean",
)


@dataclass(frozen=True)
class DatasetScores:
    """The scores of every object of every sequence.

    Attributes
    ----------
    sequences
        The scores of the objects of each sequence, by the sequence's name.
    """

    sequences: dict[str, tuple[ObjectScores, ...]]

    @property
    def region(self) -> Summary:
        """The means over all objects of J's mean (mIoU), recall and decay."""
        return _mean_summary([scores.region for scores in self._objects])

    @property
    def boundary(self) -> Summary:
        """The means over all objects of F's mean, recall and decay."""
        return _mean_summary([scores.boundary for scores in self._objects])

    @property
    def jf_mean(self) -> float:
        """J&F over all objects."""
        return (self.region.mean + self.boundary.mean) / 2

    @property
    def _objects(self) -> list[ObjectScores]:
        return [scores for sequence in self.sequences.values() for scores in sequence]

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return one row an object and a last row ``global``, with the columns that `write_csv` writes."""
        rows = [
            _row(name, scores.object_id, scores.region, scores.boundary, scores.jf_mean)
            for name, sequence in self.sequences.items()
            for scores in sequence
        ]
        return [*rows, _row("global", "", self.region, self.boundary, self.jf_mean)]

    def write_csv(self, path: Path | str) -> None:
        """Write `rows` with full precision; the file is whole or not there."""
        with (
            atomic_path(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, _CSV_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows())


def evaluate_folders(
    ground_truth: Path | str, predictions: Path | str, *, progress: ProgressCallback = ignore_progress
) -> DatasetScores:
    """Score predicted masks as the semi-supervised evaluation of DAVIS 2017 does.

    The first and the last frame of each sequence are left out. The objects are those up to the highest id of the
    first ground-truth mask. Void pixels (255) belong to no object.

    Parameters
    ----------
    ground_truth
        A folder with one folder of mask PNGs a sequence, or a DAVIS root. Its frames are those that are scored, so
        sparse annotations are fine.
    predictions
        A folder with the same names.
    progress
        Told of every frame.

    Raises
    ------
    InputError
        If a sequence, a frame or an object can't be matched, sizes differ, or a mask can't be read.
    """
    sequences = pair_sequences(Path(ground_truth), Path(predictions))
    total = sum(len(frames.scored) for frames in sequences)
    done = 0
    scores: dict[str, tuple[ObjectScores, ...]] = {}
    for frames in sequences:
        evaluator = SequenceEvaluator(range(1, frames.num_objects + 1))
        for name in frames.scored:
            _add_frame(evaluator, frames, name)
            done += 1
            progress(Progress(done, total, "scoring masks", "frame"))
        scores[frames.ground_truth.name] = evaluator.conclude()
    return DatasetScores(scores)


@dataclass(frozen=True)
class SequencePair:
    """A sequence's ground truth and its prediction.

    Attributes
    ----------
    ground_truth, prediction
        Two folders of mask PNGs.
    scored
        The file names of the frames that are scored: all of the ground truth but the first and the last.
    num_objects
        The highest id of the first ground-truth mask.
    holds_ids
        Whether the ground truth holds ids, not just 0 and 255.
    """

    ground_truth: Path
    prediction: Path
    scored: tuple[str, ...]
    num_objects: int
    holds_ids: bool


def pair_sequences(ground_truth: Path, predictions: Path) -> list[SequencePair]:
    """Match the sequences of two folders, and check names before any frame is scored.

    All sequences of the ground truth have to be predicted, or exactly those of one of a DAVIS root's lists
    (``ImageSets/*/*.txt``), such as ``val``. Predictions of other sequences are ignored.

    Raises
    ------
    InputError
        If something is missing.
    """
    for folder, what in ((ground_truth, "ground truth"), (predictions, "predictions")):
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder}: give the folder of the {what}.")
    annotations = _annotations_folder(ground_truth)
    names = _sequence_names(annotations)
    predicted = {child.name for child in predictions.iterdir() if child.is_dir()}
    missing = [name for name in names if name not in predicted]
    if missing:
        names = _covered_list(annotations, predicted.intersection(names))
        if not names:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(
                f"The sequence {missing[0]}{more} is in {annotations} but not in {predictions}: predict it, or leave "
                "its folder out of the ground truth."
            )
    return [_pair_frames(annotations / name, predictions / name) for name in names]


def _annotations_folder(folder: Path) -> Path:
    for name in ("Annotations", "480p"):
        if (folder / name).is_dir():
            folder = folder / name
    return folder


def _sequence_names(annotations: Path) -> list[str]:
    names = sorted(child.name for child in annotations.iterdir() if child.is_dir() and any(child.glob("*.png")))
    if not names:
        hint = "give its parent folder" if any(annotations.glob("*.png")) else "give a folder of such folders"
        raise InputError(f"{annotations} holds no folder of mask PNGs: {hint}.")
    return names


def _covered_list(annotations: Path, predicted: set[str]) -> list[str]:
    root = annotations.parent.parent if annotations.name == "480p" else annotations.parent
    for path in sorted(root.glob("ImageSets/*/*.txt")):
        if predicted and set(path.read_text(encoding="utf-8").split()) == predicted:
            return sorted(predicted)
    return []


def _pair_frames(ground_truth: Path, prediction: Path) -> SequencePair:
    names = sorted(path.name for path in ground_truth.glob("*.png"))
    scored = names[1:-1]
    if not scored:
        raise InputError(
            f"{ground_truth} holds {len(names)} masks, but the first and the last are not scored: give at least 3."
        )
    missing = [name for name in scored if not (prediction / name).is_file()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"The predicted mask {prediction / missing[0]}{more} is missing: predict every frame that has a "
            "ground-truth mask."
        )
    first = read_mask(ground_truth / names[0], several_objects=True)
    ids = object_ids(read_mask(ground_truth / names[0]))
    if not ids:
        raise InputError(
            f"The first ground-truth mask {ground_truth / names[0]} holds no object, so there is nothing to score: "
            "leave this sequence out."
        )
    # The first mask tells what 255 means in all of them.
    holds_ids = bool((first == ids[0]).any())
    return SequencePair(ground_truth, prediction, tuple(scored), max(ids), holds_ids)


def _add_frame(evaluator: SequenceEvaluator, frames: SequencePair, name: str) -> None:
    true_mask = read_mask(frames.ground_truth / name, several_objects=frames.holds_ids)
    predicted_mask = read_mask(frames.prediction / name)
    if true_mask.shape != predicted_mask.shape:
        raise InputError(
            f"The predicted mask {frames.prediction / name} is {_size(predicted_mask.shape)} but its ground truth is "
            f"{_size(true_mask.shape)}: predict at the size of the ground truth."
        )
    highest = int(predicted_mask.max())
    if highest > frames.num_objects:
        what = "void pixels (255)" if highest == VOID else f"the object {highest}"
        raise InputError(
            f"The predicted mask {frames.prediction / name} holds {what}, but the first ground-truth mask of the "
            f"sequence only has objects up to {frames.num_objects}: predict only these."
        )
    evaluator.add_frame(true_mask, predicted_mask)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _row(
    sequence: str, object_id: int | str, region: Summary, boundary: Summary, jf_mean: float
) -> dict[str, str | int | float]:
    values = (
        sequence,
        object_id,
        region.mean,
        region.recall,
        region.decay,
        boundary.mean,
        boundary.recall,
        boundary.decay,
        jf_mean,
    )
    return dict(zip(_CSV_COLUMNS, values, strict=True))


def _mean_summary(summaries: Sequence[Summary]) -> Summary:
    count = len(summaries)
    return Summary(
        mean=sum(s.mean for s in summaries) / count,
        recall=sum(s.recall for s in summaries) / count,
        decay=sum(s.decay for s in summaries) / count,
    )
