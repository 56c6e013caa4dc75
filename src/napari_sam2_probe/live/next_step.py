"""What to do next, as one sentence: from what is open, prompted and tracked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from napari_sam2_probe.common.stretches import stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED = 3


class Doing(Enum):
    """What goes on."""

    NOTHING = "idle"
    PROMPTING = "prompting"
    TRACKING = "tracking"
    PAUSED = "paused"


@dataclass(frozen=True)
class Situation:
    """Where the work with one video stands.

    Attributes
    ----------
    has_video
        Whether there is an active video.
    num_frames
        Its length.
    has_model
        Whether the chosen model is on this machine.
    num_prompts
        Prompted frames, those of each object for themselves.
    num_tracked
        Frames that have a mask.
    doubtful
        Frames that are worth a look, in order.
    doing
        What goes on.
    done, total
        Frames of the tracking that goes on; `total` is 0 as long as it is not known.
    """

    has_video: bool = False
    num_frames: int = 0
    has_model: bool = True
    num_prompts: int = 0
    num_tracked: int = 0
    doubtful: tuple[int, ...] = ()
    doing: Doing = Doing.NOTHING
    done: int = 0
    total: int = 0


def next_step(now: Situation) -> str:
    """Return what to do next, or what is being done."""
    if not now.has_video:
        return "Open a video: drop it on the window."
    if now.doing is not Doing.NOTHING:
        return _while_working(now)
    if not now.has_model:
        return "Download the chosen model, or choose another one."
    if not now.num_prompts:
        return "Click the object. A right click excludes what is under the mouse."
    if now.num_tracked <= 1:
        return "Track forward, or correct the mask with more clicks."
    if now.doubtful:
        return f"Review: {_doubtful(now.doubtful)}. Click here to see the next."
    if now.num_tracked < now.num_frames:
        return f"{now.num_tracked} of {now.num_frames} frames have a mask: track the others, or look at the maps."
    return "All frames have a mask: look at maps and plots, or export."


def _while_working(now: Situation) -> str:
    if now.doing is Doing.PROMPTING:
        return "Computing the mask…"
    if now.doing is Doing.PAUSED:
        return f"Paused at {now.done} of {now.total} frames: add prompts, or resume."
    return f"Tracking {now.done} of {now.total}" if now.total else "Tracking…"


def _doubtful(frames: Sequence[int]) -> str:
    """Return ``1 doubtful frame (3)``, or ``5 doubtful frames (3-6, 9)``."""
    found = stretches(frames)
    listed = [str(first) if first == last else f"{first}-{last}" for first, last in found[:_LISTED]]
    more = ["…"] if len(found) > _LISTED else []
    noun = "frame" if len(frames) == 1 else "frames"
    return f"{len(frames)} doubtful {noun} ({', '.join(listed + more)})"
