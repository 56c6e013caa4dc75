"""Masks of another system, scored on the very frames that SAM 2 is scored on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import is_plain_name
from napari_sam2_probe.common.paths import is_dir
from napari_sam2_probe.evaluation.metrics.evaluation import object_scores, score_masks
from napari_sam2_probe.evaluation.metrics.table import score_cells
from napari_sam2_probe.evaluation.protocols.jobs import PROMPTS, JobResult, JobRow
from napari_sam2_probe.evaluation.protocols.truth import can_be_scored
from napari_sam2_probe.video.mask_folder import MaskFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth


@dataclass(frozen=True, slots=True)
class Prediction:
    """A folder of masks that another system predicted.

    Attributes
    ----------
    name
        The system's name in the table.
    folder
        Holds ``<sequence>/<frame>.png``, or ``<sequence>/<object>/<frame>.png``.
    prompt
        What the system was given on the first frame of each object: one of `jobs.PROMPTS`.
    """

    name: str
    folder: Path
    prompt: str = "mask"

    def masks(self, sequence: str) -> MaskFolder:
        """Return the masks predicted for a sequence."""
        return MaskFolder(self.folder / sequence)


def parse_prediction(text: str) -> Prediction:
    """Read ``NAME=DIR`` or ``NAME@PROMPT=DIR``.

    Raises
    ------
    InputError
        If it is neither, or there is no such folder.
    """
    label, equals, folder = text.partition("=")
    name, _, prompt = label.partition("@")
    if not equals or not re.fullmatch(r"[\w.+-]+( [\w.+-]+)*", name) or not is_plain_name(name):
        raise InputError(f"--predictions {text}: give NAME=DIR, with a name of letters, digits, '.', '+' and '-'.")
    if (prompt or "mask") not in PROMPTS:
        raise InputError(f"--predictions {text}: the prompt {prompt} is not one of {', '.join(PROMPTS)}.")
    if not is_dir(folder):
        raise InputError(f"--predictions {text}: there is no folder {folder}; give the one that holds the sequences.")
    return Prediction(name, Path(folder), prompt or "mask")


def check_prediction(prediction: Prediction, objects: Sequence[ObjectTruth]) -> None:
    """Make sure that every mask which will be scored is there, without reading any.

    Raises
    ------
    InputError
        If one is missing.
    """
    sequence = objects[0].sequence
    masks = prediction.masks(sequence.name)
    for truth in objects:
        stems = (sequence.frame_names[t] for t in truth.scored)
        masks.require(stems, truth.object_id, advice="predict every annotated frame, or choose --sequences")


def score_prediction(
    prediction: Prediction, objects: Sequence[ObjectTruth], *, step: Callable[[], None] = lambda: None
) -> JobResult:
    """Score the masks of all objects of one sequence.

    Raises
    ------
    InputError
        If a mask can't be read or has another size than its ground truth.
    """
    sequence = objects[0].sequence
    masks = prediction.masks(sequence.name)
    rows = []
    for truth in filter(can_be_scored, objects):
        scores = []
        for frame_idx in truth.scored:
            stem = sequence.frame_names[frame_idx]
            predicted = masks.object_mask(stem, truth.object_id)
            true_mask = truth.mask(frame_idx)
            if predicted is None or predicted.shape != true_mask.shape:
                size = "missing" if predicted is None else f"{predicted.shape[1]}x{predicted.shape[0]}"
                raise InputError(
                    f"The mask {masks.path / stem}.png of {prediction.name} is {size} but its ground truth is "
                    f"{true_mask.shape[1]}x{true_mask.shape[0]}: predict at the size of the ground truth."
                )
            scores.append(score_masks(true_mask, predicted))
            step()
        concluded = object_scores(truth.object_id, scores)
        rows.append(JobRow(truth.object_id, 1, score_cells(concluded.region, concluded.boundary)))
    return JobResult(tuple(rows), left_out=tuple(t.object_id for t in objects if not can_be_scored(t)))
