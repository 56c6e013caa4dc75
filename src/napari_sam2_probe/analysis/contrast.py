"""Whether a position tells the object of interest from what covers it, and from the context.

The paper reads it off pictures of single frames (4.1.1, 4.1.2): where the channel mean or variance of an embedding is
lower or higher on the object than around it. Here the same is measured on every frame of every clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, bounded, mean_estimate
from napari_sam2_probe.analysis.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.bootstrap import Clusters

PAIRS = (("object", "context"), ("other", "context"), ("object", "other"))
"""Regions that are compared, first minus second."""


@dataclass(frozen=True)
class Contrast:
    """How two regions differ at one position.

    Attributes
    ----------
    first, second
        The regions.
    contrast
        Mean over clips of (first - second) / (|first| + |second|), from -1 to 1; 0 where both look alike. NaN where no
        clip shows both regions.
    higher
        Mean over clips of the share of frames on which the first region has the higher value; 0.5 where both look
        alike.
    clips
        How many entered.
    """

    first: str
    second: str
    contrast: Estimate
    higher: Estimate
    clips: int


def region_contrasts(
    values: Sequence[NDArray[np.floating]],
    groups: Sequence[str] | Clusters,
    usable: Sequence[NDArray[np.bool_]] | None = None,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[Contrast, ...]:
    """Compare the regions of `PAIRS` over clips.

    Parameters
    ----------
    values
        Of each clip (T, 3): the mean of a map over object, other and context; NaN where a frame lacks the region.
    groups
        Source sequence of each clip, which is resampled as a whole, or `Clusters` of the clips.
    usable
        Of each clip (T,) bool, the frames to take; all if None.
    num_resamples, seed
        Of the bootstrap.
    """
    reason = "no clip shows both regions"
    found = []
    for first, second in PAIRS:
        of_clips = np.full((len(values), 2), np.nan)
        for k, of_clip in enumerate(values):
            a, b = (np.asarray(of_clip[:, REGIONS.index(name)], np.float64) for name in (first, second))
            both = np.isfinite(a) & np.isfinite(b)
            if usable is not None:
                both &= usable[k]
            if both.any():
                of_clips[k] = _clip_contrast(a[both], b[both])
        contrast, higher = (
            mean_estimate(column, groups, num_resamples=num_resamples, seed=seed, reason=reason)
            for column in of_clips.T
        )
        # A share that is 1 in all clips is no certainty; the contrast itself is no share.
        higher = bounded(higher, higher.num_groups)
        found.append(Contrast(first, second, contrast, higher, int(np.isfinite(of_clips[:, 0]).sum())))
    return tuple(found)


def _clip_contrast(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    scale = np.abs(first) + np.abs(second)
    contrast = np.divide(first - second, scale, out=np.zeros_like(first), where=scale > 0)
    higher = (first > second) + 0.5 * (first == second)
    return float(contrast.mean()), float(higher.mean())
