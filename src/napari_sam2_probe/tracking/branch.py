"""What would have become of frames under other edits: tracked beside what was tracked, which stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.tracking.engine import ATTENTION_SHARES
from napari_sam2_probe.tracking.objects import TrackedObject
from napari_sam2_probe.tracking.observer import FramePass, PassKind
from napari_sam2_probe.tracking.results import RepeatedFrame
from napari_sam2_probe.tracking.storing import output_of_pass

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam2_probe.tracking.engine import FrameEngine
    from napari_sam2_probe.tracking.memory_view import MemoryView
    from napari_sam2_probe.tracking.outputs import FrameOutput, OutputStore


class Overlay(MutableMapping[int, "FrameOutput"]):
    """Outputs of frames over those of an `OutputStore`, which is only read.

    Parameters
    ----------
    below
        The outputs of frames that are not tracked here.
    """

    def __init__(self, below: OutputStore) -> None:
        self._below = below
        self._own: dict[int, FrameOutput] = {}

    def __getitem__(self, frame_idx: int) -> FrameOutput:
        return self._own[frame_idx] if frame_idx in self._own else self._below[frame_idx]

    def __setitem__(self, frame_idx: int, output: FrameOutput) -> None:
        self._own[frame_idx] = output

    def __delitem__(self, frame_idx: int) -> None:
        del self._own[frame_idx]

    def __contains__(self, frame_idx: object) -> bool:
        return frame_idx in self._own or frame_idx in self._below

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._own.keys() | set(self._below)))

    def __len__(self) -> int:
        return len(self._own.keys() | set(self._below))

    def serial(self, frame_idx: int) -> int:
        """Return the serial number of a frame's output without reading its tensors."""
        return self.without_tensors(frame_idx).serial

    def without_tensors(self, frame_idx: int) -> FrameOutput:
        """Return a frame's output whose tensors may be empty shells."""
        return self._own[frame_idx] if frame_idx in self._own else self._below.without_tensors(frame_idx)


def track_branch(
    engine: FrameEngine, obj: TrackedObject, frames: range, memories_of: Callable[[TrackedObject], MemoryView]
) -> Iterator[tuple[int, RepeatedFrame]]:
    """Track frames of an object beside what is known of it; see `VideoSession.what_if`.

    Parameters
    ----------
    engine
        Runs the frames.
    obj
        The object, which stays as it is.
    frames
        In the order of tracking.
    memories_of
        Gives what an object's next frame reads.
    """
    branch = TrackedObject(obj.obj_id, Overlay(obj.tracked), conditioning=dict(obj.conditioning))  # type: ignore[arg-type]
    for frame_idx in frames:
        if frame_idx in branch.conditioning:
            continue
        shown: dict[str, Tensor] = {}
        memories = memories_of(branch)
        at = FramePass(frame_idx, obj.obj_id, PassKind.TRACKED, -1)
        with engine.running(), engine.model.tapped(shown.__setitem__):
            out = engine.tracked(frame_idx, memories, reverse=frames.step < 0)
            result = repeated_frame(engine, out, shown)
        branch.tracked[frame_idx] = output_of_pass(at, out, memories, reverse=frames.step < 0)
        yield frame_idx, result


def repeated_frame(engine: FrameEngine, out: dict[str, Any], shown: dict[str, Tensor]) -> RepeatedFrame:
    """Return what a pass came to, from what it gave and what was shown of it."""
    mask = engine.at_video_size(out["pred_masks"])[0, 0] > 0
    shares = shown.get(ATTENTION_SHARES)
    return RepeatedFrame(
        mask=mask.cpu().numpy(),
        object_score=float(out["object_score_logits"]),
        predicted_iou=float(out["ious"].max()),
        pointer=shown["object_pointer_raw"][0].float().cpu().numpy(),
        attention=None if shares is None else shares[0].cpu().numpy(),
    )
