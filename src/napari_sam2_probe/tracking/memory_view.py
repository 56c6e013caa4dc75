"""What a frame is given to read: the outputs of one object, chosen and put in order as its bank says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from napari_sam2_probe.tracking.bank import Bank, BankEntry, BankRule, Reading, stock_bank
from napari_sam2_probe.tracking.memory_tokens import num_tokens, width
from napari_sam2_probe.tracking.policies import StoredBank, checked_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.intervening import Intervention, PositionEdits
    from napari_sam2_probe.tracking.objects import TrackedObject
    from napari_sam2_probe.tracking.policies import MemoryPolicy
    from napari_sam2_probe.tracking.seen_masks import SeenMasks

    Attempt = Callable[[Reading, "MemoryView"], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry of a bank with what is read of it.

    Attributes
    ----------
    entry
        Which one it is.
    tensor
        A memory (B, C_mem, h, w) or a pointer (B, C).
    pos_enc
        A memory's spatial encoding (B, C_mem, h, w); None for pointers.
    """

    entry: BankEntry
    tensor: Tensor
    pos_enc: Tensor | None = None


@runtime_checkable
class MemorySource(Protocol):
    """Whoever stands in the place of ``output_dict`` in ``SAM2Base.track_step`` and says what a frame reads."""

    def read(self, rule: BankRule, reading: Reading) -> list[ReadEntry]:
        """Return what a frame reads, in the order in which attention sees it; nothing if there is no memory."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryProvenance:
    """What a pass read, so that it can be repeated with just that.

    Attributes
    ----------
    bank
        What it read.
    chosen
        What it would have read but for edits of the bank.
    serials
        Of each frame that was read, the serial number of its output at that time.
    intervention
        What edited the pass, if anything did.
    """

    bank: Bank
    chosen: Bank
    serials: dict[int, int]
    intervention: Intervention | None = None


class MemoryView:
    """The outputs of one object, as a frame reads them. It notes what was read; one view serves one pass.

    Parameters
    ----------
    obj
        The object.
    pos_enc
        The spatial encodings of a memory, as the memory encoder gave them.
    policy
        Chooses what is read; None for SAM 2's own choice.
    intervention
        What is changed of the pass.
    repeat
        Read what this bank says, whoever would choose.
    attempt
        Gives the mask that the frame would get from another view, for policies that try before they choose.

    Attributes
    ----------
    obj_id, intervention
        As given.
    keeps_masks
        Whether the policy wants to look at candidate masks later.
    tokens_read
        How many tokens of attention each entry of the bank became, in order.
    """

    def __init__(
        self,
        obj: TrackedObject,
        pos_enc: list[Tensor],
        *,
        policy: MemoryPolicy | None = None,
        intervention: Intervention | None = None,
        repeat: Bank | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        self.obj_id = obj.obj_id
        self.intervention = intervention
        self.tokens_read: list[int] = []
        self._obj = obj
        self._pos_enc = pos_enc
        self._policy = policy
        self._repeat = repeat
        self._attempt = attempt
        self.keeps_masks = bool(getattr(policy, "looks_at_masks", False))
        self._serials: dict[int, int] = {}
        self._provenance: MemoryProvenance | None = None

    @property
    def provenance(self) -> MemoryProvenance | None:
        """What was read; None if nothing was, as on initial prompts."""
        return self._provenance

    def read(self, rule: BankRule, reading: Reading) -> list[ReadEntry]:
        """Return what a frame reads; see `MemorySource.read`."""
        chosen = self._repeat or self._choose(rule, reading)
        read = [item for entry in chosen.entries if (item := self._entry(entry)) is not None]
        if self.intervention is not None:
            read = self.intervention.read(read, reading.frame_idx, self.obj_id, self.stored)
        bank = Bank(reading.frame_idx, tuple(item.entry for item in read))
        self.tokens_read = [_num_tokens(item, width(self._pos_enc[-1])) for item in read]
        self._provenance = MemoryProvenance(bank, chosen, self._serials, self.intervention)
        return read

    def stored(self, kind: EntryKind, frame_idx: int) -> Tensor | None:
        """Return the memory or pointer that is stored of a frame, as it is read; None if there is none."""
        output = self._obj.settled_output(frame_idx)
        if output is None:
            return None
        self._serials[frame_idx] = output.serial
        if kind in output.not_stored:
            return None
        if kind == "pointer":
            return output.obj_ptr
        assert output.maskmem_features is not None
        # Memories are stored as bfloat16 and joined with pointers, which lifts them to the pointers' type. Where
        # there is no pointer (frames before an object's first prompt) nothing would lift them, and SAM 2 in
        # float32 fails; lifting them here changes no number.
        return output.maskmem_features.to(output.obj_ptr.dtype)

    def position_edits(self, frame_idx: int) -> PositionEdits | None:
        """Return the edits of positions on a frame."""
        return None if self.intervention is None else self.intervention.at(frame_idx, self.obj_id)

    def _choose(self, rule: BankRule, reading: Reading) -> Bank:
        conditioning, tracked = self._obj.conditioning, self._obj.tracked
        if self._policy is None:
            return stock_bank(rule, reading, conditioning, tracked.__contains__)
        attempt = None
        if self._attempt is not None:
            attempt = partial(self._attempted, self._attempt, reading)
        bank = StoredBank(
            rule,
            reading,
            tuple(conditioning),
            tuple(tracked),
            self._scores,
            self._masks,
            attempt,
            self._obj.obj_id,
        )
        return checked_choice(self._policy, bank)

    def _attempted(self, attempt: Attempt, reading: Reading, bank: Bank) -> NDArray[np.bool_]:
        other = MemoryView(self._obj, self._pos_enc, intervention=self.intervention, repeat=bank)
        return attempt(reading, other)

    def _masks(self, frame_idx: int) -> SeenMasks | None:
        if frame_idx in self._obj.conditioning:
            return self._obj.conditioning[frame_idx].seen
        return self._obj.tracked.without_tensors(frame_idx).seen

    def _scores(self, frame_idx: int) -> tuple[float, float]:
        found = self._obj.settled_output(frame_idx)
        assert found is not None
        return float(found.object_score_logits), found.predicted_iou

    def _entry(self, entry: BankEntry) -> ReadEntry | None:
        tensor = self.stored(entry.kind, entry.frame)
        if tensor is None:
            return None
        return ReadEntry(entry, tensor, self._pos_enc[-1] if entry.kind == "memory" else None)


def _num_tokens(item: ReadEntry, memory_channels: int) -> int:
    if item.entry.kind == "memory":
        return num_tokens(item.tensor)
    # A pointer is cut into pieces where memories are narrower.
    return max(1, item.tensor.shape[-1] // memory_channels)


class StoredOutputs:
    """The two mappings that the stock predictor gives to ``track_step``, read as it reads them.

    Attributes
    ----------
    tokens_read
        As of a `MemoryView`, of what was read last.
    """

    def __init__(self, output_dict: Mapping[str, Any]) -> None:
        self.tokens_read: list[int] = []
        self._conditioning = output_dict["cond_frame_outputs"]
        self._tracked = output_dict["non_cond_frame_outputs"]

    def read(self, rule: BankRule, reading: Reading) -> list[ReadEntry]:
        """Return what a frame reads; see `MemorySource.read`."""
        bank = stock_bank(rule, reading, self._conditioning, lambda t: self._tracked.get(t) is not None)
        read = [self._entry(entry) for entry in bank.entries]
        channels = next((width(item.tensor) for item in read if item.entry.kind == "memory"), 1)
        self.tokens_read = [_num_tokens(item, channels) for item in read]
        return read

    def _entry(self, entry: BankEntry) -> ReadEntry:
        output = self._tracked.get(entry.frame) or self._conditioning[entry.frame]
        if entry.kind == "pointer":
            return ReadEntry(entry, output["obj_ptr"])
        return ReadEntry(entry, output["maskmem_features"], output["maskmem_pos_enc"][-1])
