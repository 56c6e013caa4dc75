"""How a live run observes, as plain values: nothing here imports torch, so that a window can hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_sam2_probe.runs.options import RunOptions


@dataclass(frozen=True)
class LiveOptions:
    """How features over time are computed, and what is recorded besides.

    Attributes
    ----------
    denominator, epsilon, prompted_references
        As in `probe.distance.FeatureOptions`.
    unblanked
        Whether position 5u is recorded too.
    """

    denominator: Literal["variance", "standard deviation"] = "variance"
    epsilon: float = 1e-6
    prompted_references: bool = True
    unblanked: bool = False

    def run_options(self) -> RunOptions:
        """Return them as a run takes them."""
        from napari_sam2_probe.probe.distance import FeatureOptions
        from napari_sam2_probe.runs.options import RunOptions

        features = FeatureOptions(self.denominator, self.epsilon, self.prompted_references)
        return RunOptions(features=features, unblanked=self.unblanked)
