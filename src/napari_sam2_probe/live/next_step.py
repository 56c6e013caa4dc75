"""What to do next, as one sentence: from what is open, prompted and tracked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from napari_sam2_probe.common.progress import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED = 3


class Doing(Enum):
    """What goes on."""

    NOTHING = "nothing"
    PROMPTING = "prompting"
    TRACKING = "tracking"
    PAUSED = "paused"


@dataclass(frozen=True)
class Situation:
    """Where the work with one video stands.

    Attributes
    ----------
    opening
        What is being opened; empty for nothing.
    video
        The active video; empty for none.
    num_frames
        Its length.
    run
        The run that is displayed; empty for none.
    has_model
        Whether the chosen model is on this machine.
    can_click
        Whether a click on the video is a prompt now.
    num_prompts
        Prompted frames, those of each object for themselves.
    num_tracked
        Frames that have a mask.
    doubtful
        Frames that are worth a look, in order.
    doing
        What goes on.
    what
        The part of it that takes time now, such as ``loading the model``; empty for none.
    done, total
        Frames of the tracking that goes on.
    seconds_left
        Of it; None where it can't be told.
    waits_for
        The job before it; empty for none.
    """

    opening: str = ""
    video: str = ""
    num_frames: int = 0
    run: str = ""
    has_model: bool = True
    can_click: bool = False
    num_prompts: int = 0
    num_tracked: int = 0
    doubtful: tuple[int, ...] = ()
    doing: Doing = Doing.NOTHING
    what: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    waits_for: str = ""


@dataclass(frozen=True)
class NextStep:
    """What a person reads.

    Attributes
    ----------
    text
        One sentence.
    busy
        Whether the machine works, and the person waits.
    tab
        The tab where it is done, by its name; empty for the one in front.
    frame_idx
        The frame where it is done; None for any.
    """

    text: str
    busy: bool = False
    tab: str = ""
    frame_idx: int | None = None


def next_step(now: Situation) -> NextStep:
    """Return what to do next."""
    if now.opening:
        return NextStep(f"Opening {now.opening}…", busy=True)
    if not now.video:
        if now.run:
            return NextStep(f"Look at {now.run}, or open a video to track an object.", tab="look")
        return NextStep("Open a video: drop it on the window, or choose one here.", tab="video")
    if now.waits_for:
        return NextStep(f"Waiting for another job to finish: {now.waits_for}.", busy=True)
    if now.doing is not Doing.NOTHING:
        return _while_working(now)
    if not now.has_model:
        return NextStep("Download the chosen model, or choose another one.", tab="track")
    if not now.num_prompts:
        if now.can_click:
            return NextStep("Click the object in the video. A right click excludes what is under the mouse.")
        return NextStep("Go to Track, then click the object in the video.", tab="track")
    if now.num_tracked <= 1:
        return NextStep("Track forward, or correct the mask with more clicks.", tab="track")
    if now.doubtful:
        listed = _frames(now.doubtful)
        return NextStep(f"Review {listed}: add prompts there and track again.", frame_idx=now.doubtful[0])
    return NextStep(
        f"{now.num_tracked} of {now.num_frames} frames are tracked: look at maps and plots, or export.", tab="look"
    )


def _while_working(now: Situation) -> NextStep:
    if now.doing is Doing.PAUSED:
        return NextStep(f"Paused at {now.done} of {now.total} frames: add prompts, or resume.", tab="track")
    if now.what and not now.total:
        return NextStep(f"{now.what[0].upper()}{now.what[1:]}…", busy=True)
    if now.doing is Doing.PROMPTING:
        return NextStep("Computing the mask…", busy=True)
    if not now.total:
        return NextStep("Tracking…", busy=True)
    left = "" if now.seconds_left is None else f" · about {duration_text(now.seconds_left)} left"
    return NextStep(f"Tracking {now.done} of {now.total} frames{left}", busy=True)


def _frames(frames: Sequence[int]) -> str:
    """Return ``frame 3``, or ``5 doubtful frames (3, 4, 9, …)``."""
    if len(frames) == 1:
        return f"the doubtful frame {frames[0]}"
    listed = ", ".join(map(str, frames[:_LISTED])) + (", …" if len(frames) > _LISTED else "")
    return f"{len(frames)} doubtful frames ({listed})"
