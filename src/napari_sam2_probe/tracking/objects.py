"""What a session knows of one object, and how a change to it is taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.tracking.observer import FramePass, PassKind

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from napari_sam2_probe.tracking.engine import Candidates
    from napari_sam2_probe.tracking.outputs import FrameOutput, OutputStore
    from napari_sam2_probe.tracking.prompts import Prompt


@dataclass(frozen=True, slots=True)
class FrameState:
    """All that an object holds on one frame; putting it back undoes whatever was done since.

    `conditioning_order` is about all frames: memory attention joins conditioning frames in the order in which they
    were added, which the last bits of its result depend on.
    """

    prompt: Prompt | None
    candidates: Candidates | None
    pending_conditioning: FrameOutput | None
    pending_correction: FrameOutput | None
    conditioning: FrameOutput | None
    tracked: FrameOutput | None
    visited_reverse: bool | None
    chosen: int | None
    conditioning_order: tuple[int, ...]


@dataclass
class TrackedObject:
    """One object of a session.

    Attributes
    ----------
    obj_id
        As the user numbers it.
    tracked
        Outputs of frames tracked from memory.
    prompts
        The user's words by frame.
    candidates
        The masks considered on prompted frames where the prompt was ambiguous.
    conditioning
        Outputs of conditioning frames, in the order in which they were added.
    pending_conditioning, pending_correction
        Outputs of prompted frames whose memory isn't encoded yet: it is when tracking starts. Corrections are
        those that don't become conditioning frames (``add_all_frames_to_correct_as_cond=False``).
    visited
        Frames that a propagation has passed, and whether it went backward.
    chosen
        Which candidate was chosen, on prompted frames where one was.
    """

    obj_id: int
    tracked: OutputStore
    prompts: dict[int, Prompt] = field(default_factory=dict)
    candidates: dict[int, Candidates] = field(default_factory=dict)
    conditioning: dict[int, FrameOutput] = field(default_factory=dict)
    pending_conditioning: dict[int, FrameOutput] = field(default_factory=dict)
    pending_correction: dict[int, FrameOutput] = field(default_factory=dict)
    visited: dict[int, bool] = field(default_factory=dict)
    chosen: dict[int, int] = field(default_factory=dict)

    def output(self, frame_idx: int) -> FrameOutput | None:
        """Return the newest output of a frame, pending ones first."""
        for outputs in (self.pending_conditioning, self.pending_correction, self.conditioning, self.tracked):
            if frame_idx in outputs:
                return outputs[frame_idx]
        return None

    def previous_output(self, frame_idx: int, *, conditioning: bool) -> FrameOutput | None:
        """Return the output whose logits are fed back with new clicks, looked up as the stock predictor does."""
        pending = self.pending_conditioning if conditioning else self.pending_correction
        for outputs in (pending, self.conditioning, self.tracked):
            if frame_idx in outputs:
                return outputs[frame_idx]
        return None

    def settled_output(self, frame_idx: int) -> FrameOutput | None:
        """Return the output that tracking goes on from, without pending ones."""
        return self.conditioning.get(frame_idx) or self.tracked.get(frame_idx)

    def settled_serial(self, frame_idx: int) -> int | None:
        """Return the serial number of that output without reading its tensors; None if there is none."""
        if frame_idx in self.conditioning:
            return self.conditioning[frame_idx].serial
        return self.tracked.serial(frame_idx) if frame_idx in self.tracked else None

    def pass_of(self, frame_idx: int, output: FrameOutput) -> FramePass:
        """Return the pass that made one of this object's outputs."""
        bank = None if output.provenance is None else output.provenance.bank
        return FramePass(frame_idx, self.obj_id, output.kind, output.serial, bank)

    def kind(self, frame_idx: int) -> PassKind:
        """Return the kind of pass behind a frame's newest output."""
        output = self.output(frame_idx)
        return PassKind.NOT_RUN if output is None else output.kind

    def state(self, frame_idx: int) -> FrameState:
        """Return all that is held on a frame."""
        return FrameState(
            self.prompts.get(frame_idx),
            self.candidates.get(frame_idx),
            self.pending_conditioning.get(frame_idx),
            self.pending_correction.get(frame_idx),
            self.conditioning.get(frame_idx),
            self.tracked.get(frame_idx),
            self.visited.get(frame_idx),
            self.chosen.get(frame_idx),
            (*self.conditioning, *(t for t in self.pending_conditioning if t not in self.conditioning)),
        )

    def restore(self, frame_idx: int, state: FrameState) -> None:
        """Put a frame back into an earlier state."""
        _put(self.prompts, frame_idx, state.prompt)
        _put(self.candidates, frame_idx, state.candidates)
        _put(self.pending_conditioning, frame_idx, state.pending_conditioning)
        _put(self.pending_correction, frame_idx, state.pending_correction)
        _put(self.conditioning, frame_idx, state.conditioning)
        _put(self.tracked, frame_idx, state.tracked)
        _put(self.visited, frame_idx, state.visited_reverse)
        _put(self.chosen, frame_idx, state.chosen)
        for outputs in (self.conditioning, self.pending_conditioning):
            _reorder(outputs, state.conditioning_order)


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of the user's, as the states before and after it.

    Attributes
    ----------
    obj_id, frame_idx
        What was changed.
    before, after
        The states; None where the object was not there.
    """

    obj_id: int
    frame_idx: int
    before: FrameState | None
    after: FrameState


def _put(mapping: MutableMapping[int, Any], frame_idx: int, value: Any) -> None:
    if value is not None:
        mapping[frame_idx] = value
    elif frame_idx in mapping:
        del mapping[frame_idx]


def _reorder(outputs: dict[int, FrameOutput], order: tuple[int, ...]) -> None:
    rank = {t: k for k, t in enumerate(order)}
    for frame_idx in sorted(outputs, key=lambda t: rank.get(t, len(rank))):
        outputs[frame_idx] = outputs.pop(frame_idx)
