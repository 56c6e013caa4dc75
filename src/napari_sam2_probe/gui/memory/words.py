"""The order and the words of what the Memory panel shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_sam2_probe.causes.tables import count_blame_passes
from napari_sam2_probe.figures.blame import GROUP_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from napari_sam2_probe.gui.memory.bank_shown import EntryShown

AS_READ, BY_ATTENTION, BY_EFFECT = "read", "attention", "effect"

ORDERS = {"As read": AS_READ, "By attention": BY_ATTENTION, "By effect": BY_EFFECT}
"""Orders of the entries, by what the user reads."""


def in_order(entries: Sequence[EntryShown], order: str, effects: Mapping[tuple[str, int], float]) -> list[EntryShown]:
    """Return entries in an order of `ORDERS`, highest first; what isn't known comes last, as it was read."""
    if order == AS_READ:
        return list(entries)

    def value(item: EntryShown) -> float:
        found = item.share if order == BY_ATTENTION else effects.get((item.kind, item.frame), math.nan)
        return -math.inf if math.isnan(found) else found

    return sorted(entries, key=value, reverse=True)


def effects_of(table: pd.DataFrame | None) -> dict[tuple[str, int], float]:
    """Return the effect of each entry, 1 - IoU with the mask as it was, by kind and frame; nothing without a table."""
    if table is None:
        return {}
    single = table[table["entry_frame"].notna()]
    rows = zip(single["kind"], single["entry_frame"], single["delta_iou"], strict=True)
    return {(str(kind), int(frame)): abs(float(delta)) for kind, frame, delta in rows}


def cost_sentence(num_entries: int, frame: int, *, ready: bool) -> str:
    """Say what it costs to explain a frame."""
    passes = f"Explaining takes {count_blame_passes(num_entries)} passes of the frame"
    return f"{passes}." if ready else f"{passes}; first the run is repeated up to frame {frame}."


def groups_text(table: pd.DataFrame) -> str:
    """Say what became of the frame without groups of entries, a line each."""
    lines = []
    groups = table[table["entry_frame"].isna()]
    for kind, role, iou, j, score in zip(
        groups["kind"], groups["role"], groups["delta_iou"], groups["delta_j"], groups["delta_score"], strict=True
    ):
        known = "" if math.isnan(j) else f", J {_signed(j, 3)}"
        label = GROUP_LABELS[kind, role]
        lines.append(f"Without {label}: IoU {_signed(iou, 3)}{known}, object score {_signed(score, 2)}")
    return "\n".join(lines)


def _signed(value: float, digits: int) -> str:
    value = round(value, digits) + 0.0
    return f"{value:{'+' if value else ''}.{digits}f}".replace("-", "−")
