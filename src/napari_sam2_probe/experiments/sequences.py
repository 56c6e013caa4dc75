"""Which sequences each clip of an experiment shows footage of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.results import ExperimentResults


def clip_sequences(results: ExperimentResults, kind: str) -> dict[str, frozenset[str]]:
    """Return by clip of a kind its base's sequence, those that its frames come from, and those of all distractors.

    Of an experiment of an earlier version whose recipes are gone, objects that were cut out are missing.
    """
    frames = results.frames[results.frames["kind"] == kind]
    found = {}
    for clip, rows in frames.groupby("clip", sort=False):
        others = str(rows["distractor_sequences"].fillna("").iloc[0]).split("/")
        named = (*rows["base_sequence"].unique(), *rows["source_sequence"].unique(), *filter(None, others))
        found[str(clip)] = frozenset(map(str, named))
    return found
