"""Scores of folders of masks: a data set's ground truth against predictions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.evaluation.metrics.evaluation import (
    ObjectScores,
    SequenceEvaluator,
    object_scores,
    score_masks,
)
from napari_sam2_probe.evaluation.metrics.pairs import SequencePair, pair_sequences
from napari_sam2_probe.evaluation.metrics.table import SCORE_COLUMNS, mean_summary, score_cells
from napari_sam2_probe.video.masks import VOID, object_ids

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.evaluation.metrics.summary import Summary
    from napari_sam2_probe.video.mask_folder import MaskFolder
    from napari_sam2_probe.video.masks import Labels


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
        return mean_summary([scores.region for scores in self._objects])

    @property
    def boundary(self) -> Summary:
        """The means over all objects of F's mean, recall and decay."""
        return mean_summary([scores.boundary for scores in self._objects])

    @property
    def jf_mean(self) -> float:
        """J&F over all objects."""
        return (self.region.mean + self.boundary.mean) / 2

    @property
    def _objects(self) -> list[ObjectScores]:
        return [scores for sequence in self.sequences.values() for scores in sequence]

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return one row an object and a last row ``global``, with the columns that `write_csv` writes."""
        rows: list[dict[str, str | int | float]] = [
            {"sequence": name, "object_id": scores.object_id, **score_cells(scores.region, scores.boundary)}
            for name, sequence in self.sequences.items()
            for scores in sequence
        ]
        return [*rows, {"sequence": "global", "object_id": "", **score_cells(self.region, self.boundary)}]

    def write_csv(self, path: Path | str) -> None:
        """Write `rows` with full precision; the file is complete or not there."""
        with (
            atomic_path(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, ("sequence", "object_id", *SCORE_COLUMNS), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows())


def evaluate_folders(
    ground_truth: Path | str,
    predictions: Path | str,
    *,
    sequences: Sequence[str] = (),
    split: str | None = None,
    threshold: float | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DatasetScores:
    """Score predicted masks as the semi-supervised evaluation of DAVIS 2017 does.

    The first and the last frame of each sequence are left out. The objects are those up to the highest id of the
    first ground-truth mask. Void pixels (255) belong to no object.

    Beyond DAVIS: an object with a higher id that appears later (YouTube-VOS, LVOS) is scored after the frame it
    appears on. Where each object has a folder of masks (SA-V), it is scored by itself on its own frames, as SA-V's
    evaluation does.

    Parameters
    ----------
    ground_truth
        A folder with one folder of masks a sequence, or the root of a data set. Its frames are those that are
        scored, so sparse annotations are fine.
    predictions
        A folder with the same names; or the masks of one sequence, as an export of a run writes them.
    sequences
        The names of those to score; all if empty.
    split
        The data set's list of those to score, such as ``val``.
    threshold
        For masks of one object with soft edges or of probabilities: the share of full brightness from which on a
        pixel belongs to it.
    progress
        Called with every frame.

    Raises
    ------
    InputError
        If a sequence, a frame or an object can't be matched, sizes differ, or a mask can't be read.
    """
    pairs = pair_sequences(Path(ground_truth), Path(predictions), sequences=sequences, split=split, threshold=threshold)
    total = sum(pair.num_steps for pair in pairs)
    scores: dict[str, tuple[ObjectScores, ...]] = {}
    done = 0
    for pair in pairs:
        steps = _score_label_images(pair) if None in pair.scored else _score_each_object(pair)
        # A generator that yields once a frame and returns the scores.
        while True:
            try:
                next(steps)
            except StopIteration as end:
                scores[pair.name] = end.value
                break
            done += 1
            progress(Progress(done, total, "scoring masks", "frame"))
    return DatasetScores(scores)


def _score_label_images(pair: SequencePair) -> Generator[None, None, tuple[ObjectScores, ...]]:
    truth, prediction = pair.ground_truth, pair.prediction
    first, last = (object_ids(_labels(truth, stem)) for stem in (truth.stems[0], truth.stems[-1]))
    if not first and not truth.object_ids():
        raise InputError(f"No mask in {truth.path} holds an object: leave this sequence out.")
    highest = max(first, default=0)
    evaluator = SequenceEvaluator(range(1, highest + 1))
    unknown: dict[int, Path] = {}
    for stem in pair.scored[None]:
        predicted_file = prediction.files(stem)[0]
        true_mask, predicted_mask = _labels(truth, stem), _labels(prediction, stem)
        _check_sizes(true_mask, predicted_mask, predicted_file)
        if int(predicted_mask.max()) > highest:
            for object_id in set(np.unique(predicted_mask).tolist()) - {0, *evaluator.object_ids}:
                unknown.setdefault(object_id, predicted_file)
        evaluator.add_frame(true_mask, predicted_mask)
        if int(true_mask.max()) > highest:
            for object_id in object_ids(true_mask):
                evaluator.add_object(object_id)
        yield
    for object_id, file in unknown.items():
        if object_id not in (*evaluator.object_ids, *last):
            what = "void pixels (255)" if object_id == VOID else f"the object {object_id}"
            raise InputError(
                f"The predicted mask {file} holds {what}, but the ground truth of the sequence only has objects up to "
                f"{max(evaluator.object_ids)}: predict only these."
            )
    return evaluator.conclude()


def _labels(masks: MaskFolder, stem: str) -> Labels:
    labels = masks.labels(stem)
    assert labels is not None
    return labels


def _score_each_object(pair: SequencePair) -> Generator[None, None, tuple[ObjectScores, ...]]:
    concluded = []
    for object_id, stems in pair.scored.items():
        assert object_id is not None
        scores = []
        for stem in stems:
            true_mask = pair.ground_truth.object_mask(stem, object_id)
            predicted_mask = pair.prediction.object_mask(stem, object_id)
            assert true_mask is not None
            assert predicted_mask is not None
            _check_sizes(true_mask, predicted_mask, pair.prediction.path / f"{stem}.png")
            scores.append(score_masks(true_mask, predicted_mask))
            yield
        concluded.append(object_scores(object_id, scores))
    return tuple(concluded)


def _check_sizes(true_mask: NDArray[Any], predicted_mask: NDArray[Any], file: Path) -> None:
    if true_mask.shape != predicted_mask.shape:
        raise InputError(
            f"The predicted mask {file} is {_size(predicted_mask.shape)} but its ground truth is "
            f"{_size(true_mask.shape)}: predict at the size of the ground truth."
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
