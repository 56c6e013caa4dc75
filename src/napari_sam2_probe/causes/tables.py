"""The columns of tables of causes; neither SAM 2 nor torch is needed."""

from __future__ import annotations

from typing import Literal

BLAME_COLUMNS = (
    "object_id",
    "frame",
    "kind",
    "entry_frame",
    "role",
    "age",
    "attention",
    "delta_iou",
    "delta_j",
    "delta_score",
    "delta_pointer",
)
"""The columns of ``blame.csv``."""

GROUPS: tuple[tuple[Literal["memory", "pointer", "both"], Literal["all", "recent", "conditioning"]], ...] = (
    ("memory", "all"),
    ("pointer", "all"),
    ("both", "recent"),
    ("both", "conditioning"),
    ("both", "all"),
)
"""Groups of entries that are dropped together, as `kind` and `role` of their rows."""

PATCH_COLUMNS = (
    "object_id",
    "position",
    "frame",
    "measured_frame",
    "twin_frame",
    "measure",
    "clip_value",
    "twin_value",
    "patched_value",
    "recovered",
)
"""The columns of ``patches.csv``."""

PATCHED_POSITIONS = ("1", "2", "3", "4", "5")
"""The positions, by number, whose tensors patches put in."""

LEAST_DIFFERENCE = {"object_score": 1.0, "predicted_iou": 0.05, "J": 0.05}
"""How far clip and twin must be apart for a recovered fraction to mean anything, by measure."""

SUFFIX_COLUMNS = (
    "object_id",
    "edit",
    "frame",
    "object_score",
    "predicted_iou",
    "J",
    "unedited_object_score",
    "unedited_predicted_iou",
    "unedited_J",
    "iou_with_unedited",
)
"""The columns of what `causes.suffix.suffix_effects` returns."""

SUFFIX_EDITS = (
    "no memories",
    "no pointers",
    "nothing recent",
    "nothing prompted",
    "no memories of the change",
    "no pointers of the change",
    "nothing of the change",
    "the twin's instead of the change",
)
"""What is changed of what the frames after a change read, all of them together."""


def count_blame_passes(num_entries: int) -> int:
    """Return how many passes of a frame it takes to blame so many entries: one each, the groups, and one without."""
    return num_entries + len(GROUPS) + 1
