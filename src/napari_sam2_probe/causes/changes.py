"""Other banks for a frame, and what they come to: entries that are not read, or read from the twin; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.causes.pairs import TWIN
from napari_sam2_probe.common.stretches import stretches
from napari_sam2_probe.tracking.interventions import parse_edits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.interventions import Edit

    EntryKey = tuple[EntryKind, int]

_KINDS: tuple[EntryKind, ...] = ("memory", "pointer")


def source_name(kind: str) -> str:
    """Return how edits call the twin where entries of a kind are taken from it."""
    return f"{TWIN} {kind}"


@dataclass(frozen=True)
class BankChanges:
    """What is changed of what frames read.

    Attributes
    ----------
    dropped
        Entries that are not read, by kind and frame.
    swapped
        Entries in whose place the twin's are read, with the twin's frame.
    """

    dropped: frozenset[EntryKey] = frozenset()
    swapped: Mapping[EntryKey, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is changed."""
        return not (self.dropped or self.swapped)

    def edits(self) -> tuple[Edit, ...]:
        """Return the changes as edits, which name the twin as `source_name` does."""
        entries = []
        for kind in _KINDS:
            dropped = sorted(frame for of, frame in self.dropped if of == kind)
            swapped = sorted(frame for of, frame in self.swapped if of == kind)
            if dropped:
                entries.append({"edit": "drop", "target": kind, "entries": {"frames": dropped}})
            if swapped:
                source = source_name(kind)
                entries.append({"edit": "swap", "target": kind, "entries": {"frames": swapped}, "from": source})
        return parse_edits(entries)

    def __str__(self) -> str:
        parts = []
        for kind in _KINDS:
            for frames, how in ((self.dropped, "without"), (self.swapped, "with the twin's")):
                chosen = sorted(frame for of, frame in frames if of == kind)
                if chosen:
                    plural = {"memory": "memories", "pointer": "pointers"}[kind] if len(chosen) > 1 else kind
                    parts.append(f"{how} {plural} {_listed(chosen)}")
        return " and ".join(parts)


@dataclass(frozen=True)
class ChangedFrame:
    """What a frame came to with another bank.

    Attributes
    ----------
    frame
        The frame.
    mask
        (H, W) bool.
    iou
        With the mask as it was.
    j_before, j_after
        J of the mask as it was and as it is, NaN where no truth is known.
    score_before, score_after
        The object score, in logits.
    """

    frame: int
    mask: NDArray[np.bool_]
    iou: float
    j_before: float
    j_after: float
    score_before: float
    score_after: float


def outcome_sentence(changes: BankChanges, frames: Sequence[ChangedFrame]) -> str:
    """Return in one sentence what changes came to: IoU with the original, and J where truth is known."""
    how = str(changes)
    how = how[:1].upper() + how[1:]
    js = np.array([(frame.j_before, frame.j_after) for frame in frames], float)
    known = js[np.isfinite(js).all(axis=1)]
    if len(frames) == 1:
        (frame,) = frames
        text = f"{how}, frame {frame.frame} has an IoU of {frame.iou:.3f} with the original"
        text += (
            "" if len(known) else f"; object score {_number(frame.score_before, 2)} → {_number(frame.score_after, 2)}"
        )
    else:
        worst = min(frames, key=lambda frame: frame.iou)
        mean = float(np.mean([frame.iou for frame in frames]))
        text = f"{how}, frames {frames[0].frame} to {frames[-1].frame} have a mean IoU of {mean:.3f} with the original"
        text += f" (least {worst.iou:.3f}, on frame {worst.frame})"
    if len(known):
        before, after = known.mean(axis=0)
        name = "J" if len(known) == 1 else "mean J"
        text += f"; {name} {before:.3f} → {after:.3f} ({_number(after - before, 3, sign=True)})"
    return text + "."


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    # Neither "-0.000" nor a hyphen for a minus.
    value = round(value, digits) + 0.0
    return f"{value:{'+' if sign and value else ''}.{digits}f}".replace("-", "−")


def _listed(frames: Sequence[int]) -> str:
    """Write numbers as a list in which runs of three or more are joined: ``3, 5-8``."""
    parts: list[str] = []
    for first, last in stretches(frames):
        parts += [f"{first}-{last}"] if last > first + 1 else [str(frame) for frame in range(first, last + 1)]
    return ", ".join(parts)
