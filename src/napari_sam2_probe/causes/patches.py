"""Which position carries what a change of a clip did: the twin's tensor put in, position by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.causes.pairs import TWIN, measures
from napari_sam2_probe.causes.tables import LEAST_DIFFERENCE, PATCHED_POSITIONS
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.observer import PassKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari_sam2_probe.causes.pairs import Pair

PATCHES = "patches.csv"

_AT_ONCE = {"1": "image_embedding", "2": "memory_attention", "3": "prompt_attention"}
_STORED = {"4": "pointer", "5": "memory"}


def recovered_fraction(clip: float, twin: float, patched: float, measure: str) -> float:
    """Return the share of the way from the clip's value to its twin's that a patch goes.

    0 leaves the clip's value, 1 gives the twin's. NaN where the two differ by less than `LEAST_DIFFERENCE`.
    """
    difference = twin - clip
    if not abs(difference) >= LEAST_DIFFERENCE[measure]:
        return float("nan")
    return (patched - clip) / difference


def patch_effects(
    pair: Pair,
    frames: Iterable[int] | None = None,
    *,
    passed: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Put the twin's tensor in at each position of each frame, one at a time, and say how much of the twin comes back.

    Positions 1, 2 and 3 are measured on the frame itself, and 4 and 5, which are stored, on the next frame, which reads
    them. The pass is only made where clip and twin differ enough in one of the measures.

    Parameters
    ----------
    pair
        Clip and twin.
    frames
        The frames whose tensors are replaced; all by default.
    passed
        Called after each frame.

    Returns
    -------
    list of dict
        With the columns `PATCH_COLUMNS`: a row for each frame, position and measure whose effect a tracked frame can
        show. ``patched_value`` and ``recovered`` are NaN where clip and twin differ too little.
    """
    rows: list[dict[str, Any]] = []
    found: dict[int, tuple[dict[str, float], dict[str, float]] | None] = {}

    def both(frame: int) -> tuple[dict[str, float], dict[str, float]] | None:
        if frame not in found:
            found[frame] = _values(pair, frame)
        return found[frame]

    for frame in range(len(pair.match)) if frames is None else frames:
        for position in PATCHED_POSITIONS:
            measured = frame if position in _AT_ONCE else frame + 1
            values = both(measured)
            if values is None or not _is_tracked(pair, frame, position):
                continue
            rows += _rows(pair, position, frame, measured, *values)
        passed()
    return rows


def count_patch_passes(num_frames: int) -> int:
    """Return how many passes of a frame `patch_effects` makes at most in a clip that is prompted on its first frame."""
    return (num_frames - 1) * (2 + len(PATCHED_POSITIONS))


def _values(pair: Pair, frame: int) -> tuple[dict[str, float], dict[str, float]] | None:
    """Return what clip and twin come to on a frame; None where one of them was not tracked from memory."""
    if frame >= len(pair.match):
        return None
    sides = (
        (pair.clip.session, frame, pair.clip_truth),
        (pair.twin.session, pair.match[frame], pair.twin_truth),
    )
    values = []
    for session, t, truth in sides:
        output = session.stored_output(t, pair.object_id)
        if output is None or output.kind is not PassKind.TRACKED:
            return None
        values.append(measures(session.repeat(t, pair.object_id), truth(t)))
    return values[0], values[1]


def _is_tracked(pair: Pair, frame: int, position: str) -> bool:
    """Say whether the twin has such a tensor, and the clip reads it."""
    output = pair.twin.session.stored_output(pair.match[frame], pair.object_id)
    if output is None:
        return False
    if position in _AT_ONCE:
        return output.kind is PassKind.TRACKED
    bank = pair.clip.session.bank(frame + 1, pair.object_id)
    return bank is not None and any(e.kind == _STORED[position] and e.frame == frame for e in bank.entries)


def _rows(
    pair: Pair, position: str, frame: int, measured: int, clip: dict[str, float], twin: dict[str, float]
) -> Sequence[dict[str, Any]]:
    patched = dict.fromkeys(clip, float("nan"))
    if any(abs(twin[name] - clip[name]) >= least for name, least in LEAST_DIFFERENCE.items()):
        if position in _AT_ONCE:
            edit: dict[str, Any] = {"edit": "patch", "target": _AT_ONCE[position], "from": TWIN}
        else:
            edit = {"edit": "swap", "target": _STORED[position], "entries": {"frames": [frame]}, "from": TWIN}
        result = pair.clip.session.repeat(measured, pair.object_id, parse_edits([edit]), pair.donors())
        patched = measures(result, pair.clip_truth(measured))
    return [
        {
            "object_id": pair.object_id,
            "position": position,
            "frame": frame,
            "measured_frame": measured,
            "twin_frame": pair.match[frame],
            "measure": name,
            "clip_value": clip[name],
            "twin_value": twin[name],
            "patched_value": patched[name],
            "recovered": recovered_fraction(clip[name], twin[name], patched[name], name)
            if np.isfinite(patched[name])
            else float("nan"),
        }
        for name in LEAST_DIFFERENCE
    ]
