"""Which frames a propagation runs through: from the first prompt, or from what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam2_probe.tracking.results import Direction

RunDirection = Literal["forward", "backward", "both"]


class Plan:
    """Knows which frames each direction has to run through.

    Forward runs from the earliest prompt to the end of the video, backward from the latest to its beginning; both
    go backward from the earliest, because forward sees to what lies between prompts. After a correction tracking
    begins there, and after a stop where it stopped: there alone, if both directions were stopped on the way back.

    Parameters
    ----------
    num_frames
        Frames of the video.
    """

    def __init__(self, num_frames: int) -> None:
        self._num_frames = num_frames
        self._ran: set[Direction] = set()
        self._old: dict[Direction, int] = {}

    def touch(self, frame_idx: int) -> None:
        """Learn that something else is said on a frame now, so that what follows it is out of date."""
        if self._ran:
            self._outdate("forward", frame_idx)
            self._outdate("backward", frame_idx)

    def stopped(self, direction: Direction, frames: range) -> None:
        """Learn that tracking stopped before `frames`."""
        if frames:
            self._outdate(direction, frames[0])

    def passes(self, direction: RunDirection, prompted: Iterable[int]) -> list[tuple[Direction, range]]:
        """Return what to run, in order, and take it for done.

        Parameters
        ----------
        direction
            What the user asked for.
        prompted
            Frames with a prompt, at least one.
        """
        frames = sorted(prompted)
        planned: list[tuple[Direction, range]] = []
        corrected = self._old.get("backward") if self._ran else None
        # Stopped on the way back: to go forward again would change what the rest of it reads.
        only_back = direction == "both" and "forward" in self._ran and self._old.keys() == {"backward"}
        if direction != "backward" and not only_back:
            start = max(self._begin("forward", frames[0]), frames[0])
            planned.append(("forward", range(start, self._num_frames)))
        if direction == "backward":
            planned.append(("backward", range(min(self._begin("backward", frames[-1]), frames[-1]), -1, -1)))
        elif direction == "both":
            start = min(frames[0] if corrected is None else corrected, frames[-1])
            self._begin("backward", start)
            if start > 0:
                planned.append(("backward", range(start, -1, -1)))
        return planned

    def start(self, direction: Direction, prompted: Iterable[int]) -> int:
        """Return where a pass begins: at the first frame that is out of date, or at a prompt if none is."""
        frames = sorted(prompted)
        default = frames[0] if direction == "forward" else frames[-1]
        old = self._old.get(direction, default) if direction in self._ran else default
        return max(old, frames[0]) if direction == "forward" else min(old, frames[-1])

    def run_only(self, direction: Direction, frames: range) -> None:
        """Take just these frames for done; tracking again goes on after them."""
        step = 1 if direction == "forward" else -1
        old = self._old.get(direction)
        # What is out of date before them stays so.
        if old is not None and (old - frames[0]) * step >= 0:
            del self._old[direction]
        self._ran.add(direction)
        after = frames[-1] + step
        if 0 <= after < self._num_frames:
            self._outdate(direction, after)

    def _outdate(self, direction: Direction, frame_idx: int) -> None:
        earliest = min if direction == "forward" else max
        self._old[direction] = earliest(self._old.get(direction, frame_idx), frame_idx)

    def _begin(self, direction: Direction, default: int) -> int:
        """Return the first frame that is out of date, in this direction; all are if it never ran."""
        old = self._old.pop(direction, default)
        first_time = direction not in self._ran
        self._ran.add(direction)
        return default if first_time else old
