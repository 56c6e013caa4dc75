"""What interactive annotation costs: how many frames a quality takes, and how long they take a person.

After the SAM 2 paper (Ravi et al. 2024, section 6.1 and appendix F): finding a frame takes a second, a click one and a
half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_TO_LOCATE = 1.0
"""What it takes a person to find the object on a frame."""

SECONDS_A_CLICK = 1.5
"""What a click takes."""

TARGET = 0.75
"""The J&F that is asked for."""


def frames_needed(scores: Mapping[int, float], target: float = TARGET) -> int | None:
    """Return the fewest annotated frames with which a quality is reached, n*; None if it never is.

    Parameters
    ----------
    scores
        J&F by number of annotated frames.
    target
        What is to be reached.
    """
    return min((number for number, score in scores.items() if score >= target), default=None)


def annotation_seconds(num_frames: int, num_clicks: int) -> float:
    """Return how long a person takes to annotate so many frames with so many clicks each."""
    return num_frames * (SECONDS_TO_LOCATE + num_clicks * SECONDS_A_CLICK)
