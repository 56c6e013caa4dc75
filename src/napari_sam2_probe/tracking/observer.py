"""How `tracking` shows what happens inside SAM 2; who looks is none of its business."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    from napari_sam2_probe.tracking.bank import Bank


class PassKind(IntEnum):
    """What kind of pass gave a frame its values. The numbers are those of ``status/<key>`` in a run.

    Attributes
    ----------
    NOT_RUN
        Nothing ran yet.
    TRACKED
        The frame was tracked from memory.
    POINT_PROMPT
        Points or a box on an initial conditioning frame: memory attention does not run
        (``directly_add_no_mem_embed``).
    CORRECTION
        Points or a box on a frame that had been tracked: memory attention runs, the earlier mask is fed back.
    MASK_PROMPT
        The mask itself is the output; the decoder runs only to make the pointer, memory attention does not run.
    """

    NOT_RUN = 0
    TRACKED = 1
    POINT_PROMPT = 2
    CORRECTION = 3
    MASK_PROMPT = 4


CANDIDATE_MASKS = "candidate_masks"
"""The key under which observers are shown the masks that SAM 2 chose among, unblanked: (B, M, h, w) logits, M > 1."""

PROMPTED_KINDS = frozenset({PassKind.POINT_PROMPT, PassKind.CORRECTION, PassKind.MASK_PROMPT})


@dataclass(frozen=True, slots=True)
class FramePass:
    """One pass of one frame and one object through SAM 2.

    Attributes
    ----------
    frame_idx, obj_id
        The frame, and the object as the user numbers it.
    kind
        What kind of pass it is.
    serial
        The number of the output that the pass makes; two passes of one frame differ in it.
    bank
        What it read; None if it read no memory, and while it runs.
    """

    frame_idx: int
    obj_id: int
    kind: PassKind
    serial: int
    bank: Bank | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Tap:
    """A place inside the model that it doesn't show by itself: what one of its modules puts out.

    Attributes
    ----------
    module
        The module's name in the model, as ``named_modules`` has it (``"sam_mask_decoder"``).
    pick
        Takes the tensor (batch axis first) out of what the module returns; None where there is none.
    """

    module: str
    pick: Callable[[Any], Tensor | None]


def taps_wanted(observer: Observer | BatchObserver) -> Mapping[str, Tap]:
    """Return the taps that an observer asks for by key, in its attribute `taps`; most ask for none."""
    taps: Mapping[str, Tap] = getattr(observer, "taps", {})
    return taps


class Observer(Protocol):
    """Somebody who is shown named tensors as they arise.

    Positions of the table are shown by the model itself; an observer that wants others too names them in an attribute
    `taps`, a mapping from keys to `Tap`.

    All calls come from the thread that runs the session, inside ``torch.inference_mode``. Tensors are not edited
    afterwards, so they may be kept, but keeping them keeps their memory.
    """

    def observe(self, at: FramePass, key: str, tensor: Tensor) -> None:
        """Take the tensor (batch axis 1) that arose at the position `key`; a later one of the same pass wins."""
        ...

    def pass_copied(self, source: FramePass, target: FramePass) -> None:
        """Learn that `target` starts with all that was shown of `source` (another candidate mask was chosen)."""
        ...

    def frame_committed(self, at: FramePass, object_score: float, *, reverse: bool) -> None:
        """Learn that the running direction has reached the frame; what the pass showed is now its value.

        A conditioning frame's tensors arose earlier, when its prompt was added.
        """
        ...

    def required_references(self, obj_id: int, start: int) -> Iterable[int]:
        """Name, in time order, the frames before `start` that must be shown again before a forward pass from it."""
        ...

    def reference_replayed(self, at: FramePass) -> None:
        """Learn that a wanted frame has been shown again."""
        ...

    def removed(self, obj_id: int) -> None:
        """Forget an object."""
        ...


class BatchObserver(Protocol):
    """Somebody who is shown the tensors of a whole batch of clips, one object each, frame by frame in time order.

    It may have `taps`, as an `Observer` may.

    As for an `Observer`, calls come from the thread that tracks, inside ``torch.inference_mode``, and tensors are not
    edited afterwards. To read a number out of one makes the device wait: better let it gather there.
    """

    def observe(self, frame_idx: int, key: str, tensor: Tensor) -> None:
        """Take the tensor (batch axis B) that arose at the position `key`; a later one of the same frame wins."""
        ...

    def frame_committed(self, frame_idx: int) -> None:
        """Learn that the frame is done: all has been shown of it."""
        ...
