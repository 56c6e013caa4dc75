"""What can be evaluated: protocols, prompts, and one job a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

SEMI_SUPERVISED = "semi-supervised"
OFFLINE = "interactive-offline"
ONLINE = "interactive-online"
IMAGE = "image"

PROMPTS = ("mask", "box", "1-click", "3-click", "5-click")
"""Prompts on the first frame of each object, as in table 4 of the SAM 2 paper."""

IMAGE_PROMPTS = ("1-click", "5-click")
"""Prompts of single images, as in table 5 of the SAM 2 paper."""

INTERACTIVE = {"offline": OFFLINE, "online": ONLINE}
"""Interactive protocols by the names that the command line takes."""


@dataclass(frozen=True, slots=True)
class InteractionOptions:
    """How the simulated user works.

    Attributes
    ----------
    num_frames
        How many frames are annotated at most.
    num_clicks
        Clicks a frame.
    iou_threshold
        Online, frames with a lower IoU are corrected.
    """

    num_frames: int = 8
    num_clicks: int = 3
    iou_threshold: float = 0.75


@dataclass(frozen=True, slots=True)
class Job:
    """One protocol on one sequence: the unit that is computed, stored and not computed again.

    Attributes
    ----------
    model
        Whose masks are scored: SAM 2's checkpoint, or the name of another system.
    protocol
        `SEMI_SUPERVISED`, `OFFLINE` or `ONLINE`.
    prompt
        What is said on a frame.
    sequence
        The sequence's name.
    """

    model: str
    protocol: str
    prompt: str
    sequence: str

    @property
    def title(self) -> str:
        """What a reader calls the protocol, without the sequence."""
        return f"{self.protocol}, {self.prompt}"


@dataclass(frozen=True, slots=True)
class JobRow:
    """The scores of one object with a number of annotated frames.

    Attributes
    ----------
    object_id
        The object.
    annotated_frames
        How many frames had a prompt.
    scores
        The values of `napari_sam2_probe.evaluation.metrics.table.SCORE_COLUMNS`.
    """

    object_id: int
    annotated_frames: int
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job gave.

    Attributes
    ----------
    rows
        In rising order of object and number of annotated frames.
    prompts
        What the simulated user said, one entry an object and frame, in order: ``object_id``, ``frame``, and
        ``points`` with ``labels``, ``box``, or ``mask`` (its area).
    left_out
        Objects that can't be scored: fewer than three masks from their first on.
    reasons
        Why else an object was left out, in a sentence, by its id as text.
    seconds
        What tracking took, without scoring; None where it was not measured.
    """

    rows: tuple[JobRow, ...]
    prompts: tuple[dict[str, Any], ...] = ()
    left_out: tuple[int, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None


def parse_names(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    """Read a list with commas; ``none`` and an empty text are no names.

    Raises
    ------
    InputError
        If a name is not known.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if names == ["none"]:
        return ()
    for name in names:
        if name not in known:
            raise InputError(f"{option} {name} is not known: choose from {', '.join(known)}, or none.")
    return tuple(dict.fromkeys(names))
