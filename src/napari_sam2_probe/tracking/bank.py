"""What a frame reads of memory: the bank, as a list of entries in the order in which attention sees them.

No tensors here: an entry says whose memory or pointer is read and at which temporal position.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EntryKind = Literal["memory", "pointer"]
EntryRole = Literal["conditioning", "recent"]


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One memory or one pointer that a frame reads.

    Attributes
    ----------
    kind
        A memory is a map of ``maskmem_features``, a pointer an ``obj_ptr``.
    frame
        The frame it was stored on.
    role
        ``conditioning`` as the output of a prompted frame, ``recent`` as one of the last few others.
    temporal_position
        What its temporal encoding is made of, counted as ``sam2`` does. For memories ``t_pos``: 0 for conditioning
        ones, else from 1, the farthest slot, to ``num_maskmem - 1``, the frame before. For pointers the frames
        between it and the reading frame.
    age
        Frames between it and the reading frame, never negative.
    """

    kind: EntryKind
    frame: int
    role: EntryRole
    temporal_position: int
    age: int


@dataclass(frozen=True, slots=True)
class Bank:
    """What one frame reads.

    Attributes
    ----------
    frame_idx
        The reading frame.
    entries
        In the order in which attention sees them: memories, then pointers; of each the conditioning ones first.
    """

    frame_idx: int
    entries: tuple[BankEntry, ...]

    @property
    def memories(self) -> tuple[BankEntry, ...]:
        """The memories."""
        return tuple(entry for entry in self.entries if entry.kind == "memory")

    @property
    def pointers(self) -> tuple[BankEntry, ...]:
        """The pointers."""
        return tuple(entry for entry in self.entries if entry.kind == "pointer")

    @property
    def frames(self) -> frozenset[int]:
        """The frames that anything is read of."""
        return frozenset(entry.frame for entry in self.entries)


@dataclass(frozen=True, slots=True)
class BankRule:
    """How far a model looks back, under the names of ``SAM2Base``.

    Attributes
    ----------
    num_maskmem
        Memories at most, one conditioning one counted.
    memory_temporal_stride_for_eval
        Every how many frames a recent memory is taken, the frame before apart.
    max_cond_frames_in_attn
        Conditioning frames at most; -1 for all.
    use_obj_ptrs_in_encoder
        Whether pointers are read.
    max_obj_ptrs_in_encoder
        How many frames back pointers are read, the reading frame counted.
    only_obj_ptrs_in_the_past_for_eval
        Whether pointers of conditioning frames ahead, in the direction of tracking, are left out.
    use_signed_tpos_enc_to_obj_ptrs
        Whether the distance of a conditioning frame ahead is negative.
    """

    num_maskmem: int
    memory_temporal_stride_for_eval: int = 1
    max_cond_frames_in_attn: int = -1
    use_obj_ptrs_in_encoder: bool = True
    max_obj_ptrs_in_encoder: int = 16
    only_obj_ptrs_in_the_past_for_eval: bool = False
    use_signed_tpos_enc_to_obj_ptrs: bool = False

    @classmethod
    def of(cls, model: Any) -> BankRule:
        """Return the rule of a ``SAM2Base``."""
        return cls(*(getattr(model, item.name) for item in fields(cls)))


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads: a frame of a video, in a direction of tracking.

    Attributes
    ----------
    frame_idx
        The frame.
    num_frames
        Frames of the video; pointers' encodings depend on it in videos of fewer than 16.
    reverse
        Whether tracking goes backward in time.
    """

    frame_idx: int
    num_frames: int
    reverse: bool

    def back(self, distance: int) -> int:
        """Return the frame that tracking passed `distance` frames ago."""
        return self.frame_idx + distance if self.reverse else self.frame_idx - distance


def stock_bank(
    rule: BankRule, reading: Reading, conditioning: Iterable[int], is_tracked: Callable[[int], bool]
) -> Bank:
    """Return what the stock predictor reads (``SAM2Base._prepare_memory_conditioned_features``).

    Parameters
    ----------
    rule
        How far the model looks back.
    reading
        Who reads.
    conditioning
        Conditioning frames, in the order in which they were added (attention joins them in it).
    is_tracked
        Whether a frame has an output that is not a conditioning one.
    """
    conditioning = tuple(conditioning)
    selected = closest_conditioning(conditioning, reading.frame_idx, rule.max_cond_frames_in_attn)
    left_over = set(conditioning) - set(selected)

    def is_there(frame: int) -> bool:
        # A conditioning frame beyond the limit is read like any other when it is near.
        return is_tracked(frame) or frame in left_over

    recent = {
        position: frame
        for position, frame in memory_slots(rule, reading).items()
        if 0 <= frame < reading.num_frames and is_there(frame)
    }
    pointers: list[int] = []
    if rule.use_obj_ptrs_in_encoder:
        reach = min(reading.num_frames, rule.max_obj_ptrs_in_encoder)
        window = (reading.back(distance) for distance in range(1, reach))
        pointers = [frame for frame in window if 0 <= frame < reading.num_frames and is_there(frame)]
    return make_bank(rule, reading, selected, recent, pointers)


def make_bank(
    rule: BankRule,
    reading: Reading,
    conditioning: Iterable[int],
    memories: Mapping[int, int],
    pointers: Iterable[int],
) -> Bank:
    """Put entries in the order in which SAM 2 joins them, with their temporal positions.

    Parameters
    ----------
    rule, reading
        As in `stock_bank`.
    conditioning
        Conditioning frames, whose memories and pointers are read.
    memories
        Recent memories: temporal position, from 1 to ``num_maskmem - 1``, to frame.
    pointers
        Frames of recent pointers.
    """
    here = reading.frame_idx
    conditioning = tuple(conditioning)

    def memory(frame: int, role: EntryRole, position: int) -> BankEntry:
        return BankEntry("memory", frame, role, position, abs(here - frame))

    def pointer(frame: int, role: EntryRole) -> BankEntry:
        ahead = (frame < here) if reading.reverse else (frame > here)
        signed = -1 if ahead and rule.use_signed_tpos_enc_to_obj_ptrs and role == "conditioning" else 1
        return BankEntry("pointer", frame, role, signed * abs(here - frame), abs(here - frame))

    entries = [memory(frame, "conditioning", 0) for frame in conditioning]
    entries += [memory(memories[position], "recent", position) for position in sorted(memories)]
    if rule.use_obj_ptrs_in_encoder:
        passed = conditioning
        if rule.only_obj_ptrs_in_the_past_for_eval:
            passed = tuple(t for t in conditioning if (t >= here if reading.reverse else t <= here))
        entries += [pointer(frame, "conditioning") for frame in passed]
        entries += [pointer(frame, "recent") for frame in pointers]
    return Bank(here, tuple(entries))


def memory_slots(rule: BankRule, reading: Reading) -> dict[int, int]:
    """Return the frame that each slot for a recent memory looks at: temporal position -> frame, in or out of the video.

    The last slot is the frame before; with a stride the others are multiples of it.
    """
    stride = rule.memory_temporal_stride_for_eval
    slots: dict[int, int] = {}
    for position in range(1, rule.num_maskmem):
        before_last = rule.num_maskmem - position - 2
        if before_last < 0:
            slots[position] = reading.back(1)
        elif reading.reverse:
            slots[position] = (-(-reading.back(2) // stride) + before_last) * stride
        else:
            slots[position] = (reading.back(2) // stride - before_last) * stride
    return slots


def closest_conditioning(conditioning: tuple[int, ...], frame_idx: int, most: int) -> tuple[int, ...]:
    """Return the conditioning frames that are read, as ``select_closest_cond_frames`` chooses and orders them."""
    if most == -1 or len(conditioning) <= most:
        return conditioning
    from sam2.modeling.sam2_utils import select_closest_cond_frames

    selected, _ = select_closest_cond_frames(frame_idx, {frame: frame for frame in conditioning}, most)
    return tuple(selected)
