"""Edits carried out: on what a frame reads, on what is stored, and on tensors at the positions."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.bank import BankEntry, EntryKind, EntryRole
from napari_sam2_probe.tracking.interventions import LEVELS, Edit
from napari_sam2_probe.tracking.observer import PassKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from napari_sam2_probe.tracking.memory_view import ReadEntry
    from napari_sam2_probe.tracking.outputs import FrameOutput


class Donor(Protocol):
    """A run that entries and tensors are taken from: another one, or the run itself as it is without intervention."""

    def entry(self, kind: EntryKind, frame_idx: int, obj_id: int) -> Tensor:
        """Return the memory (1, C_mem, h, w) or pointer (1, C) that is stored of a frame.

        Raises
        ------
        InputError
            If there is none.
        """
        ...

    def tensor(self, key: str, frame_idx: int, obj_id: int) -> Tensor:
        """Return the tensor at a position, but for the first."""
        ...

    def image_features(self, frame_idx: int) -> tuple[Tensor, ...]:
        """Return the image features of a frame, finest first."""
        ...

    def mean_entry(self, kind: EntryKind, obj_id: int) -> Tensor:
        """Return the mean of what is stored of all frames."""
        ...

    def mean_tensor(self, key: str, obj_id: int) -> Tensor:
        """Return the mean over the reference frames of the tensor at a position, but for the first."""
        ...

    def mean_image_features(self, obj_id: int) -> tuple[Tensor, ...]:
        """Return the mean over the reference frames of the image features."""
        ...


_MAP_AXES = 4

Donors = Callable[[str | None], Donor]
"""Gives the donor of a run by the name that edits call it; of the run itself for None."""

Lookup = Callable[[EntryKind, int], "Tensor | None"]
"""Gives the memory or pointer that the object has stored of a frame, as it would be read."""


def no_donors(name: str | None) -> Donor:
    """Refuse: nobody has said where other runs are."""
    if name is None:
        raise InputError("The edit 'mean' needs the run itself without edits: use it where a run is recorded.")
    raise InputError(f"There is no run {name!r} to take from: record a run with the edit, or give the run as a donor.")


def donors_by_name(donors: Mapping[str, Donor]) -> Donors:
    """Return a function that gives donors by name; the run itself is called ``"self"``."""

    def find(name: str | None) -> Donor:
        found = donors.get("self" if name is None else name)
        return no_donors(name) if found is None else found

    return find


@dataclass(frozen=True)
class Intervention:
    """Edits, and where they take from.

    Attributes
    ----------
    edits
        In the order in which they act.
    donors
        Gives other runs.
    """

    edits: tuple[Edit, ...] = ()
    donors: Donors = no_donors

    def then(self, edits: tuple[Edit, ...], donors: Donors | None = None) -> Intervention:
        """Return these edits and further ones after them."""
        return Intervention(self.edits + edits, self.donors if donors is None else donors)

    # What a frame reads

    def read(self, entries: list[ReadEntry], frame_idx: int, obj_id: int, stored: Lookup) -> list[ReadEntry]:
        """Return what a frame reads instead of `entries`.

        Raises
        ------
        InputError
            If something that is to be read isn't stored, or doesn't fit.
        """
        for edit in self.edits:
            if not edit.is_of_bank or edit.stored or not edit.concerns(frame_idx, obj_id):
                continue
            if edit.edit == "drop":
                entries = [item for item in entries if not edit.selects(item.entry)]
                continue
            entries = [
                replace(item, tensor=self._entry(edit, item.tensor, item.entry, frame_idx, obj_id, stored))
                if edit.selects(item.entry)
                else item
                for item in entries
            ]
        return entries

    # What is stored

    def stored(
        self, output: FrameOutput, kinds: Iterable[EntryKind], frame_idx: int, obj_id: int, lookup: Lookup
    ) -> FrameOutput:
        """Return what is stored of a frame instead of `output`, as far as these kinds of entries go."""
        role: EntryRole = "recent" if output.kind is PassKind.TRACKED else "conditioning"
        for kind in kinds:
            field = "obj_ptr" if kind == "pointer" else "maskmem_features"
            tensor = self._store(kind, getattr(output, field), frame_idx, obj_id, role, lookup)
            if tensor is None:
                output = replace(output, not_stored=output.not_stored | {kind})
            else:
                changes: dict[str, Any] = {field: tensor}
                output = replace(output, **changes)
        return output

    def _store(
        self, kind: EntryKind, tensor: Tensor, frame_idx: int, obj_id: int, role: EntryRole, stored: Lookup
    ) -> Tensor | None:
        entry = BankEntry(kind, frame_idx, role, 0, 0)
        for edit in self.edits:
            if not edit.is_of_bank or not edit.stored or not edit.concerns(frame_idx, obj_id):
                continue
            if edit.selects(entry):
                if edit.edit == "drop":
                    return None
                tensor = self._entry(edit, tensor, entry, frame_idx, obj_id, stored)
        return tensor

    def _entry(
        self, edit: Edit, tensor: Tensor, entry: BankEntry, frame_idx: int, obj_id: int, stored: Lookup
    ) -> Tensor:
        if edit.edit == "noise":
            return _noisy(tensor, edit, f"{obj_id} {frame_idx} {entry.kind} {entry.frame}")
        if edit.edit == "freeze":
            assert edit.frame is not None
            found = stored(entry.kind, edit.frame)
            if found is None:
                raise InputError(
                    f"Frame {frame_idx} can't read the {entry.kind} of frame {edit.frame} for object {obj_id}: nothing "
                    "is stored of it then; freeze an earlier frame."
                )
        elif edit.edit == "swap":
            found = self.donors(edit.source).entry(entry.kind, entry.frame, obj_id)
        else:
            found = self.donors(None).mean_entry(entry.kind, obj_id)
        return _fitting(found, tensor, edit)

    # Positions

    def at(self, frame_idx: int, obj_id: int) -> PositionEdits | None:
        """Return the edits of positions that concern a frame and object; None if there are none."""
        edits = tuple(e for e in self.edits if not e.is_of_bank and e.concerns(frame_idx, obj_id))
        return PositionEdits(edits, self.donors, frame_idx, obj_id) if edits else None


@dataclass(frozen=True)
class PositionEdits:
    """The edits of positions that concern one frame and object.

    Attributes
    ----------
    edits
        In the order in which they act.
    donors
        Gives other runs.
    frame_idx, obj_id
        The frame and object.
    mask
        (1, 1, low, low) bool: the mask that is predicted without the edits, where one needs it.
    """

    edits: tuple[Edit, ...]
    donors: Donors
    frame_idx: int
    obj_id: int
    mask: Tensor | None = None

    @property
    def need_mask(self) -> bool:
        """Whether an edit holds only inside or outside the predicted mask."""
        return any(edit.mask is not None for edit in self.edits)

    def with_mask(self, mask: Tensor) -> PositionEdits:
        """Return the edits for an object whose mask is known."""
        return replace(self, mask=mask)

    def image_features(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the image features instead of `maps`, finest first."""
        strides = LEVELS[-len(maps) :]
        for edit in self.edits:
            if edit.target != "image_embedding":
                continue
            others: tuple[Tensor | None, ...] = (None,) * len(maps)
            if edit.edit == "patch":
                others = self.donors(edit.source).image_features(self.frame_idx)
            elif edit.edit == "mean":
                others = self.donors(None).mean_image_features(self.obj_id)
            maps = tuple(
                self._changed(edit, own, other, f"level {stride}") if stride in (edit.levels or LEVELS) else own
                for own, other, stride in zip(maps, others, strides, strict=True)
            )
        return maps

    def tensor(self, key: str, tensor: Tensor) -> Tensor:
        """Return the tensor at a position instead of `tensor`."""
        for edit in self.edits:
            if edit.target != key or key == "image_embedding":
                continue
            other = None
            if edit.edit == "patch":
                other = self.donors(edit.source).tensor(key, self.frame_idx, self.obj_id)
            elif edit.edit == "mean":
                other = self.donors(None).mean_tensor(key, self.obj_id)
            tensor = self._changed(edit, tensor, other, "")
        return tensor

    def _changed(self, edit: Edit, own: Tensor, other: Tensor | None, part: str) -> Tensor:
        if other is None:
            changed = _noisy(own, edit, f"{self.obj_id} {self.frame_idx} {edit.target} {part}")
        else:
            changed = _fitting(other, own, edit)
        if edit.mask is None:
            return changed
        if own.ndim < _MAP_AXES:
            raise InputError(
                f"At {edit.target} this model has tokens without a place in the image, so no edit of it can be limited "
                f"to what is {edit.mask} the mask: leave out 'mask'."
            )
        assert self.mask is not None
        inside = covered(self.mask, (own.shape[-2], own.shape[-1])).to(own.device)
        return _like(own, torch.where(inside if edit.mask == "inside" else ~inside, changed, own))


def covered(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Return which cells of a coarser grid (1, 1, *size) a mask (1, 1, H, W) covers by half or more."""
    share = torch.nn.functional.adaptive_avg_pool2d(mask.float(), size)
    return share >= 0.5


def _noisy(tensor: Tensor, edit: Edit, what: str) -> Tensor:
    """Add Gaussian noise that depends on the edit's seed and on what it is added to, and on nothing else."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{edit.seed} {what}".encode()))
    noise = torch.randn(tensor.shape, generator=generator).to(tensor.device)
    values = tensor.float()
    return _like(tensor, values + edit.scale * values.std(correction=0) * noise)


def _fitting(found: Tensor, own: Tensor, edit: Edit) -> Tensor:
    if found.shape != own.shape:
        raise InputError(
            f"The run {edit.source} has another shape at {edit.target} ({tuple(found.shape)} instead of "
            f"{tuple(own.shape)}): take from a run of the same model."
        )
    return _like(own, found)


def _like(own: Tensor, values: Tensor) -> Tensor:
    """Return values on the device, in the type and in the order in memory of `own`: kernels round by the order too."""
    return torch.empty_like(own).copy_(values)
