"""What the frames after a change come to without some of what they read: pointers, memories, those of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.causes.pairs import TWIN, measures
from napari_sam2_probe.causes.tables import SUFFIX_EDITS
from napari_sam2_probe.evaluation.metrics.region import region_similarity
from napari_sam2_probe.tracking.interventions import Edit, EntrySelector, parse_edits

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam2_probe.causes.pairs import Pair


def suffix_edits(change: range) -> dict[str, tuple[Edit, ...]]:
    """Return the edits of `SUFFIX_EDITS`, where `change` holds the changed frames."""
    of_change = EntrySelector(frames=tuple(change))
    return {
        "no memories": (Edit(edit="drop", target="memory"),),
        "no pointers": (Edit(edit="drop", target="pointer"),),
        "nothing recent": (Edit(edit="drop", target="both", entries=EntrySelector(role="recent")),),
        "nothing prompted": (Edit(edit="drop", target="both", entries=EntrySelector(role="conditioning")),),
        "no memories of the change": (Edit(edit="drop", target="memory", entries=of_change),),
        "no pointers of the change": (Edit(edit="drop", target="pointer", entries=of_change),),
        "nothing of the change": (Edit(edit="drop", target="both", entries=of_change),),
        "the twin's instead of the change": parse_edits(
            [{"edit": "swap", "target": "both", "entries": {"frames": list(change)}, "from": TWIN}]
        ),
    }


def suffix_effects(pair: Pair, change: range, *, passed: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Track the frames after a change again under each of `SUFFIX_EDITS`, to the end of the clip.

    Parameters
    ----------
    pair
        Clip and twin.
    change
        The changed frames.
    passed
        Called after each frame.

    Returns
    -------
    list of dict
        With the columns `SUFFIX_COLUMNS`, a row for each edit and frame after the change. ``iou_with_unedited`` is the
        IoU with the mask without the edit; J is NaN where the object is not there or no truth is known.
    """
    session, truth = pair.clip.session, pair.clip_truth
    frames = range(change.stop, len(pair.match))
    before = dict(session.what_if(frames, pair.object_id))
    rows: list[dict[str, Any]] = []
    for name, edits in suffix_edits(change).items():
        for frame, after in session.what_if(frames, pair.object_id, edits, pair.donors()):
            plain = measures(before[frame], truth(frame))
            rows.append(
                {
                    "object_id": pair.object_id,
                    "edit": name,
                    "frame": frame,
                    **measures(after, truth(frame)),
                    **{f"unedited_{key}": value for key, value in plain.items()},
                    "iou_with_unedited": region_similarity(before[frame].mask, after.mask),
                }
            )
            passed()
    return rows


def count_suffix_passes(lengths: tuple[int, int, int]) -> int:
    """Return how many passes of a frame `suffix_effects` makes."""
    return lengths[2] * (1 + len(SUFFIX_EDITS)) if lengths[1] else 0
