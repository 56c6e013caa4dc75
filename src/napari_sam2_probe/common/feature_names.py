"""The features over time: one table of their columns, names and formulas for everybody."""

from __future__ import annotations

from dataclasses import dataclass

LONG_WINDOW = 5
"""References in the long-term distance, at most."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One number for each frame and position.

    Attributes
    ----------
    column
        Its column in ``features.csv`` and in an experiment's tables.
    label
        What a reader sees.
    formula
        How it is computed, of frame i; j is the last reference frame before i, R the last five.
    references
        How many of the last references before a frame it depends on, at most.
    heavy_tailed
        Whether single values are far larger than most, so that figures show it on a logarithmic axis.
    """

    column: str
    label: str
    formula: str
    references: int
    heavy_tailed: bool = False

    @property
    def phrase(self) -> str:
        """The label as it stands inside a sentence."""
        return self.label[:1].lower() + self.label[1:]


SHORT_TERM = Feature("short_term_l2", "Short-term L2", "‖f_i − f_j‖₂", 1)
LONG_TERM = Feature(
    "long_term_l2", "Long-term L2", "‖(f_i − mean_R) / (variance_R + ε)‖₂", LONG_WINDOW, heavy_tailed=True
)
SHORT_TERM_RATIO = Feature("short_term_ratio", "Short-term ratio", "d_1(i) / d_1(j)", 2)

FEATURES: tuple[Feature, ...] = (SHORT_TERM, LONG_TERM, SHORT_TERM_RATIO)
"""In the order of tables, figures and the last axis of arrays."""

FEATURE_COLUMNS: tuple[str, ...] = tuple(f.column for f in FEATURES)
FEATURE_LABELS: dict[str, str] = {f.column: f.label for f in FEATURES}
FEATURE_PHRASES: dict[str, str] = {f.column: f.phrase for f in FEATURES}

HEAVY_TAILED: tuple[str, ...] = tuple(f.column for f in FEATURES if f.heavy_tailed)
"""Columns that figures show on a logarithmic axis unless asked otherwise."""

RUN_COLUMNS: tuple[str, ...] = ("object_id", "position", "frame", *FEATURE_COLUMNS)
"""Columns of a run's ``features.csv``."""

CANDIDATE_DISAGREEMENT = "candidate_disagreement"
"""What a run calls the disagreement of the masks that SAM 2 chose among: 1 less the mean IoU of their pairs."""

ATTENTION_ENTROPY = "attention_entropy"
"""What an experiment calls the evenness of memory attention over the bank, mean over layers."""
