"""What was found to cause the masks of an experiment's clips: its tables, and what is computed from them once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.analysis.causes import CauseOptions, attention_against_cause, by_age, suffix_table

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.reports.subject import Subject


@dataclass(frozen=True)
class Causes:
    """The tables of one experiment, and what is computed from them once."""

    subject: Subject
    blame: pd.DataFrame
    patches: pd.DataFrame
    suffix: pd.DataFrame

    @classmethod
    def of(cls, subject: Subject) -> Causes:
        """Read the tables of an experiment."""
        tables = [subject.results.causes(name) for name in ("blame", "patches", "suffix")]
        return cls(subject, *tables)

    @property
    def options(self) -> CauseOptions:
        """How intervals are made."""
        return CauseOptions(self.subject.num_resamples, self.subject.seed)

    @property
    def change(self) -> range:
        """The changed frames of a clip."""
        prefix, interjection, _ = self.subject.results.lengths
        return range(prefix, prefix + interjection)

    @property
    def num_clips(self) -> int:
        """The clips whose masks were explained."""
        return int(self.blame["clip"].nunique())

    @cached_property
    def ages(self) -> pd.DataFrame:
        """Attention and effect by age, as `by_age` returns them."""
        return by_age(self.blame, self.options)

    @cached_property
    def suffix_table(self) -> pd.DataFrame:
        """What banks come to after the change, as `suffix_table` returns it."""
        return suffix_table(self.suffix, self.options)

    @cached_property
    def correlations(self) -> dict[str, tuple[Estimate, int]]:
        """Rank correlation of attention and effect, and the clips that entered, by the entries that count."""
        return attention_against_cause(self.blame, self.options)


def suffix_estimate(row: pd.Series) -> Estimate:
    """Return the change of J in a row of `Causes.suffix_table`."""
    return Estimate(
        float(row["delta_j"]), float(row["delta_j_low"]), float(row["delta_j_high"]), int(row["num_sequences"])
    )
