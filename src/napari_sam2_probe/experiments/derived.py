"""Columns of an experiment's tables that follow from recipes and from where frames come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.experiments.tables import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.probe.references import References


def distractors_of(recipe: Mapping[str, Any]) -> str:
    """Return what ``distractor_sequences`` says of a clip, from its line of ``clips.jsonl``."""
    names = {str(distractor["sequence"]) for distractor in recipe["distractors"]}
    return SEPARATOR.join(sorted(names - {str(recipe["base"]["sequence"])}))


def gaps(
    source_sequence: Sequence[str] | NDArray[Any], source_frame: NDArray[np.int64], references: References
) -> NDArray[np.float64]:
    """Return how far behind its last reference each frame (T,) lies; see `FEATURE_COLUMNS`."""
    last, frames, sequences = references.last, np.arange(len(source_frame)), np.asarray(source_sequence)
    same = sequences == sequences[np.maximum(last, 0)]
    found = np.where(same, source_frame - source_frame[np.maximum(last, 0)], frames - last)
    return np.where(last >= 0, found, np.nan)
