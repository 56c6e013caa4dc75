"""Which sequences each clip of an experiment shows footage of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.folder import ExperimentFolder
from napari_sam2_probe.video.truth import read_recipes

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.results import ExperimentResults


def clip_sequences(results: ExperimentResults, kind: str) -> dict[str, frozenset[str]]:
    """Return by clip of a kind its base's sequence and those of all distractors.

    Where the clips' recipes are gone, the sequences that frames come from; objects that were cut out are missing then.
    """
    frames = results.frames[results.frames["kind"] == kind]
    found = {
        str(clip): frozenset([*rows["base_sequence"].unique(), *rows["source_sequence"].unique()])
        for clip, rows in frames.groupby("clip", sort=False)
    }
    try:
        recipes = read_recipes(ExperimentFolder(results.path).clips(kind) / "frames.csv")
    except InputError:
        return found
    for clip in found.keys() & recipes.keys():
        recipe = recipes[clip]
        named = [recipe["base"]["sequence"], *(one["sequence"] for one in recipe.get("distractors", ()))]
        found[clip] |= frozenset(map(str, named))
    return found
