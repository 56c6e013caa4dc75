"""Contrasts of object, obscuring object and context at each position of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.analysis.contrast import Contrast, region_contrasts
from napari_sam2_probe.analysis.regions import REGIONS
from napari_sam2_probe.experiments.embeddings import arrays, clip_set, has_array
from napari_sam2_probe.probe.positions import BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.experiments.results import ExperimentResults

KINDS = ("clean", "obscuration", "three-object")
"""What the paper's figures 7, 8, 11 and 12 show."""

POSITIONS = ("1", "2", "3", "5")

STATISTICS = ("mean", "variance")

NAMES = {"object": "object", "other": "obscuring object", "context": "context"}
"""What a reader sees for a region."""


@dataclass(frozen=True)
class Contrasts:
    """All contrasts of an experiment.

    Attributes
    ----------
    found
        By kind, position and statistic (``mean`` or ``variance``), one for each of `PAIRS`.
    """

    found: dict[tuple[str, str, str], tuple[Contrast, ...]]

    def pick(self, kind: str, position: str, statistic: str, first: str, second: str) -> Contrast | None:
        """Return one contrast; None where it was not measured."""
        for one in self.found.get((kind, position, statistic), ()):
            if (one.first, one.second) == (first, second):
                return one if one.clips else None
        return None


def measure_contrasts(results: ExperimentResults, kinds: Sequence[str], *, num_resamples: int, seed: int) -> Contrasts:
    """Measure the contrasts of an experiment; none where it keeps no regions."""
    found: dict[tuple[str, str, str], tuple[Contrast, ...]] = {}
    if not results.has_model:
        return Contrasts(found)
    for kind in KINDS:
        if kind not in kinds:
            continue
        clips = clip_set(results, kind, most=None)
        for position in POSITIONS:
            name = f"contrast/{BY_NUMBER[position].key}"
            if not has_array(results, clips, name):
                continue
            values = arrays(results, clips, name)
            # Without the prompted frame, where memory attention doesn't run.
            for index, statistic in enumerate(STATISTICS):
                found[kind, position, statistic] = region_contrasts(
                    [one[1:, : len(REGIONS) - 1, index] for one in values],
                    clips.clusters,
                    num_resamples=num_resamples,
                    seed=seed,
                )
    return Contrasts(found)
