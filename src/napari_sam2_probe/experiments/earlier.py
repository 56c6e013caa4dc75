"""Tables of experiments that were made before they had all of today's columns: what is missing is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.reading import parse_json
from napari_sam2_probe.experiments.derived import distractors_of, gaps
from napari_sam2_probe.probe.references import References

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.experiments.folder import ExperimentFolder


def with_distractors(frames: pd.DataFrame, folder: ExperimentFolder) -> pd.DataFrame:
    """Fill ``distractor_sequences`` from the recipes of the clips; empty for clips that are gone."""
    missing = frames["distractor_sequences"].isna()
    if not missing.any():
        return frames
    found = {kind: _distractors(folder, str(kind)) for kind in frames["kind"][missing].unique()}
    filled = [found[kind].get(clip, "") for kind, clip in zip(frames["kind"], frames["clip"], strict=True)]
    return frames.assign(distractor_sequences=np.where(missing, filled, frames["distractor_sequences"]))


def with_gaps(features: pd.DataFrame, frames: pd.DataFrame, *, prompted_references: bool) -> pd.DataFrame:
    """Fill ``gap`` where none is known, from the table of frames."""
    if not len(features) or features["gap"].notna().any():
        return features
    found = {}
    for (kind, clip), rows in frames.sort_values("frame").groupby(["kind", "clip"]):
        references = References.of(
            rows["object_present"].to_numpy(np.bool_),
            rows["prompted"].to_numpy(np.bool_),
            prompted_references=prompted_references,
        )
        found[kind, clip] = gaps(
            rows["source_sequence"].to_numpy(), rows["source_frame"].to_numpy(np.int64), references
        )
    places = zip(features["kind"], features["clip"], features["frame"], strict=True)
    return features.assign(gap=[found[kind, clip][frame] for kind, clip, frame in places])


def _distractors(folder: ExperimentFolder, kind: str) -> dict[str, str]:
    try:
        lines = (folder.clips(kind) / "clips.jsonl").read_text(encoding="utf-8").split("\n")
        recipes: list[dict[str, Any]] = [parse_json(line) for line in lines if line]
        return {recipe["clip"]: distractors_of(recipe) for recipe in recipes}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
