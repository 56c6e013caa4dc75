"""What to track and how to observe it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.tracking.policies import STOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.tracking.attention import AttentionDetail
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import Direction
    from napari_sam2_probe.video.source import FrameSource

RunDirection = Literal["forward", "backward", "both"]


@dataclass(frozen=True)
class RunOptions:
    """What to track and how to observe it.

    Attributes
    ----------
    direction
        In time; "both" goes forward from the earliest prompt, then backward from it.
    start, end
        The first and last frame, by default all there are in the direction.
    features
        How features over time are computed.
    unblanked
        Whether position 5u is recorded too.
    policy
        Which memories and pointers a frame reads: the name of a memory policy, with settings (``stride:r=5``).
    intervene
        What is changed of what SAM 2 reads, stores and computes: a list of edits as JSON has it. Edits of
        the model's own `intervene` come before these, and are recorded with them.
    attention
        Whether it is recorded where memory attention looks, and from how many queries: ``none``, ``sampled`` (256 at
        most) or ``exact`` (all).
    """

    direction: RunDirection = "forward"
    start: int | None = None
    end: int | None = None
    features: FeatureOptions = field(default_factory=FeatureOptions)
    unblanked: bool = False
    policy: str = STOCK
    intervene: tuple[dict[str, Any], ...] = ()
    attention: AttentionDetail = "sampled"


def plan_passes(prompts: Sequence[Prompt], source: FrameSource, options: RunOptions) -> list[tuple[Direction, range]]:
    """Return the directions of tracking with their frames, in the order in which they are tracked.

    Raises
    ------
    InputError
        If the first or last frame doesn't fit the video, the direction, or each other.
    """
    final = source.num_frames - 1
    for name, frame in (("first", options.start), ("last", options.end)):
        if frame is not None and not 0 <= frame <= final:
            raise InputError(
                f"The {name} frame {frame} is not in {source.name}, whose frames are 0 to {final}: choose one of these."
            )
    earliest, latest = min(p.frame_idx for p in prompts), max(p.frame_idx for p in prompts)
    if options.direction == "both":
        if (options.start, options.end) != (None, None):
            raise InputError("A first or last frame can't be given for both directions: choose forward or backward.")
        backward: list[tuple[Direction, range]] = [("backward", range(earliest, -1, -1))] if earliest > 0 else []
        return [("forward", range(earliest, final + 1)), *backward]
    start, end, step = (earliest, final, 1) if options.direction == "forward" else (latest, 0, -1)
    start = start if options.start is None else options.start
    end = end if options.end is None else options.end
    frames = range(start, end + step, step)
    if not frames:
        raise InputError(
            f"No frame lies between the first, {start}, and the last, {end}, going {options.direction}: choose others."
        )
    return [(options.direction, frames)]
