"""What a live run tells the window: plain values, no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.live.prompt_state import Key, PromptState
    from napari_sam2_probe.live.true_scores import TrueScores
    from napari_sam2_probe.tracking.results import Direction


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded.

    Attributes
    ----------
    masks
        (T, H, W) uint16 object ids, a `MaskStack` that grows; for a labels layer.
    note
        What the user should know of model or video; empty if nothing.
    """

    masks: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run has a folder on disk now."""

    path: Path


@dataclass(frozen=True, slots=True)
class FrameShown:
    """A frame has other masks now, from a prompt or from tracking.

    Attributes
    ----------
    frame_idx
        The frame.
    obj_ids
        The O objects.
    object_scores, predicted_iou
        (O,) float32; NaN where nothing is known.
    truth
        How good the masks are.
    direction
        In which the frame was tracked; None where it was not tracked now: it was prompted, or comes from an earlier
        run.
    prompted
        The object whose prompt on this frame has changed, if one has.
    cleared
        Whether nothing is said of that object on this frame any more.
    """

    frame_idx: int
    obj_ids: tuple[int, ...]
    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    truth: TrueScores
    direction: Direction | None = None
    prompted: int | None = None
    cleared: bool = False

    @property
    def tracked(self) -> bool:
        """Whether the frame was tracked now, and not only prompted."""
        return self.direction is not None


@dataclass(frozen=True, slots=True)
class CandidatesShown:
    """SAM 2 considered several masks, or none but the one it gave.

    Attributes
    ----------
    key
        Frame and object.
    predicted_iou
        By candidate; empty where the prompt was not ambiguous.
    """

    key: Key
    predicted_iou: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """What the user asked for can't be done; everything else still holds.

    Attributes
    ----------
    reason
        Why, in a sentence.
    key
        Frame and object of the prompt that was refused; None if it was something else.
    applied
        The prompt that holds there instead.
    """

    reason: str
    key: Key | None = None
    applied: PromptState | None = None


@dataclass(frozen=True, slots=True)
class FramesSaved:
    """These frames are on disk now."""

    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ObjectForgotten:
    """An object is gone, and its masks with it."""

    obj_id: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Tracking waits to be resumed."""


@dataclass(frozen=True, slots=True)
class PassesDone:
    """All that was asked for is tracked."""
